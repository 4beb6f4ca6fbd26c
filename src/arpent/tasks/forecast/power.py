"""One date of a series as linear power on a grid, whatever its files hold: power, decibels, or a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from pyproj.exceptions import CRSError

from arpent.core import Closing, Grid, Window, sensor
from arpent.errors import BandMismatch, GeoreferenceMissing, InvalidSetting, NoOverlap
from arpent.io import ImageReader, open_image
from arpent.tasks.forecast.echoes import HALF_STEP, BandAt, Echoes, EchoReader
from arpent.tasks.forecast.finding import Found
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.radar_numbers import Meaning, Numbers, Seen, meaning_of, numbers_seen

__all__ = ["POLARISATIONS", "FrameReader", "placed_grid"]

POLARISATIONS = ("vv", "vh")

_WORD = re.compile(r"(?:^|[_\W])(vv|vh)(?:[_\W]|$)", re.IGNORECASE)
_SAMPLE = 512  # pixels on a side of the windows that are looked at to find out what the numbers are


@dataclass(frozen=True)
class _Band:
    """A band of one of the files, and whether its polarisation is a guess."""

    at: BandAt
    assumed: bool


class FrameReader(Closing):
    """A date, open, to be read by windows.

    Args:
        found: the date.
        settings: units, and the place of pictures.
        grid: to read on; the date's own where None.
        wanted: polarisations to read; all there are where None.

    Attributes:
        found: the date.
        grid: the pixels that windows are counted in.
        numbers: what the pixels of the files are.
        detected: whether that was found out, and not declared.
        bands: polarisations there are, in the order of `POLARISATIONS`.
        assumed: whether their names are a guess.
        moved: whether the files lie on another grid.
        darkest: power up to which an image shows nothing; one that has no more anywhere has no data.

    Raises:
        BandMismatch: neither VV nor VH can be made out.
        InvalidSetting: most values are below 0 and declared linear, or hardly any among declared decibels.
        GeoreferenceMissing: a grid of the earth is asked for, and the files name no place on it.
        NoOverlap: the files do not reach the grid.
    """

    def __init__(
        self,
        found: Found,
        settings: PrepareSettings,
        grid: Grid | None = None,
        wanted: Sequence[str] | None = None,
    ) -> None:
        self.found = found
        self._opened = ExitStack()
        try:
            self._open(settings, grid, wanted)
        except BaseException:
            self._opened.close()
            raise

    def _open(self, settings: PrepareSettings, grid: Grid | None, wanted: Sequence[str] | None) -> None:
        own = [self._opened.enter_context(open_image(path)) for path in self.found.images]
        meaning = _meaning_of(own, settings, self.found)
        self.numbers: Numbers = meaning.numbers
        self.detected = meaning.detected
        placed = placed_grid(own[0].grid, settings, self.found.name)
        self.grid = grid or placed
        self.moved = not placed.matches(self.grid)
        readers = own
        if self.moved:
            if self.grid.crs is None or placed.crs is None or own[0].grid.crs is None:
                raise _cannot_be_laid(self.found, placed, self.grid)
            # Between decibels there is no mean; the nearest pixel keeps the speckle as it is, too.
            method: Literal["nearest", "bilinear"] = "bilinear" if self.numbers == "linear" else "nearest"
            try:
                readers = [
                    self._opened.enter_context(open_image(path, grid=self.grid, resampling=method))
                    for path in self.found.images
                ]
            except NoOverlap as apart:
                raise NoOverlap(
                    f"{self.found.name} shares no ground with the first date of {self.found.place}",
                    found=apart.found,
                    expected=apart.expected,
                    cure="Check that all images show the same place, or put each place into a folder of its own.",
                ) from apart
        elif any(reader.grid.shape != own[0].grid.shape for reader in own):
            raise _cannot_be_laid(self.found, own[-1].grid, own[0].grid)
        there = _bands_of(readers, self.found)
        self.bands = tuple(name for name in POLARISATIONS if name in there)
        self.assumed = any(band.assumed for band in there.values())
        dark = self.numbers == "amplitude" and all(reader.dtype == np.uint8 for reader in own)
        self.darkest = 1.001 * (HALF_STEP / 255) ** 2 if dark else 0.0
        read = [there[name].at for name in (self.bands if wanted is None else wanted)]
        self._echoes = EchoReader(read, self.numbers, self.found.name, full_scale=True)

    def power(self, window: Window) -> Echoes:
        """Of a window that lies inside the grid."""
        return self._echoes.power(window)

    def close(self) -> None:
        """Close every file."""
        self._opened.close()


def placed_grid(grid: Grid, settings: PrepareSettings, name: str) -> Grid:
    """The grid of an image; of a picture without georeference, where the bounds put it.

    Raises:
        InvalidSetting: bounds are given for an image that knows its place, or their reference system is none.
    """
    if settings.bounds is None:
        return grid
    if grid.crs is not None:
        raise InvalidSetting(
            f"{name} knows its place on earth already",
            found=grid.crs_name,
            cure="Leave --bounds out: they are for pictures without georeference.",
        )
    west, south, east, north = settings.bounds
    try:
        crs = CRS(settings.crs)
    except CRSError as problem:
        raise InvalidSetting(
            f"'{settings.crs}' is no reference system", cure="Give a code such as EPSG:4326 or EPSG:32628."
        ) from problem
    step_x, step_y = (east - west) / grid.width, (north - south) / grid.height
    return Grid(grid.height, grid.width, Affine(step_x, 0.0, west, 0.0, -step_y, north), crs)


def _meaning_of(readers: Sequence[ImageReader], settings: PrepareSettings, found: Found) -> Meaning:
    """What the pixels are."""
    whole = all(np.issubdtype(reader.dtype, np.integer) and reader.scale[0] == 1.0 for reader in readers)
    seen = sum((numbers_seen(reader, reader.grid.window.middle_and_corners(_SAMPLE)) for reader in readers), Seen())
    return meaning_of(found.name, settings.units, seen, whole=whole)


def _cannot_be_laid(found: Found, grid: Grid, other: Grid) -> GeoreferenceMissing:
    return GeoreferenceMissing(
        f"{found.name} cannot be laid over the other images of {found.place}: pixels differ, and a place is missing",
        found=f"{grid.width} × {grid.height} and {other.width} × {other.height} pixels",
        cure="Give pictures of one size, with --bounds and --crs for their place, or georeferenced images.",
    )


def _bands_of(readers: Sequence[ImageReader], found: Found) -> dict[str, _Band]:
    """Where each polarisation is."""
    bands: dict[str, _Band] = {}
    for path, reader in zip(found.images, readers, strict=True):
        for name, band in _named(Path(path), reader).items():
            if name in bands:
                raise BandMismatch(
                    f"{found.place} has {name.upper()} twice on {found.date}",
                    found=", ".join(Path(one).name for one in found.images),
                    cure="Keep one of the files.",
                )
            bands[name] = band
    if not bands:
        raise BandMismatch(
            f"{found.name} does not tell which of its bands is VV or VH",
            found=", ".join(readers[0].bands),
            expected="bands called VV and VH, one band, or two in this order",
            cure="Write the names into the file, or keep these bands alone.",
        )
    return bands


def _named(path: Path, reader: ImageReader) -> dict[str, _Band]:
    named: dict[str, _Band] = {}
    for place, name in enumerate(reader.bands):
        known = next((p for p in POLARISATIONS if sensor("sentinel-1").band(p).answers_to(name)), None)
        word = _WORD.search(name)
        polarisation = known or (word[1].casefold() if word else None)
        if polarisation is not None:
            named.setdefault(polarisation, _Band(BandAt(reader, place), assumed=False))
    if named:
        return named
    word = _WORD.search(path.stem)
    if len(reader.bands) == 1 or _is_grey(reader):
        return {word[1].casefold() if word else "vv": _Band(BandAt(reader, 0), assumed=word is None)}
    if len(reader.bands) == len(POLARISATIONS):
        return {name: _Band(BandAt(reader, place), assumed=True) for place, name in enumerate(POLARISATIONS)}
    return {}


def _is_grey(reader: ImageReader) -> bool:
    """Whether it is a picture whose three bands are one and the same."""
    if len(reader.bands) != 3 or reader.dtype != np.uint8:
        return False
    grid = reader.grid
    window = Window(grid.height // 2, grid.width // 2, _SAMPLE, _SAMPLE).intersect(grid.window)
    pixels = reader.read(window).pixels
    return bool((pixels == pixels[:1]).all())
