"""A radar image as linear power, whatever its file holds: power, decibels, or amplitudes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Grid, Window
from arpent.errors import FileMissing, NoValidPixels
from arpent.io import open_image
from arpent.io.header import read_header
from arpent.pixels import linear_to_decibels
from arpent.tasks.forecast.despeckle_settings import DespeckleSettings
from arpent.tasks.forecast.echoes import BandAt, Echoes, EchoReader
from arpent.tasks.forecast.measuring import looks_in, spread_rows
from arpent.tasks.forecast.orbits import orbit_of, told_looks
from arpent.tasks.forecast.radar_numbers import Meaning, Numbers, meaning_of, numbers_seen

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
            self.guessed = meaning.detected
            bands = [BandAt(self.reader, place) for place in range(len(self.reader.bands))]
            self._echoes = EchoReader(bands, self.units, str(self.reader.source))
            self.looks = self._surveyed()
            tags = read_header(str(source), self.name).tags
            self.told_looks = told_looks(orbit_of(str(source), tags), str(source), tags)
        except BaseException:
            self.reader.close()
            raise

    @property
    def grid(self) -> Grid:
        """Of the file."""
        return self.reader.grid

    def power(self, window: Window) -> Echoes:
        """Linear power of a window inside the image.

        Raises:
            InvalidSetting: most values are below 0 that should be power.
        """
        return self._echoes.power(window)

    def from_power(self, power: NDArray[np.float32], wanted: str) -> NDArray[np.float32]:
        """The values of a product in the units that are wanted ("same", "linear", "db")."""
        units = self.units if wanted == "same" else wanted
        if units == "db":
            return linear_to_decibels(power)
        return np.sqrt(power) if units == "amplitude" else power

    def _meaning(self, settings: DespeckleSettings) -> Meaning:
        """What the pixels are."""
        whole = np.issubdtype(self.reader.dtype, np.integer) and set(self.reader.scale) == {1.0}
        sample = spread_rows(self.grid, _MOST_PIXELS)
        return meaning_of(self.name, settings.units, numbers_seen(self.reader, sample), whole=whole)

    def _surveyed(self) -> dict[str, float]:
        """Looks by band."""
        found = looks_in(self, self.reader.bands, _MOST_PIXELS)
        if found is None:
            raise NoValidPixels(
                f"{self.reader.source} has no data in any pixel",
                cure="Check its no-data value; in radar images a power of 0 means no data too.",
            )
        return found

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
