"""How Planaura names things: dates inside the names of images, and products after the images they come from."""

from __future__ import annotations

import re
from datetime import date

from arpent.core import day_in_name, day_of_text, guessed_day
from arpent.errors import InvalidSetting
from arpent.tasks.change.frames import Pair

__all__ = ["check_date", "check_mark", "date_in", "guessed_date", "pair_suffix"]

_LONGEST = 255
"""Bytes that file systems allow for a name."""

_ROOM = len("mosaic_change_probability.tif.stac.json") + 16
"""Bytes kept free for the name of the product, its endings, and a mark while it is written."""

_FORBIDDEN = "/\\:\0"
"""Characters that no file of a run may have in its name, so that it can be moved to any system."""


def date_in(image: str, pattern: re.Pattern[str]) -> int | None:
    """The date that the name of an image carries, as YYYYDDD; None where the pattern finds none.

    Seven digits are taken as year and day of the year, eight as year, month and day, also with dashes between them.

    Args:
        image: path or address.
        pattern: its first group holds the digits.

    Raises:
        InvalidSetting: what it finds is no date.
    """
    return _number(day_in_name(image, pattern, cure=", or give the dates with --date0 and --date1"))


def guessed_date(image: str) -> int | None:
    """The date in the name of an image, as YYYYDDD; see `arpent.core.guessed_day`."""
    return _number(guessed_day(image))


def check_date(value: int | str) -> int:
    """`value`, which must be a date as YYYYDDD or YYYYMMDD; as YYYYDDD.

    Raises:
        InvalidSetting: it is none.
    """
    day = _number(day_of_text(str(value)))
    if day is None:
        raise InvalidSetting(
            f"{value} is not a date", expected="YYYYDDD or YYYYMMDD", cure="For the first of March 2024: 2024061."
        )
    return day


def check_mark(mark: str) -> None:
    """Refuses a mark between the names of images that no file can have in its name.

    Raises:
        InvalidSetting: it has such a character.
    """
    strange = sorted(set(mark) & set(_FORBIDDEN))
    if strange:
        raise InvalidSetting(
            f"no product can have the concatenate_char {mark} in its name",
            found=f"the characters {' '.join(map(repr, strange))}",
            cure="Choose another one, such as '!'.",
        )


def pair_suffix(pair: Pair, mark: str) -> str:
    """What distinguishes the products of a pair from those of others: ``!before!after`` for the mark ``!``.

    Raises:
        InvalidSetting: no file can be named so.
    """
    suffix = "".join(f"{mark}{frame.stem}" for frame in pair.frames)
    strange = sorted(set(suffix) & set(_FORBIDDEN))
    if strange:
        raise InvalidSetting(
            f"products cannot be named after {pair.name}",
            found=f"the characters {' '.join(map(repr, strange))}",
            cure="Rename the images, or choose another concatenate_char.",
        )
    length = len(suffix.encode()) + _ROOM
    if length > _LONGEST:
        raise InvalidSetting(
            f"products named after {pair.name} would have names too long for a file",
            found=f"{length} bytes",
            expected=f"at most {_LONGEST}",
            cure="Give the images shorter names.",
        )
    return suffix


def _number(day: date | None) -> int | None:
    """A day as YYYYDDD."""
    return None if day is None else int(f"{day.year:04d}{day.timetuple().tm_yday:03d}")
