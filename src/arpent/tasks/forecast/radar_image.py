"""A radar image as linear power, whatever its file holds: power, decibels, or amplitudes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window
from arpent.errors import FileMissing, InvalidSetting, NoValidPixels
from arpent.io import open_image
from arpent.pixels import (
    LOOKS_BLOCK,
    SENTINEL_1_LOOKS,
    decibels_to_linear,
    linear_to_decibels,
    looks_of_blocks,
    median_looks,
)
from arpent.tasks.forecast.despeckle_settings import DespeckleSettings

__all__ = ["RadarImage", "Units", "images_in"]

Units = Literal["linear", "db", "amplitude"]

_IMAGES: Final = frozenset({".tif", ".tiff", ".jp2", ".img", ".png", ".jpg", ".jpeg", ".vrt"})
_MOST_PIXELS: Final = 1 << 24  # that are looked at before the work begins
_NOTHING_DB: Final = -90.0  # decibels that no radar measures: another way of writing no data


class RadarImage:
    """An image, open. What its numbers are is found out from up to sixteen million of them, evenly spread.

    Args:
        source: of the image.
        settings: its bands and units.

    Attributes:
        name: of the file, without its suffix.
        reader: of the file.
        units: what the pixels are.
        guessed: whether that was found out, and not declared.
        looks: equivalent number of looks by band, median over blocks of 25 × 25 pixels; infinite without speckle,
            that of Sentinel-1 where no block is filled well enough to tell.

    Raises:
        InvalidSetting: the units do not fit the numbers.
        NoValidPixels: there is nothing in the image.
        The errors of `open_image`.
    """

    def __init__(self, source: str | Path, settings: DespeckleSettings) -> None:
        self.name = Path(source).name.split(".")[0] or "image"
        self.reader = open_image(source, bands=settings.bands or None)
        try:
            self.units, self.guessed = self._units_of(settings)
            self.looks = self._surveyed()
        except BaseException:
            self.reader.close()
            raise

    def power(self, window: Window) -> NDArray[np.float32]:
        """Linear power of a window inside the image, ``(bands, rows, columns)``; NaN where there is no data.

        Raises:
            InvalidSetting: a value is below 0 that should be power.
        """
        raster = self.reader.read(window)
        planes = []
        for values, scale, offset in zip(raster.pixels, self.reader.scale, self.reader.offset, strict=True):
            numbers = _scaled(values, scale, offset)
            known = raster.valid & np.isfinite(numbers)
            if self.units == "db":
                known &= numbers > _NOTHING_DB
                numbers = decibels_to_linear(np.where(known, numbers, 0))
            else:
                if bool((numbers[known] < 0).any()):
                    raise self._below_zero(float(numbers[known].min()))
                known &= numbers > 0  # borders of Sentinel-1 GRD are 0
                numbers = np.square(numbers) if self.units == "amplitude" else numbers
            planes.append(np.where(known, numbers, np.float32(np.nan)))
        return np.stack(planes)

    def from_power(self, power: NDArray[np.float32], wanted: str) -> NDArray[np.float32]:
        """The values of a product in the units that are wanted ("same", "linear", "db")."""
        units = self.units if wanted == "same" else wanted
        if units == "db":
            return linear_to_decibels(power)
        return np.sqrt(power) if units == "amplitude" else power

    def strips(self, rows: int) -> Iterator[Window]:
        """The image from top to bottom."""
        return self.reader.grid.window.strips(rows)

    def _units_of(self, settings: DespeckleSettings) -> tuple[Units, bool]:
        """What the pixels are, and whether that had to be found out."""
        if settings.units == "amplitude":
            return "amplitude", False
        integers = np.issubdtype(self.reader.dtype, np.integer) and set(self.reader.scale) == {1.0}
        lowest = min((low for window in self._sample() if (low := self._lowest(window)) is not None), default=None)
        if settings.units == "linear" and lowest is not None and lowest < 0:
            raise self._below_zero(lowest)
        if settings.units == "db" and lowest is not None and lowest >= 0:
            raise InvalidSetting(
                f"{self.name} is declared to hold decibels, and no value is below 0",
                found=f"{lowest:.3g} and above",
                cure="Declare it as what it is: --units linear.",
            )
        if settings.units != "auto":
            return settings.units, False
        if lowest is not None and lowest < 0:
            return "db", True
        return ("amplitude", True) if integers else ("linear", True)

    def _lowest(self, window: Window) -> float | None:
        """The lowest number of a window that means something."""
        raster = self.reader.read(window)
        found = []
        for values, scale, offset in zip(raster.pixels, self.reader.scale, self.reader.offset, strict=True):
            numbers = _scaled(values[raster.valid], scale, offset)
            numbers = numbers[np.isfinite(numbers) & (numbers != 0) & (numbers > 10 * _NOTHING_DB)]
            if numbers.size:
                found.append(float(numbers.min()))
        return min(found, default=None)

    def _sample(self) -> list[Window]:
        """Rows of blocks, evenly spread over the image."""
        rows = list(self.reader.grid.window.strips(LOOKS_BLOCK))
        step = -(-self.reader.grid.window.size // _MOST_PIXELS)
        return rows[step // 2 :: step] or rows

    def _surveyed(self) -> dict[str, float]:
        """Looks by band."""
        for windows in (self._sample(), list(self.strips(LOOKS_BLOCK))):
            blocks: dict[str, list[NDArray[np.float64]]] = {band: [] for band in self.reader.bands}
            there = False
            for window in windows:
                if window.height < min(LOOKS_BLOCK, self.reader.grid.height):
                    continue  # the last rows are no block
                for band, plane in zip(self.reader.bands, self.power(window), strict=True):
                    known = np.isfinite(plane)
                    there = there or bool(known.any())
                    blocks[band].append(looks_of_blocks(plane, known))
            if there:
                found = {band: median_looks(np.concatenate(parts)) for band, parts in blocks.items()}
                return {band: SENTINEL_1_LOOKS if math.isnan(looks) else looks for band, looks in found.items()}
        raise NoValidPixels(
            f"{self.reader.source} has no data in any pixel",
            cure="Check its no-data value; in radar images a power of 0 means no data too.",
        )

    def _below_zero(self, lowest: float) -> InvalidSetting:
        return InvalidSetting(
            f"{self.reader.source} has values below 0, which power never has",
            found=f"{lowest:.3g}",
            cure="If they are decibels, declare them: --units db; or correct the image's no-data value.",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.close()


def images_in(sources: Sequence[str | Path]) -> list[str]:
    """The images that are meant: files and addresses as they are, and of a folder each raster in it.

    Raises:
        FileMissing: a folder holds no raster, or nothing is given.
    """
    found: list[str] = []
    for source in sources:
        folder = Path(source)
        if not folder.is_dir():
            found.append(str(source))
            continue
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGES and path.is_file())
        # A VRT beside the files that it is made of shows them a second time.
        own = [path for path in files if path.suffix.lower() != ".vrt"] or files
        if not own:
            raise FileMissing(
                f"the folder {folder} holds no raster",
                expected=f"files ending in {', '.join(sorted(_IMAGES))}",
                cure="Name the folder that holds the images themselves.",
            )
        found += map(str, own)
    if not found:
        raise FileMissing("no image was given", cure="Name an image, several, or a folder.")
    return found


def _scaled(values: NDArray[np.generic], scale: float, offset: float) -> NDArray[np.float32]:
    numbers = values.astype(np.float32)
    return numbers if (scale, offset) == (1.0, 0.0) else numbers * np.float32(scale) + np.float32(offset)
