"""Many rasters on one grid: only those that touch a window are open, and never more than a few at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Grid, Window
from arpent.io import ImageReader, open_image
from arpent.io.place import ResamplingName

__all__ = ["Piece", "Placed", "Rasters"]


@dataclass(frozen=True)
class Placed:
    """A raster and where it lies on the mosaic.

    Attributes:
        source: what `io.open_image` reads.
        window: the pixels of the mosaic that it may reach.
    """

    source: str
    window: Window


@dataclass(frozen=True)
class Piece:
    """What one raster has of a window.

    Attributes:
        index: the raster's number.
        inside: rows and columns of the window that the piece is about.
        values: ``(bands, height, width)``.
        valid: ``(height, width)`` of bool.
    """

    index: int
    inside: tuple[slice, slice]
    values: NDArray[np.generic]
    valid: NDArray[np.bool_]


@dataclass
class _Open:
    """A raster that is open."""

    reader: ImageReader
    users: int = 0
    reading: Lock = field(default_factory=Lock)


class Rasters(Closing):
    """Numbered rasters on the grid of a mosaic, read by windows. Safe to read from several threads.

    Each is opened on its own part of the grid, so that what GDAL keeps for it does not grow with the mosaic.

    Args:
        placed: where each lies, by number.
        grid: of the mosaic.
        resampling: how values between pixels are found.
        limit: rasters that stay open between reads; more are open only while as many threads read.
    """

    def __init__(self, placed: dict[int, Placed], grid: Grid, resampling: ResamplingName, *, limit: int = 128) -> None:
        self._placed = placed
        self._grid = grid
        self._resampling: ResamplingName = resampling
        self._limit = limit
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock = Lock()
        self._numbers = np.array(sorted(placed), np.int64)
        windows = [placed[int(number)].window for number in self._numbers]
        self._corners = np.array([(w.row, w.col, w.row_end, w.col_end) for w in windows], np.int64).reshape(-1, 4)

    def touching(self, window: Window) -> list[int]:
        """The numbers of the rasters that may reach a window, in ascending order."""
        row, col, row_end, col_end = self._corners.T
        hit = (row < window.row_end) & (row_end > window.row) & (col < window.col_end) & (col_end > window.col)
        return [int(number) for number in self._numbers[hit]]

    def read(self, number: int, window: Window) -> Piece | None:
        """What a raster has of a window; None when it does not reach it."""
        if number not in self._placed:
            return None
        own = self._placed[number].window
        inside = window.intersect(own)
        if inside.size == 0:
            return None
        # One thread at a time for each raster: it keeps one file open, and neighbouring windows share what was warped.
        with self._borrowed(number) as entry, entry.reading:
            raster = entry.reader.read(inside.relative_to(own))
        return Piece(number, inside.relative_to(window).slices, raster.pixels, raster.valid)

    @contextmanager
    def _borrowed(self, number: int) -> Iterator[_Open]:
        with self._lock:
            entry = self._open.get(number)
            if entry is None:
                placed = self._placed[number]
                reader = open_image(placed.source, grid=self._grid.crop(placed.window), resampling=self._resampling)
                entry = self._open[number] = _Open(reader)
            self._open.move_to_end(number)
            entry.users += 1
        try:
            yield entry
        finally:
            with self._lock:
                entry.users -= 1
                self._close_idle(self._limit)

    def _close_idle(self, keep: int) -> None:
        """Closes those used longest ago until `keep` are left; those that are being read stay."""
        for number in [number for number, entry in self._open.items() if not entry.users]:
            if len(self._open) <= keep:
                return
            self._open.pop(number).reader.close()

    def close(self) -> None:
        """Closes every file."""
        with self._lock:
            self._close_idle(0)
