"""The dates of a series, read one by one on the grid of the first, so that memory does not grow with their number."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Contract, Grid, Raster, Window, ground_sampling_distance
from arpent.io import read_ahead
from arpent.models import MISSING
from arpent.pixels import Quality, usable
from arpent.tasks.change.frame_reading import FrameReader, open_first, open_other
from arpent.tasks.change.frames import Frame
from arpent.tasks.change.quality_layers import find_quality, open_quality
from arpent.tasks.change.series_settings import SeriesSettings
from arpent.tiling import pad_by_reflection

__all__ = ["DatePixels", "Features", "SeriesImage", "features_of"]

_MOST_OPEN = 48
"""Dates whose files stay open; of longer series they are opened anew for each tile."""

_IN_MEMORY = 64 << 20
"""Bytes of features that are held before they go to the disk."""


@dataclass(frozen=True)
class DatePixels:
    """One date of a tile.

    Attributes:
        values: ``(bands, h, w)`` float32, normalised, `MISSING` where there is no data; the whole tile.
        hidden: ``(h, w)``; where the ground cannot be seen; beyond the image nothing is hidden.
    """

    values: NDArray[np.float32]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True)
class _Date:
    """An open date: its pixels, and the codes of a window where there is a quality layer."""

    pixels: FrameReader
    codes: Callable[[Window], NDArray[np.uint8]] | None


class SeriesImage(Closing):
    """A series as the engine's image: its grid is that of the first date; the dates are read by whoever encodes them.

    What `read` gives is a mere place: one band of zeros, all valid.

    Attributes:
        frames: the dates, in order.
        source: its name, for people.
        grid: that of the first date.
        bands, gsd, dtype: of the placeholder.
    """

    def __init__(self, frames: Sequence[Frame], name: str, contract: Contract, settings: SeriesSettings) -> None:
        self.frames, self.source = tuple(frames), name
        self._contract, self._settings = contract, settings
        self._opened = ExitStack()
        try:
            self._first = open_first(self.frames[0], contract, settings.sensor)
            self._opened.callback(self._first.close)
            self._wanted = self._wants_quality()
            self._kept = {number: self._open(number, self._opened) for number in range(len(self.frames))[:_MOST_OPEN]}
            # Those that are not kept are opened once all the same, so that what is wrong with them is said at once.
            for number in range(len(self.frames))[_MOST_OPEN:]:
                with ExitStack() as briefly:
                    self._open(number, briefly)
        except BaseException:
            self._opened.close()
            raise
        self.grid: Grid = self._first.grid
        self.gsd = ground_sampling_distance(self.grid)
        self.bands = ("place",)
        self.dtype: np.dtype[np.generic] = np.dtype(np.uint8)

    def _wants_quality(self) -> bool:
        """Whether quality is read: for all dates if for any."""
        return self._settings.quality == "yes" or any(
            find_quality(frame, self._settings.comparing()) for frame in self.frames
        )

    def _open(self, number: int, opened: ExitStack) -> _Date:
        frame = self.frames[number]
        if number == 0:
            pixels = self._first
        else:
            pixels = open_other(frame, self._contract, self._settings.sensor, self._first)
            opened.callback(pixels.close)
        if not self._wanted:
            return _Date(pixels, None)
        layer = open_quality((frame,), self._first.grid, self._settings.comparing(quality="yes"))[0]
        opened.callback(layer.close)
        return _Date(pixels, layer.read)

    def dates(self, window: Window) -> Iterator[DatePixels]:
        """All dates of a tile, in order, read ahead by threads."""
        inside = window.intersect(self.grid.window)
        count = 2 * self._settings.batch_size
        for first in range(0, len(self.frames), _MOST_OPEN):
            numbers = range(first, min(first + _MOST_OPEN, len(self.frames)))
            with ExitStack() as opened:
                open_ones = [self._kept.get(number) or self._open(number, opened) for number in numbers]
                yield from read_ahead(
                    lambda date: self._tile(date, inside, window),
                    open_ones,
                    threads=self._settings.read_threads,
                    ahead=count,
                )

    def _tile(self, date: _Date, inside: Window, window: Window) -> DatePixels:
        seen = date.pixels.read(inside)
        hidden = np.zeros(window.shape, bool)
        if date.codes is not None:
            codes = date.codes(inside)
            # Fill in the layer is no cloud: what has no data says so itself.
            hidden[: inside.height, : inside.width] = ~usable(codes, self._settings.exclude) & (codes != Quality.FILL)
        values = pad_by_reflection(seen.values, inside, window)
        for beyond in (values[:, inside.height :], values[:, : inside.height, inside.width :]):
            beyond[beyond == np.float32(MISSING)] = 0  # a hole is not mirrored
        return DatePixels(values, hidden)

    def read(self, window: Window) -> Raster:
        """A place."""
        return Raster(
            np.zeros((1, *window.shape), np.uint8), np.ones(window.shape, bool), self.grid.crop(window), self.bands
        )

    def close(self) -> None:
        """Close every file."""
        self._opened.close()


@contextmanager
def features_of(shape: tuple[int, int, int], folder: Path) -> Iterator[Features]:
    """Room for the features of all dates of a tile; on the disk when they are many.

    Args:
        shape: dates, places, dimensions.
        folder: for the file that holds them.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder), prefix="features-") as file:
        yield Features(file, shape)


class Features:
    """The features of all dates of a tile, in a file; made by `features_of`."""

    def __init__(self, file: IO[bytes], shape: tuple[int, int, int]) -> None:
        self._file = file
        self._dates, self._places, self._width = shape
        self._next = 0

    def add(self, features: NDArray[np.float32]) -> None:
        """The next date: ``(places, dimensions)`` of unit length, kept as halves."""
        self._file.seek(self._next * self._size)
        self._file.write(features.astype(np.float16).tobytes())
        self._next += 1

    @property
    def _size(self) -> int:
        return self._places * self._width * 2

    def part(self, first: int, end: int) -> NDArray[np.float32]:
        """Some places at all dates, ``(end - first, dates, dimensions)``."""
        count = end - first
        found = np.empty((self._dates, count, self._width), np.float32)
        for date in range(self._dates):
            self._file.seek(date * self._size + first * self._width * 2)
            raw = self._file.read(count * self._width * 2)
            found[date] = np.frombuffer(raw, np.float16).reshape(count, self._width)
        return np.ascontiguousarray(found.transpose(1, 0, 2))
