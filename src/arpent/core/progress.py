"""Progress as a value: long work reports to it and does not know who shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Bar", "Progress", "Retitled", "Silent"]


class Bar(Protocol):
    """One piece of work under way."""

    def advance(self, amount: float = 1) -> None:
        """That much more is done, in the unit of the bar."""

    def note(self, text: str) -> None:
        """A few words beside the bar ("loss 0.31")."""


class Progress(Protocol):
    """What long work takes as an argument to tell how far it is."""

    def bar(self, title: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Bar]:
        """A bar that lives as long as the context; `total` is None when the end is not known."""


class _NoBar:
    def advance(self, amount: float = 1) -> None:
        """Shows nothing."""

    def note(self, text: str) -> None:
        """Shows nothing."""


class Silent:
    """A progress that nobody sees: the default of everything that takes one."""

    @contextmanager
    def bar(self, title: str, total: float | None = None, unit: str = "") -> Iterator[Bar]:
        """A bar that shows nothing."""
        yield _NoBar()


class Retitled:
    """Shows every bar under a title of its own: work of several parts that call theirs by one name.

    Args:
        progress: that shows them.
        title: for people.
    """

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title

    def bar(self, title: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Bar]:
        """A bar under the title given at first."""
        return self._progress.bar(self._title, total, unit)
