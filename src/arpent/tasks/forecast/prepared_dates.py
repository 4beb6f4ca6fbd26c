"""One date of a DATASET, written: its image without speckle, and its mask."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Strip
from arpent.data import Sample
from arpent.errors import DatasetError, NoValidPixels
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.io.header import read_header
from arpent.tasks.forecast.filtering import Cleaner, grain_of, strips_of
from arpent.tasks.forecast.finding import Found
from arpent.tasks.forecast.power import FrameReader
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.radar_numbers import require_few_below
from arpent.tasks.forecast.survey import Surveyed

__all__ = ["DateWriter", "below_in", "writer_of"]

_MARK, _BELOW = "ARPENT_PREPARED", "VALUES_BELOW_0"
_OF_NO_PIXEL = {"past", "future", "patch", "split", "seed", "language"}
_ROWS = 1024  # of a mask that are read at once
_STRIP_BYTES = 64 << 20
_FEWEST_ROWS = 64


@dataclass(frozen=True)
class DateWriter:
    """Writes the dates of one place.

    Attributes:
        home: folder of the place.
        place: with its dates, on its grid.
        cleaner: of speckle.
        classes: of the masks.
        settings: how images and masks are read.
    """

    home: Path
    place: Surveyed
    cleaner: Cleaner
    classes: ClassMap
    settings: PrepareSettings

    def sample(self, found: Found) -> Sample:
        """Writes one date, with its mask, unless it is there."""
        image = self.home / f"image_{found.date}.tif"
        mark = self._mark_of(found)
        if _mark_in(image) != mark:
            self._write_image(image, found, mark)
        mask = None
        if found.mask is not None:
            mask = self.home / f"mask_{found.date}.tif"
            if _mark_in(mask) != mark:
                self._write_mask(mask, found, found.mask, mark)
        return Sample(
            str(image),
            None if mask is None else str(mask),
            name=f"{self.place.name}_{found.date}",
            domain=self.place.name,
            sensor="sentinel-1",
            date=found.date,
            split=found.split,
            attributes=dict(found.covariates),
        )

    def _mark_of(self, found: Found) -> str:
        """What the pixels of a date depend on, as a hash: equal marks, equal pixels."""
        every = self.place.dates if self.settings.filter == "quegan_yu" else (self.place.dates[0], found)
        files = [Path(path) for one in every for path in (*one.images, one.mask or "") if path]
        stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.exists()]
        settings = self.settings.model_dump(mode="json", exclude=_OF_NO_PIXEL)
        told = [settings, self.place.bands, dict(self.cleaner.looks), stats]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()

    def _write_image(self, path: Path, found: Found, mark: str) -> None:
        place, bands = self.place, self.place.bands
        spec = RasterSpec(
            place.grid,
            tuple(band.upper() for band in bands),
            "float32",
            np.nan,
            unit="linear power",
            title=f"{place.name} {found.date}",
            tags=_tags(found, mark) | self.cleaner.tags,
            compression="zstd",
        )
        known = count = below = 0
        with FrameReader(found, self.settings, place.grid, bands) as reader, CogWriter(path, spec) as writer:
            for strip in strips_of(place.grid, len(bands), _STRIP_BYTES, _FEWEST_ROWS):
                piece = self.cleaner.piece(reader, strip)
                known += int(np.count_nonzero(piece.after > reader.darkest))
                count += int(np.count_nonzero(np.isfinite(piece.before)))
                below += piece.below
                writer.write(Strip(piece.row, piece.after))
            if not known:
                raise NoValidPixels(
                    f"{found.name} has no data where the first date of {place.name} has its own",
                    found=f"nothing on {found.date}",
                    cure="Take the image out of the series, or correct its no-data value.",
                )
            require_few_below(found.name, below, count, detected=reader.detected)
            if below:
                writer.tag({_BELOW: str(below)})

    def _write_mask(self, path: Path, found: Found, mask: str, mark: str) -> None:
        grid, classes = self.place.grid, self.classes
        codes = _codes_of(mask, classes, self.settings)
        ids = np.full(257, classes.nodata, np.uint8)
        index = classes.index_of_code(codes)
        ids[:256] = np.where(index >= 0, classes.ids[index], classes.nodata)
        tags = _tags(found, mark)
        spec = RasterSpec(grid, ("class",), "uint8", classes.nodata, classes, "mode", title="Truth", tags=tags)
        seen: set[int] = set()
        known = False
        # Where neither names its place, pixels must coincide; a picture's bounds are those of its mask.
        with open_image(mask) as own:
            straight = own.grid.crs is None and own.grid.shape == grid.shape
        on = None if straight else grid
        with open_image(mask, grid=on, resampling="nearest") as reader, CogWriter(path, spec) as writer:
            for window in grid.window.strips(_ROWS):
                raster = reader.read(window)
                numbers = _numbers(raster.pixels[0], raster.valid)
                seen |= set(np.unique(numbers).tolist())
                strip = ids[numbers]
                known |= bool((strip != classes.nodata).any())
                writer.write(Strip(window.row, strip[None]))
            if not known:
                raise DatasetError(
                    f"{Path(mask).name} has no class of the nomenclature '{classes.name}'",
                    found=f"numbers {', '.join(map(str, sorted(seen - {256})[:8])) or 'of no data alone'}",
                    expected=f"{', '.join(map(str, classes.ids))}, or the numbers of {', '.join(classes.code_lists)}",
                    cure="Say what its numbers are with --mask-codes, or choose another nomenclature with "
                    "'arpent forecast prepare --classes'.",
                )


@contextmanager
def writer_of(
    home: Path, place: Surveyed, looks: Mapping[str, float], classes: ClassMap, settings: PrepareSettings
) -> Iterator[DateWriter]:
    """A writer for the dates of a place.

    Args:
        home: folder of the place.
        place: with its dates, on its grid.
        looks: equivalent number of looks by band; empty where no filter needs it.
        classes: of the masks.
        settings: which filter, and how images are read.
    """
    name, window = settings.filter, settings.window
    if name != "quegan_yu":
        by_band = {band: looks[band] for band in place.bands} if looks else {}
        yield DateWriter(home, place, Cleaner(name, window, by_band, settings.damping), classes, settings)
        return
    dates = [partial(FrameReader, date, settings, place.grid, place.bands) for date in place.dates]
    bands = len(place.bands)
    strips = strips_of(place.grid, 3 * bands, _STRIP_BYTES, _FEWEST_ROWS)
    with grain_of(home / ".grain.partial", dates, bands, strips, window) as grain:
        yield DateWriter(home, place, Cleaner(name, window, grain=grain), classes, settings)


def below_in(image: Path) -> int:
    """How many values of a written date are no data because they are below 0."""
    return int(read_header(str(image), image.name).tags.get(_BELOW, "0"))


def _mark_in(path: Path) -> str | None:
    return read_header(str(path), path.name).tags.get(_MARK) if path.exists() else None


def _tags(found: Found, mark: str) -> dict[str, str]:
    tags = {"ACQUISITIONDATETIME": f"{found.date}T00:00:00Z", "SENSOR": "sentinel-1", _MARK: mark}
    orbit = found.orbit
    if orbit.direction:
        tags["ORBIT_DIRECTION"] = orbit.direction
    if orbit.relative is not None:
        tags["RELATIVE_ORBIT"] = str(orbit.relative)
    if orbit.product:
        tags["PRODUCT_TYPE"] = orbit.product
    return tags


def _numbers(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Class numbers, 256 where there is none."""
    values = np.nan_to_num(pixels.astype(np.float64), nan=-1.0)
    fits = valid & (values >= 0) & (values < 256) & (values == np.rint(values))
    return np.where(fits, values, 256).astype(np.int64)


def _codes_of(mask: str, classes: ClassMap, settings: PrepareSettings) -> str:
    """The list that the numbers of a mask are from: the one asked for, or the one that the file names."""
    if settings.mask_codes is not None:
        return "" if settings.mask_codes == classes.name else settings.mask_codes
    named = read_header(mask, mask).tags.get("NOMENCLATURE", "")
    return named if named in classes.code_lists else ""
