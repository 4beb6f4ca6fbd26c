"""Numbers, areas, dates and durations as French and English readers write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from arpent.core import Language

__all__ = ["area", "day", "duration", "length", "number", "percent", "plural", "signed", "storage"]

NO_BREAK = "\N{NO-BREAK SPACE}"
THIN = "\N{NARROW NO-BREAK SPACE}"
UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class _Usage:
    """What separates thousands and decimals, and what stands before a percent sign."""

    thousands: str
    decimal: str
    before_percent: str


USAGE: Mapping[Language, _Usage] = {"en": _Usage(",", ".", ""), "fr": _Usage(THIN, ",", THIN)}

MONTHS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}
BYTE_UNITS: Mapping[Language, tuple[str, ...]] = {
    "en": ("bytes", "kB", "MB", "GB", "TB"),
    "fr": ("octets", "ko", "Mo", "Go", "To"),
}


def number(value: float, language: Language, decimals: int | None = None) -> str:
    """A number with its thousands apart: ``1,234.5`` or ``1 234,5``.

    Args:
        value: any number; NaN and infinities give a dash.
        language: of the reader.
        decimals: digits after the decimal mark; None shows an integer whole and a float with three significant
            digits, or with all digits before the mark when there are more.
    """
    if not math.isfinite(value):
        return UNKNOWN
    if decimals is None:
        decimals = 0 if float(value).is_integer() else _decimals_for(value)
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")  # "-0" says nothing that "0" does not
    usage = USAGE[language]
    return text.translate({ord(","): usage.thousands, ord("."): usage.decimal, ord("-"): "\N{MINUS SIGN}"})


def signed(value: float, language: Language, decimals: int | None = None) -> str:
    """A difference: a `number` with a plus sign where it is above zero."""
    return ("+" if 0 < value < math.inf else "") + number(value, language, decimals)


def _decimals_for(value: float) -> int:
    """Decimals that show three significant digits."""
    return max(0, 2 - math.floor(math.log10(abs(value))))


def percent(share: float, language: Language, decimals: int = 1) -> str:
    """A share of one as a percentage: ``0.125`` is ``12.5%`` or ``12,5 %``."""
    if not math.isfinite(share):
        return UNKNOWN
    return f"{number(share * 100, language, decimals)}{USAGE[language].before_percent}%"


def area(square_metres: float, language: Language) -> str:
    """An area in the unit people use for its size: m² below a hectare, ha below 10 km², km² from there on."""
    for unit, size, decimals in (("km²", 1e6, 1), ("ha", 1e4, 2)):
        if abs(square_metres) >= (1e7 if unit == "km²" else size):
            return _with_unit(square_metres / size, unit, language, decimals)
    return _with_unit(square_metres, "m²", language, 0 if abs(square_metres) >= 100 else 1)


def length(metres: float, language: Language) -> str:
    """A length in km from 1 000 m, in m from 1 m, in cm below."""
    if abs(metres) >= 1000:
        return _with_unit(metres / 1000, "km", language, 1)
    if abs(metres) >= 1 or metres == 0:
        return _with_unit(metres, "m", language, 0 if float(metres).is_integer() else 1)
    return _with_unit(metres * 100, "cm", language, 0)


def duration(seconds: float, language: Language) -> str:
    """A time span in its two largest units: ``850 ms``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 1:
        return _with_unit(seconds * 1000, "ms", language, 0)
    if seconds < 10:
        return _with_unit(seconds, "s", language, 1)
    whole = round(seconds)
    if whole < 60:
        return _with_unit(whole, "s", language, 0)
    if whole < 3600:
        return f"{whole // 60}{NO_BREAK}min {whole % 60:02}{NO_BREAK}s"
    return f"{number(whole // 3600, language)}{NO_BREAK}h {whole % 3600 // 60:02}{NO_BREAK}min"


def storage(size: float, language: Language) -> str:
    """A size in bytes in decimal units: ``1.5 GB`` or ``1,5 Go``."""
    units = BYTE_UNITS[language]
    step = 0
    while abs(size) >= 999.5 and step < len(units) - 1:
        size, step = size / 1000, step + 1
    return _with_unit(size, units[step], language, 0 if step == 0 or abs(size) >= 100 else 1)


def day(value: date, language: Language) -> str:
    """A date in words: ``3 March 2024``, ``3 mars 2024``, and ``1er mars 2024`` for the first of a month."""
    number_of_day = "1er" if language == "fr" and value.day == 1 else str(value.day)
    return f"{number_of_day} {MONTHS[language][value.month - 1]} {value.year}"


def plural(count: float, singular: str, several: str, language: Language) -> str:
    """The form that `count` asks for: in French everything below two is singular, in English only one is."""
    alone = abs(count) < 2 if language == "fr" else abs(count) == 1
    return singular if alone else several


def _with_unit(value: float, unit: str, language: Language, decimals: int) -> str:
    return f"{number(value, language, decimals)}{NO_BREAK}{unit}" if math.isfinite(value) else UNKNOWN
