"""What the numbers of a radar image mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.io import ImageReader

__all__ = [
    "NOTHING_DB",
    "Meaning",
    "Numbers",
    "Seen",
    "meaning_of",
    "numbers_seen",
    "require_few_below",
    "require_power",
    "scaled",
    "seen_in",
]

Numbers = Literal["linear", "db", "amplitude"]
"""What pixels are: power, decibels, or amplitudes, the roots of power."""

NOTHING_DB: Final = -90.0
"""Decibels that no radar measures: another way of writing no data."""
_FEW: Final = 0.01
"""Share below 0 up to which numbers are power: products whose noise was subtracted go a little below."""
_MOST: Final = 0.5
"""Share below 0 from which they are decibels: of them hardly any is above 0."""


@dataclass(frozen=True)
class Seen:
    """What was seen of the numbers of an image, zeros and what is no number left out.

    Attributes:
        count: of them.
        below: how many of them are below 0.
        lowest: of them; infinite if there are none.
        strange: how many are so far below 0 that they can but mean no data; not counted above.
    """

    count: int = 0
    below: int = 0
    lowest: float = np.inf
    strange: int = 0

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.count + other.count,
            self.below + other.below,
            min(self.lowest, other.lowest),
            self.strange + other.strange,
        )

    @property
    def share(self) -> float:
        """Of the numbers that is below 0, from 0 to 1."""
        return self.below / max(1, self.count)


@dataclass(frozen=True)
class Meaning:
    """What the numbers of an image mean.

    Attributes:
        numbers: what they are.
        detected: whether that was found out, and not declared.
        below: whether some are below 0 that are no decibels, and so no data.
    """

    numbers: Numbers
    detected: bool
    below: bool


def scaled(values: NDArray[np.generic], scale: float, offset: float) -> NDArray[np.float32]:
    """The numbers that a file means by its pixels."""
    numbers = values.astype(np.float32)
    return numbers if (scale, offset) == (1.0, 0.0) else numbers * np.float32(scale) + np.float32(offset)


def numbers_seen(reader: ImageReader, windows: Iterable[Window]) -> Seen:
    """What the numbers of some windows are like."""
    found = Seen()
    for window in windows:
        raster = reader.read(window)
        for values, scale, offset in zip(raster.pixels, reader.scale, reader.offset, strict=True):
            found += seen_in(scaled(values[raster.valid], scale, offset))
    return found


def meaning_of(name: str, declared: Numbers | Literal["auto"], seen: Seen, *, whole: bool) -> Meaning:
    """What the numbers of an image mean.

    Almost all decibels of an image are below 0. Of power and amplitudes none should be; where noise was subtracted a
    few are.

    Args:
        name: of the image, for the message.
        declared: by the user.
        seen: what its numbers are like.
        whole: whether they are whole numbers without a scale, as amplitudes are delivered.

    Raises:
        InvalidSetting: the numbers cannot be what they are declared to be, or may be power as well as decibels.
    """
    below = bool(seen.below or seen.strange)
    if declared == "db":
        if seen.count and seen.share <= _FEW:
            raise InvalidSetting(
                f"{name} is declared to hold decibels, and {'hardly any' if below else 'no'} value is below 0",
                found=f"{seen.lowest:.3g} and above",
                cure="Declare it as what it is: --units linear.",
            )
        return Meaning("db", False, False)
    if declared != "auto":
        if declared == "linear" and seen.share > _MOST:
            raise _below_zero(name, seen)
        return Meaning(declared, False, below)
    if seen.share > _MOST:
        return Meaning("db", True, False)
    if seen.share > _FEW:
        raise _ambiguous(name, f"{seen.share:.0%} of those looked at, the lowest {seen.lowest:.3g}")
    return Meaning("amplitude" if whole else "linear", True, below)


def require_power(name: str, seen: Seen) -> None:
    """Refuses numbers of a window that are decibels; one of little data may hold nothing but subtracted noise.

    Raises:
        InvalidSetting: most are far below 0.
    """
    if seen.share > _MOST and seen.lowest < -1:
        raise _below_zero(name, seen)


def require_few_below(name: str, below: int, count: int, *, detected: bool) -> None:
    """Refuses an image of which all was read, where more values are below 0 than was seen of some of it before.

    Args:
        name: of the image, for the message.
        below: values below 0 that count as no data.
        count: values that are power.
        detected: whether it was found out that they are power, and not declared.

    Raises:
        InvalidSetting: they may be decibels as well.
    """
    share = below / max(1, below + count)
    if detected and share > _FEW:
        raise _ambiguous(name, f"{share:.0%} of all")


def seen_in(numbers: NDArray[np.float32]) -> Seen:
    """What some numbers are like."""
    numbers = numbers[np.isfinite(numbers) & (numbers != 0)]
    strange = int(np.count_nonzero(numbers <= 10 * NOTHING_DB))
    if strange:
        numbers = numbers[numbers > 10 * NOTHING_DB]
    below = int(np.count_nonzero(numbers < 0))
    return Seen(len(numbers), below, float(numbers.min()) if len(numbers) else np.inf, strange)


def _ambiguous(name: str, found: str) -> InvalidSetting:
    return InvalidSetting(
        f"{name} has too many values below 0 for power, and too few for decibels",
        found=found,
        expected=f"at most {_FEW:.0%} or more than {_MOST:.0%}",
        cure="Say what they are: --units db, or --units linear, for which values below 0 are no data.",
    )


def _below_zero(name: str, seen: Seen) -> InvalidSetting:
    return InvalidSetting(
        f"{name} has values below 0, which power never has",
        found=f"{seen.lowest:.3g}, and {seen.share:.0%} of the values below 0",
        cure="If they are decibels, declare them: --units db; or correct the image's no-data value.",
    )
