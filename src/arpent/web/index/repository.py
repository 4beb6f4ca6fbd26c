"""What the two databases do in their own ways: features in a box, features with words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from django.db import connection

from arpent.web.index.boxes import Box
from arpent.web.index.postgis import PostgisRepository
from arpent.web.index.sqlite import SqliteRepository

__all__ = ["Repository", "which"]


class Repository(Protocol):
    """Finds features; the same for both databases."""

    def within(self, frame: int, box: Box, *, share: float, after: int, limit: int) -> list[int]:
        """Numbers of the features of a frame whose boxes meet a box, in rising order.

        Args:
            frame: its number.
            box: that does not cross the antimeridian.
            share: how much of the ground of its layer the box covers, about.
            after: the last number that is known already.
            limit: how many at most.
        """

    def matching(self, terms: Sequence[str], limit: int) -> list[int]:
        """Numbers of the features that have, for each term, a word which begins with it; the best first.

        Those of which something is told come before those that bear the words as a name alone.
        """


def which() -> Repository:
    """The repository of the database in use."""
    return SqliteRepository() if connection.vendor == "sqlite" else PostgisRepository()
