"""What the numbers of a radar image mean, and the power they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.io import ImageReader
from arpent.pixels import decibels_to_linear

__all__ = ["Numbers", "as_power", "lowest_number", "meaning_of", "scaled"]

Numbers = Literal["linear", "db", "amplitude"]
"""What pixels are: power, decibels, or amplitudes, the roots of power."""

_NOTHING_DB: Final = -90.0  # decibels that no radar measures: another way of writing no data


def scaled(values: NDArray[np.generic], scale: float, offset: float) -> NDArray[np.float32]:
    """The numbers that a file means by its pixels."""
    numbers = values.astype(np.float32)
    return numbers if (scale, offset) == (1.0, 0.0) else numbers * np.float32(scale) + np.float32(offset)


def as_power(
    numbers: NDArray[np.float32], valid: NDArray[np.bool_], meaning: Numbers, name: str
) -> NDArray[np.float32]:
    """Linear power; NaN where there is no data.

    Args:
        numbers: of one band.
        valid: where the image has data; zeros, which fill the borders of products, and NaN are none either.
        meaning: of the numbers.
        name: of the image, for the message.

    Raises:
        InvalidSetting: a number that should be power or amplitude is below 0.
    """
    known = valid & np.isfinite(numbers)
    if meaning == "db":
        known &= numbers > _NOTHING_DB
        power = decibels_to_linear(np.where(known, numbers, 0))
    else:
        if bool((numbers[known] < 0).any()):
            raise _below_zero(name, float(numbers[known].min()))
        known &= numbers > 0
        power = np.square(numbers) if meaning == "amplitude" else numbers
    return np.where(known, power, np.float32(np.nan))


def lowest_number(reader: ImageReader, windows: Iterable[Window]) -> float | None:
    """The lowest number in some windows that means something; None if none does."""
    found = []
    for window in windows:
        raster = reader.read(window)
        for values, scale, offset in zip(raster.pixels, reader.scale, reader.offset, strict=True):
            numbers = scaled(values[raster.valid], scale, offset)
            numbers = numbers[np.isfinite(numbers) & (numbers != 0) & (numbers > 10 * _NOTHING_DB)]
            if numbers.size:
                found.append(float(numbers.min()))
    return min(found, default=None)


def meaning_of(
    name: str, declared: Numbers | Literal["auto"], lowest: float | None, *, whole: bool
) -> tuple[Numbers, bool]:
    """What the numbers of an image mean, and whether that had to be found out.

    Args:
        name: of the image, for the message.
        declared: by the user.
        lowest: of its numbers; None if it has none.
        whole: whether they are whole numbers without a scale, as amplitudes are delivered.

    Raises:
        InvalidSetting: the numbers cannot be what they are declared to be.
    """
    if declared == "linear" and lowest is not None and lowest < 0:
        raise _below_zero(name, lowest)
    if declared == "db" and lowest is not None and lowest >= 0:
        raise InvalidSetting(
            f"{name} is declared to hold decibels, and no value is below 0",
            found=f"{lowest:.3g} and above",
            cure="Declare it as what it is: --units linear.",
        )
    if declared != "auto":
        return declared, False
    if lowest is not None and lowest < 0:
        return "db", True
    return ("amplitude" if whole else "linear"), True


def _below_zero(name: str, lowest: float) -> InvalidSetting:
    return InvalidSetting(
        f"{name} has values below 0, which power never has",
        found=f"{lowest:.3g}",
        cure="If they are decibels, declare them: --units db; or correct the image's no-data value.",
    )
