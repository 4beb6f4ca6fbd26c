"""How Planaura names things: dates inside the names of images, and products after the images they come from."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import PurePath

from arpent.errors import InvalidSetting
from arpent.tasks.change.frames import Pair

__all__ = ["check_date", "check_mark", "compiled", "date_in", "guessed_date", "pair_suffix"]

_LONGEST = 255
"""Bytes that file systems allow for a name."""

_ROOM = len("mosaic_change_probability.tif.stac.json") + 16
"""Bytes kept free for the name of the product, its endings, and a mark while it is written."""

_WAYS = tuple(
    re.compile(way)
    for way in (
        r"\.(\d{7})T",
        r"_(\d{8})(?=[T_.]|$)",
        r"(?:^|_)(\d{8})T",
        r"(?:^|[_. ])(\d{4}-\d\d-\d\d)(?=[T_. ]|$)",
    )
)
"""How names write dates: HLS, Sentinel-2, and years, months and days with dashes."""

_FORBIDDEN = "/\\:\0"
"""Characters that no file of a run may have in its name, so that it can be moved to any system."""


def compiled(regex: str) -> re.Pattern[str]:
    """The pattern that finds a date in a name.

    Raises:
        InvalidSetting: it is no regular expression, or has no group for the date.
    """
    try:
        pattern = re.compile(regex)
    except re.error as problem:
        raise InvalidSetting(
            f"the date_regex {regex} is not a regular expression",
            found=problem,
            cure=r"For HLS it is \.(\d{7})T, for Sentinel-2 \_(\d{8})_.",
        ) from problem
    if pattern.groups < 1:
        raise InvalidSetting(
            f"the date_regex {regex} does not say which part is the date",
            expected="a group in brackets",
            cure=r"Put brackets around the digits: \.(\d{7})T.",
        )
    return pattern


def date_in(image: str, pattern: re.Pattern[str]) -> int | None:
    """The date that the name of an image carries, as YYYYDDD; None where the pattern finds none.

    Seven digits are taken as year and day of the year, eight as year, month and day, also with dashes between them.

    Args:
        image: path or address.
        pattern: its first group holds the digits.

    Raises:
        InvalidSetting: what it finds is no date.
    """
    name = PurePath(image.rstrip("/")).name
    match = pattern.search(name)
    if match is None:
        return None
    digits = match.group(1) or ""
    day = _day(digits)
    if day is None:
        raise InvalidSetting(
            f"what date_regex {pattern.pattern} finds in {name} is not a date",
            found=digits or "nothing",
            expected="YYYYDDD or YYYYMMDD",
            cure="Correct the pattern or the name, or give the dates with --date0 and --date1.",
        )
    return day


def guessed_date(image: str) -> int | None:
    """The date in the name of an image, as HLS and Sentinel-2 write it, or 2024-03-01; None where there is none."""
    name = PurePath(image.rstrip("/")).name
    found = (match for way in _WAYS for match in way.finditer(name))
    # Digits that are no date are something else's number.
    return next((day for match in found if (day := _day(match[1])) is not None), None)


def check_date(value: int) -> int:
    """`value`, which must be a date as YYYYDDD or YYYYMMDD; as YYYYDDD.

    Raises:
        InvalidSetting: it is none.
    """
    day = _day(str(value))
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


def _day(digits: str) -> int | None:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", digits):
        digits = digits.replace("-", "")
    if not re.fullmatch(r"[0-9]{7,8}", digits):
        return None
    try:
        if len(digits) == 8:
            day = datetime.strptime(digits, "%Y%m%d").date()
        else:
            day = date(int(digits[:4]), 1, 1) + timedelta(days=int(digits[4:]) - 1)
    except (ValueError, OverflowError):
        return None
    # The day before the first of January, or the 366th of a common year, lies in another year.
    if len(digits) == 7 and day.year != int(digits[:4]):
        return None
    return int(f"{day.year:04d}{day.timetuple().tm_yday:03d}")
