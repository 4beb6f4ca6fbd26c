"""A radar image as linear power, whatever its file holds: power, decibels, or amplitudes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Window
from arpent.errors import FileMissing, NoValidPixels
from arpent.io import open_image
from arpent.io.header import read_header
from arpent.pixels import (
    LOOKS_BLOCK,
    SENTINEL_1_LOOKS,
    linear_to_decibels,
    looks_of_blocks,
    median_looks,
)
from arpent.tasks.forecast.despeckle_settings import DespeckleSettings
from arpent.tasks.forecast.orbits import orbit_of, told_looks
from arpent.tasks.forecast.radar_numbers import Meaning, Numbers, as_power, meaning_of, numbers_seen, scaled

__all__ = ["RadarImage", "images_in"]

_IMAGES: Final = frozenset({".tif", ".tiff", ".jp2", ".img", ".png", ".jpg", ".jpeg", ".vrt"})
_MOST_PIXELS: Final = 1 << 24  # that are looked at before the work begins


class RadarImage(Closing):
    """An image, open. What its numbers are is found out from up to sixteen million of them, evenly spread.

    Args:
        source: of the image.
        settings: its bands and units.

    Attributes:
        name: of the file, without its suffix.
        reader: of the file.
        units: what the pixels are.
        guessed: whether that was found out, and not declared.
        below: whether values were seen that are no data because they are below 0.
        looks: equivalent number of looks by band, median over blocks of 25 × 25 pixels; infinite without speckle,
            that of Sentinel-1 where no block is filled well enough to tell.
        told_looks: what the image tells by what it is; None if nothing.

    Raises:
        InvalidSetting: the units do not fit the numbers.
        NoValidPixels: there is nothing in the image.
        The errors of `open_image`.
    """

    def __init__(self, source: str | Path, settings: DespeckleSettings) -> None:
        self.name = Path(source).name.split(".")[0] or "image"
        self.reader = open_image(source, bands=settings.bands or None)
        try:
            meaning = self._meaning(settings)
            self.units: Numbers = meaning.numbers
            self.guessed, self.below = meaning.detected, meaning.below
            self.looks = self._surveyed()
            tags = read_header(str(source), self.name).tags
            self.told_looks = told_looks(orbit_of(str(source), tags), str(source), tags)
        except BaseException:
            self.reader.close()
            raise

    def power(self, window: Window) -> NDArray[np.float32]:
        """Linear power of a window inside the image, ``(bands, rows, columns)``; NaN where there is no data.

        Raises:
            InvalidSetting: most values are below 0 that should be power.
        """
        raster = self.reader.read(window)
        planes = []
        for values, scale, offset in zip(raster.pixels, self.reader.scale, self.reader.offset, strict=True):
            echoes = as_power(scaled(values, scale, offset), raster.valid, self.units, self.reader.source)
            self.below |= echoes.below
            planes.append(echoes.power)
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

    def _meaning(self, settings: DespeckleSettings) -> Meaning:
        """What the pixels are."""
        whole = np.issubdtype(self.reader.dtype, np.integer) and set(self.reader.scale) == {1.0}
        return meaning_of(self.name, settings.units, numbers_seen(self.reader, self._sample()), whole=whole)

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

    def close(self) -> None:
        """Closes the files."""
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
