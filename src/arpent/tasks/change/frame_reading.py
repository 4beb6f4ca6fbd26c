"""One date on the grid of the first: its bands in the order of the model, normalised, with its own no-data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Contract, Grid, Language, Raster, Window, band_count
from arpent.data import WHOLE_WORLD, Normaliser, Statistics, glances
from arpent.engine import far_from_training
from arpent.errors import BandMismatch, ContractMismatch, GeoreferenceMissing, NoOverlap
from arpent.io import ImageReader, open_image
from arpent.models import MISSING
from arpent.tasks.change.frames import Frame

__all__ = ["FramePixels", "FrameReader", "open_first", "open_other"]

_SAME_UNITS = ("int16", "uint16", "int32", "uint32", "float32", "float64")
"""Types in which the same numbers are kept, as reflectance × 10,000; bytes have a scale of their own."""
_SAMPLE = 256  # pixels of a side of each sample
_STRANGE = 0.01  # of the sampled numbers: beyond, the image is kept in other units than those of training
_MIDDLE = (5.0, 95.0)  # percentiles: what lies beyond, as clouds that nobody has marked, says nothing of an image
_NO_NUMBER = 1e30
"""From this size on, numbers are no data: the utmost floats, infinities, what resampling makes of both."""


@dataclass(frozen=True)
class FramePixels:
    """A window of one date.

    Attributes:
        values: ``(bands, h, w)`` float32, normalised; `MISSING` where there is no data.
        missing: ``(bands, h, w)``; where that is.
    """

    values: NDArray[np.float32]
    missing: NDArray[np.bool_]


class FrameReader:
    """Reads windows of one date.

    Args:
        frame: what it is.
        reader: open on the grid of the first date, with the bands of the model.
        contract: says how numbers are normalised, and which number meant no data in training.
        order: see below.

    Attributes:
        frame: see above.
        order: for each band of the model, its place among those bands in the file.
        names: how the file calls the bands of the model, in the model's order.
        dtype: of the file's pixels.
        nodata: the number that means no data in the file, or did in training; None where neither says.
        clipped: whether numbers that the type of training cannot hold were met so far, and brought to its range.
    """

    def __init__(self, frame: Frame, reader: ImageReader, contract: Contract, order: tuple[int, ...]) -> None:
        self.frame = frame
        self.order = order
        self.names = reader.bands
        self._bands = contract.band_names
        self.dtype: np.dtype[np.generic] = reader.dtype
        self.nodata = reader.nodata if reader.nodata is not None else contract.nodata
        self._reader = reader
        self._normaliser = Normaliser(contract.normalisation) if contract.normalisation else None
        self.clipped = False
        self._limits = _limits(contract, self.dtype)
        self._empty = {number for number in (reader.nodata, contract.nodata) if number is not None}

    @property
    def grid(self) -> Grid:
        """The grid that it is read on."""
        return self._reader.grid

    @property
    def covered(self) -> Window:
        """The part of that grid where it may have data."""
        return self._reader.covered

    def read(self, window: Window) -> FramePixels:
        """The window, normalised."""
        raster = self._reader.read(window)
        missing = self._missing(raster)
        values = self._normalised(self._within_limits(raster.pixels, missing))
        values[missing] = MISSING
        return FramePixels(values, missing)

    def _missing(self, raster: Raster) -> NDArray[np.bool_]:
        pixels = raster.pixels
        missing = np.zeros(pixels.shape, bool)
        if pixels.dtype.kind == "f":
            np.logical_not(_is_number(pixels), out=missing)
        for number in self._empty:
            if pixels.dtype.kind == "f" or _fits(number, pixels.dtype):
                missing |= pixels == pixels.dtype.type(number)
        # A mask, or the end of the file, says nothing of single bands: then all are missing.
        missing |= ~raster.valid & ~missing.any(axis=0)
        return missing

    def _within_limits(self, pixels: NDArray[np.generic], missing: NDArray[np.bool_]) -> NDArray[np.generic]:
        """The pixels in the range that the type of training has; where there is no data, anything."""
        if self._limits is None:
            return pixels
        inside: NDArray[np.generic] = np.clip(pixels, *self._limits)
        # Threads may meet them at once, which changes nothing.
        self.clipped = self.clipped or bool(((inside != pixels) & ~missing).any())
        return inside

    def warning(
        self, part: Window, clear: Callable[[Window], NDArray[np.bool_]], model: str, language: Language
    ) -> str | None:
        """What to say of an image whose radiometry is far from that of training, by a sample of a window; or None.

        Args:
            part: that is compared.
            clear: which pixels of a window count.
            model: its name; empty for what its statistics are called.
            language: of the warning.
        """
        if self._normaliser is None:
            return None
        seen = Statistics(self._bands, self.dtype)
        for window in glances(part):
            raster = self._reader.read(window)
            seen.update(raster.pixels, np.logical_not(self._missing(raster).any(axis=0)) & clear(window))
        if not seen.count.all():
            return None
        rule = self._normaliser.rule
        named = rule.model_copy(update={"origin": model or rule.origin})
        middle = seen.within(*_MIDDLE)
        return far_from_training(middle, named, self.frame.image, language, WHOLE_WORLD, trimmed=True)

    def _normalised(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        if self._normaliser is None:
            return pixels.astype(np.float32)
        return self._normaliser(pixels)

    def restored(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised bands ``(bands, h, w)`` in the units and the order of the file."""
        plain = values if self._normaliser is None else self._normaliser.inverse(values)
        return np.asarray(plain[np.argsort(self.order)], np.float32)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _is_number(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where floats are data, as far as they can tell."""
    return np.asarray(np.abs(pixels) < _NO_NUMBER, np.bool_)  # NaN is not either


def _limits(contract: Contract, dtype: np.dtype[np.generic]) -> tuple[int, int] | None:
    """The range of the type of training, in numbers that `dtype` has; None where the file cannot leave it."""
    if contract.dtype not in ("int16", "uint16") or str(dtype) == contract.dtype or str(dtype) not in _SAME_UNITS:
        return None
    of_training = np.iinfo(contract.dtype)
    if dtype.kind == "f":
        return of_training.min, of_training.max
    of_file = np.iinfo(str(dtype))
    return max(of_training.min, of_file.min), min(of_training.max, of_file.max)


def _fits(number: float, dtype: np.dtype[np.generic]) -> bool:
    if not np.isfinite(number) or number != int(number):
        return False
    limits = np.iinfo(str(dtype))
    return bool(limits.min <= number <= limits.max)


def open_first(frame: Frame, contract: Contract, sensor: str | None) -> FrameReader:
    """The first date, on its own grid.

    Raises:
        ContractMismatch: the image does not fit the model.
    """
    reader, order = _with_bands(frame, contract, sensor, None)
    _check(reader, contract, reader.gsd)
    return FrameReader(frame, reader, contract, order)


def open_other(frame: Frame, contract: Contract, sensor: str | None, first: FrameReader) -> FrameReader:
    """Another date, on the grid of the first: as it is where pixels coincide, by cubic resampling elsewhere.

    Raises:
        GeoreferenceMissing: one of the two names no place on earth, or neither does and their sizes differ.
        NoOverlap: they share no ground.
        ContractMismatch: the image does not fit the model.
    """
    plain, order = _with_bands(frame, contract, sensor, None)
    grid = first.grid
    # Its own resolution does not matter: it is brought to that of the first.
    _check(plain, contract, None)
    if plain.grid.crs is None and grid.crs is None:
        if plain.grid.shape != grid.shape:
            plain.close()
            raise GeoreferenceMissing(
                f"{first.frame.image} and {frame.image} cannot be laid over each other: "
                "they name no place on earth, and differ in size",
                found=f"{grid.width} × {grid.height} and {plain.grid.width} × {plain.grid.height}",
                cure="Give pictures of one size, or georeference both.",
            )
        return FrameReader(frame, plain, contract, order)
    plain.close()
    for one, where in ((first.frame, grid), (frame, plain.grid)):
        where.require_crs(one.image)
    try:
        reader, order = _with_bands(frame, contract, sensor, grid)
    except NoOverlap as apart:
        raise NoOverlap(
            f"{first.frame.image} and {frame.image} share no ground",
            found=apart.found,
            expected=apart.expected,
            cure="Check that both images show the same place.",
        ) from apart
    return FrameReader(frame, reader, contract, order)


def _with_bands(
    frame: Frame, contract: Contract, sensor: str | None, grid: Grid | None
) -> tuple[ImageReader, tuple[int, ...]]:
    """The image with the model's bands, and the order in which the file has them.

    Bands are found by name. Files that do not name theirs have the model's, in its order, if the number is right.
    """
    with open_image(frame.image, sensor=sensor) as plain:
        names = plain.bands
    nameless = all(name == f"band_{place}" for place, name in enumerate(names, start=1))
    wanted = [_name_of(band_number, contract, names) for band_number in range(len(contract.bands))]
    if nameless and len(names) == len(contract.bands):
        wanted = list(names)
    elif nameless:
        raise BandMismatch(
            f"{frame.image} does not name its bands, and has not as many as the model takes",
            found=band_count(len(names)),
            expected=f"{len(contract.bands)}: {', '.join(contract.band_names)}",
            cure="Give an image with these bands, or write their names into the file.",
        )
    reader = open_image(frame.image, bands=wanted, sensor=sensor, grid=grid, resampling="cubic")
    places = [names.index(name) if name in names else len(names) for name in wanted]
    order = tuple(int(place) for place in np.argsort(np.argsort(places, kind="stable"), kind="stable"))
    return reader, order


def _name_of(number: int, contract: Contract, names: tuple[str, ...]) -> str:
    """How the file calls a band of the model; the model's own name where the file does not."""
    band = contract.bands[number]
    return next((name for name in names if band.answers_to(name)), band.name)


def _check(reader: ImageReader, contract: Contract, gsd: float | None) -> None:
    dtype, strange = str(reader.dtype), None
    if contract.dtype in ("int16", "uint16") and dtype in _SAME_UNITS and dtype != contract.dtype:
        strange = _strange(reader, contract)
        dtype = dtype if strange is not None else contract.dtype
    reasons = contract.differences(contract.band_names, gsd, dtype)
    if strange is not None:
        reasons[-1] += f", which holds no {strange:g}"
    if reasons:
        reader.close()
        raise ContractMismatch(
            f"{reader.source} does not fit the model: {'; '.join(reasons)}",
            cure="Use images like those of training, or a model made for these.",
        )


def _strange(reader: ImageReader, contract: Contract) -> float | None:
    """A number that the type of training cannot hold, if many in the middle and at the corners of the image are so.

    None if they are few: the units are then taken to be those of training. Zeros, which all units share, do not count.
    """
    assert contract.dtype is not None
    limits = np.iinfo(contract.dtype)
    seen, strange, first = 0, 0, None
    for window in reader.grid.window.middle_and_corners(_SAMPLE):
        values = _known(reader.read(window), reader, contract)
        odd = values[(values != np.rint(values)) | (values < limits.min) | (values > limits.max)]
        seen, strange = seen + int(np.count_nonzero(values)), strange + odd.size
        first = float(odd[0]) if first is None and odd.size else first
    return first if strange > _STRANGE * seen else None


def _known(raster: Raster, reader: ImageReader, contract: Contract) -> NDArray[np.float64]:
    """The numbers that are data."""
    values = raster.pixels[:, raster.valid].astype(np.float64)
    empty = [number for number in (reader.nodata, contract.nodata) if number is not None]
    return values[_is_number(values) & ~np.isin(values, empty)]
