"""What is to be said of several places in the same words, said once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arpent.core import Language
from arpent.language import say

__all__ = ["clauses", "places_told", "together"]

_ALONE = 2
"""Places that are named one by one."""
_SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"


def clauses(parts: Iterable[str], language: Language) -> str:
    """Parts of a sentence, between semicolons as the language sets them."""
    return ("\N{NO-BREAK SPACE}; " if language == "fr" else "; ").join(parts)


def places_told(names: Sequence[str], language: Language) -> str:
    """Some places in a sentence: all of two, and of more how many there are."""
    if len(names) <= _ALONE:
        return ", ".join(names)
    return say("prepare.several", language, first=names[0], second=names[1], places=len(names))


def together(notes: Iterable[str], places: Iterable[str], language: Language) -> tuple[str, ...]:
    """Notes without repetition.

    Args:
        notes: those of a place begin with its name and a colon.
        places: names of all places.
        language: of the notes.
    """
    names = sorted(places, key=len, reverse=True)  # the name of a place may begin another's
    found: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        name = next((name for name in names if note.removeprefix(name).lstrip(_SPACES).startswith(":")), "")
        found.setdefault(note.removeprefix(name), []).append(name)
    told: list[str] = []
    for rest, where in found.items():
        told += [places_told(where, language) + rest] if len(where) > _ALONE else [name + rest for name in where]
    return tuple(told)
