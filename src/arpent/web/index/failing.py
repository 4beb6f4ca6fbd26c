"""What to do when the database cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError

from arpent.errors import DeviceMissing

__all__ = ["cure_of", "database_told"]

_CURES = {
    "locked": "Wait a moment: another program is writing to it.",
    "no such table": "Run: python manage.py migrate, then python manage.py rebuild.",
    "does not exist": "Run: python manage.py migrate, then python manage.py rebuild.",
    "malformed": "Remove the database file, then run: python manage.py migrate, and python manage.py rebuild.",
    "not a database": "Remove the database file, then run: python manage.py migrate, and python manage.py rebuild.",
}


def cure_of(story: str) -> str:
    """What to do about what a database has said."""
    return next(
        (cure for sign, cure in _CURES.items() if sign in story),
        "See that the database is there, and DATABASE_URL names it.",
    )


@contextmanager
def database_told() -> Iterator[None]:
    """Turns what the database says in the block into an error of Arpent's.

    Raises:
        DeviceMissing: the database cannot be used.
    """
    try:
        yield
    except DatabaseError as problem:
        story = str(problem)
        raise DeviceMissing(
            "the map's database cannot be used", found=story.partition("\n")[0][:120], cure=cure_of(story)
        ) from problem
