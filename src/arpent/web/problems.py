"""What went wrong, told to whoever looks at the map: one phrase for each class of errors, in both languages.

An error's own line, with what was found and what to do, is written where it is raised, in English. The phrase says in
general what such a line means; a page in French shows it first, and the line beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from arpent.errors import ArpentError
from arpent.language import keys, say

__all__ = ["Other", "Problem", "problem_of"]

Other = Literal["BadRequest", "Database", "Defect", "NoSuchAddress", "NotAllowed"]
"""What the map tells besides errors of Arpent's own."""

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Problem:
    """A class of failures.

    Attributes:
        name: of the class.
        en, fr: what it means, without a full stop.
    """

    name: str
    en: str
    fr: str


def problem_of(failure: type[ArpentError] | Other) -> Problem:
    """What an error class means, in its own phrase or that of its nearest ancestor; or what something else means."""
    if isinstance(failure, str):
        return _told(failure, _key(failure))
    known = keys()
    ancestors = (_key(ancestor.__name__) for ancestor in failure.__mro__)
    return _told(failure.__name__, next(key for key in ancestors if key in known))


def _key(name: str) -> str:
    return f"problem.{_CAPITAL.sub('_', name).lower()}"


def _told(name: str, key: str) -> Problem:
    return Problem(name, say(key, "en"), say(key, "fr"))
