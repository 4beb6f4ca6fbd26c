"""Days as people, satellites and file names write them."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePath

from arpent.errors import InvalidSetting

__all__ = ["date_pattern", "day_in_name", "day_of_text", "guessed_day"]

_WAYS = tuple(
    re.compile(way)
    for way in (
        r"\.(\d{7})T",
        r"_(\d{8})(?=[T_.]|$)",
        r"(?:^|_)(\d{8})T",
        r"(?:^|[_. ])(\d{4}-\d\d-\d\d)(?=[T_. ]|$)",
    )
)
"""How names write days: HLS, Sentinel-1 and 2, and years, months and days with dashes."""


def day_of_text(digits: str) -> dt.date | None:
    """The day that is written as 2024-03-01, 20240301 or 2024061 (year and day of the year); None for anything else."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", digits):
        digits = digits.replace("-", "")
    if not re.fullmatch(r"[0-9]{7,8}", digits):
        return None
    try:
        if len(digits) == 8:
            return dt.datetime.strptime(digits, "%Y%m%d").date()
        day = dt.date(int(digits[:4]), 1, 1) + dt.timedelta(days=int(digits[4:]) - 1)
    except (ValueError, OverflowError):
        return None
    # The day before the first of January, or the 366th of a common year, lies in another year.
    return day if day.year == int(digits[:4]) else None


def date_pattern(regex: str, called: str = "date_regex") -> re.Pattern[str]:
    """The pattern that finds a date in a name.

    Args:
        regex: its first group holds the digits.
        called: the option or setting that it comes from, for messages.

    Raises:
        InvalidSetting: it is no regular expression, or has no group for the date.
    """
    try:
        pattern = re.compile(regex)
    except re.error as problem:
        raise InvalidSetting(
            f"the {called} {regex} is not a regular expression",
            found=problem,
            cure=r"For HLS it is \.(\d{7})T, for Sentinel-2 \_(\d{8})_.",
        ) from problem
    if pattern.groups < 1:
        raise InvalidSetting(
            f"the {called} {regex} does not say which part is the date",
            expected="a group in brackets",
            cure=r"Put brackets around the digits: \.(\d{7})T.",
        )
    return pattern


def day_in_name(path: str, pattern: re.Pattern[str], called: str = "date_regex", cure: str = "") -> dt.date | None:
    """The day that the name of an image carries; None where the pattern finds none.

    Args:
        path: path or address.
        pattern: its first group holds the digits.
        called: the option or setting that the pattern comes from, for messages.
        cure: what else the user may do than correct the pattern or the name.

    Raises:
        InvalidSetting: what it finds is no date.
    """
    name = PurePath(path.rstrip("/")).name
    match = pattern.search(name)
    if match is None:
        return None
    digits = match.group(1) or ""
    day = day_of_text(digits)
    if day is None:
        raise InvalidSetting(
            f"what {called} {pattern.pattern} finds in {name} is not a date",
            found=digits or "nothing",
            expected="YYYYDDD or YYYYMMDD",
            cure=f"Correct the pattern or the name{cure}.",
        )
    return day


def guessed_day(path: str) -> dt.date | None:
    """The day in the name of an image, as HLS and the Sentinels write it, or 2024-03-01; None where there is none."""
    name = PurePath(path.rstrip("/")).name
    found = (match for way in _WAYS for match in way.finditer(name))
    # Digits that are no date are something else's number.
    return next((day for match in found if (day := day_of_text(match[1])) is not None), None)
