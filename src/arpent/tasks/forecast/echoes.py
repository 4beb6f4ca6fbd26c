"""Bands of open files as linear power, whatever they hold: power, decibels, amplitudes, or the tones of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Window
from arpent.io import ImageReader
from arpent.pixels import decibels_to_linear
from arpent.tasks.forecast.radar_numbers import NOTHING_DB, Numbers, require_power, scaled, seen_in

__all__ = ["HALF_STEP", "BandAt", "EchoReader", "Echoes", "Powered", "as_power"]

HALF_STEP: Final = 0.5  # of a picture of 8 bits


@dataclass(frozen=True)
class Echoes:
    """Linear power.

    Attributes:
        power: float32, NaN where there is no data.
        below: of the same shape; where numbers were no data because they are below 0.
    """

    power: NDArray[np.float32]
    below: NDArray[np.bool_]


class Powered(Protocol):
    """Whatever gives linear power by windows of a grid."""

    @property
    def grid(self) -> Grid:
        """The pixels that windows are counted in."""
        ...

    def power(self, window: Window) -> Echoes:
        """Those of a window inside the grid, ``(bands, rows, columns)``."""
        ...


@dataclass(frozen=True)
class BandAt:
    """A band of an open file.

    Attributes:
        reader: of the file.
        place: of the band among those of the reader.
    """

    reader: ImageReader
    place: int


@dataclass(frozen=True)
class EchoReader:
    """Some bands of one date, all of one kind of numbers.

    Attributes:
        bands: in the order in which they are read.
        numbers: what the files hold.
        name: of the date, for messages.
        full_scale: whether amplitudes in whole numbers are shares of the greatest one, as products without calibration
            and pictures are; else they are taken as they are.
    """

    bands: Sequence[BandAt]
    numbers: Numbers
    name: str
    full_scale: bool = False

    def power(self, window: Window) -> Echoes:
        """Of a window, ``(bands, rows, columns)``; each file is read once.

        Raises:
            InvalidSetting: most values are below 0 that should be power.
        """
        shape = (len(self.bands), *window.shape)
        made = Echoes(np.empty(shape, np.float32), np.empty(shape, bool))
        for reader in dict.fromkeys(band.reader for band in self.bands):
            raster = reader.read(window)
            for row, band in enumerate(self.bands):
                if band.reader is reader:
                    values = raster.pixels[band.place]
                    numbers = scaled(values, reader.scale[band.place], reader.offset[band.place])
                    if self.full_scale and self.numbers == "amplitude" and np.issubdtype(values.dtype, np.integer):
                        numbers = _of_full_scale(numbers, values.dtype)
                    echoes = as_power(numbers, raster.valid, self.numbers, self.name)
                    made.power[row], made.below[row] = echoes.power, echoes.below
        return made


def _of_full_scale(numbers: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Shares of the greatest number.

    Products of 16 bits have borders of 0; in a picture of 8 bits 0 is the darkest tone, and stands for half a step.
    """
    if dtype == np.uint8:
        numbers = np.maximum(numbers, np.float32(HALF_STEP))
    return np.asarray(numbers / np.float32(np.iinfo(dtype).max), np.float32)


def as_power(numbers: NDArray[np.float32], valid: NDArray[np.bool_], meaning: Numbers, name: str) -> Echoes:
    """Linear power of one band.

    Args:
        numbers: of the band.
        valid: where the image has data; zeros, which fill the borders of products, and NaN are none either, and where
            numbers are no decibels, those below 0.
        meaning: of the numbers.
        name: of the image, for the message.

    Raises:
        InvalidSetting: most numbers are below 0 that should be power or amplitude.
    """
    known = valid & np.isfinite(numbers)
    if meaning == "db":
        known &= numbers > NOTHING_DB
        power = np.where(known, decibels_to_linear(np.where(known, numbers, 0)), np.float32(np.nan))
        return Echoes(power, np.zeros(known.shape, bool))
    below = known & (numbers < 0)
    if below.any():
        require_power(name, seen_in(numbers[known]))
    known &= numbers > 0
    power = np.square(numbers) if meaning == "amplitude" else numbers
    return Echoes(np.where(known, power, np.float32(np.nan)), below)
