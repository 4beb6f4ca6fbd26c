"""Tiles of display images: read a block, colour it, send it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.web.layers import Legend
from arpent.web.tiles.canvas import TILE, WORLD, pixel_size
from arpent.web.tiles.colours import Palette, palette_of
from arpent.web.tiles.open_files import OpenFiles, stamp_of
from arpent.web.tiles.png import palette_png, rgba_png

__all__ = ["DEEPEST", "Shelf", "tile_tag"]

DEEPEST: Final = 26
"""The zoom beyond which nobody is answered."""

_FILES = 64
_CACHE_BYTES = 32 << 20
_OVERHEAD = 300  # bytes that Python needs for an entry
_SCALES = (1, 2)


@dataclass(frozen=True, slots=True)
class _Part:
    """The pixels of a display image that a tile shows, on one level of its pyramid.

    Attributes:
        rows, cols: of each pixel of the tile, in pixels of that level; negative or too large where there are none.
        factor: how many pixels of the image one of that level is wide.
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    factor: int


class Shelf:
    """Display images, open, and the tiles that were asked for last. Safe to use from many threads.

    Args:
        limit: files that are open at the same moment.
        cache: bytes of encoded tiles that are kept.
    """

    def __init__(self, limit: int = _FILES, cache: int = _CACHE_BYTES) -> None:
        self._files = OpenFiles(limit)
        self._most = cache
        self._held = 0
        self._cache: OrderedDict[tuple[object, ...], bytes | None] = OrderedDict()
        self._lock = Lock()

    def tile(
        self, path: Path, z: int, x: int, y: int, *, scale: int = 1, palette: Palette | None = None, band: int = 1
    ) -> bytes | None:
        """The PNG of a tile; None where the image has no pixel with data.

        Args:
            path: of a display image.
            z: zoom of the tile.
            x: its column, from the west.
            y: its row, from the north.
            scale: 2 for 512 pixels a side, those of the next zoom.
            palette: colours of the bytes; None for pictures, which have their own.
            band: which one, from 1 on, where the image has several that are no picture.

        Raises:
            InvalidSetting: there is no such tile or band.
            FileMissing, UnreadableFile: the display image is gone or damaged.
        """
        _check(z, x, y, scale)
        key = (path, stamp_of(path), z, x, y, scale, band, palette and palette.digest)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        with self._files.borrow(path) as dataset:
            pixels = _pixels(dataset, z, x, y, scale, _bands(dataset, palette, band, path))
        made = _encoded(pixels, palette)
        self._keep(key, made)
        return made

    @property
    def held(self) -> int:
        """Bytes that the tiles that are kept take."""
        return self._held

    def _keep(self, key: tuple[object, ...], made: bytes | None) -> None:
        size = len(made or b"") + _OVERHEAD
        with self._lock:
            if key in self._cache or size > self._most:
                return
            self._cache[key] = made
            self._held += size
            while self._held > self._most:
                _, old = self._cache.popitem(last=False)
                self._held -= len(old or b"") + _OVERHEAD

    def close(self) -> None:
        """Closes every file and forgets every tile."""
        self._files.close()
        with self._lock:
            self._cache.clear()
            self._held = 0


def tile_tag(digest: str, palette: Palette | None, *address: int) -> str:
    """An entity tag: it changes with the pixels and with the style, and with nothing else.

    Args:
        digest: of the display image.
        palette: its colours.
        address: zoom, column, row, scale and band of the tile.
    """
    style = palette.digest if palette is not None else "own"
    return f'"{digest[:16]}-{style}-{"-".join(map(str, address))}"'


def _check(z: int, x: int, y: int, scale: int) -> None:
    if not 0 <= z <= DEEPEST or not 0 <= x < 1 << z or not 0 <= y < 1 << z or scale not in _SCALES:
        raise InvalidSetting(
            f"there is no tile {z}/{x}/{y} of scale {scale}",
            expected=f"a zoom up to {DEEPEST}, a column and a row below 2 to its power, and a scale of 1 or 2",
            cure="Ask for another tile.",
        )


def _bands(dataset: rasterio.DatasetReader, palette: Palette | None, band: int, path: Path) -> list[int]:
    if palette is None:
        return list(dataset.indexes)[:3]
    if not 1 <= band <= dataset.count:
        raise InvalidSetting(
            f"{path.name} has no band {band}", expected=f"1 to {dataset.count}", cure="Ask for another band."
        )
    return [band]


def _encoded(pixels: NDArray[np.uint8] | None, palette: Palette | None) -> bytes | None:
    if pixels is None or not pixels.any():
        return None
    if palette is not None or len(pixels) < 3:
        return palette_png(pixels[0], (palette or palette_of(Legend())).chunks)
    alpha = np.where(pixels.any(axis=0), np.uint8(255), np.uint8(0))
    return rgba_png(np.dstack([*pixels, alpha]))


def _pixels(
    dataset: rasterio.DatasetReader, z: int, x: int, y: int, scale: int, bands: list[int]
) -> NDArray[np.uint8] | None:
    """The bytes of a tile ``(bands, side, side)``, whole blocks wherever there are; None outside the image."""
    zoom = round(np.log2(pixel_size(0) / dataset.transform.a))
    deeper = zoom - z - (scale - 1)  # how many times a pixel of the tile holds one of the image along a side, as power
    level = min(max(deeper, 0), len(dataset.overviews(1)))
    side, factor = TILE * scale, 1 << level
    size = pixel_size(zoom)
    first_col, first_row = round((dataset.transform.c + WORLD) / size), round((WORLD - dataset.transform.f) / size)
    across = (TILE << zoom) // factor
    made: NDArray[np.uint8] | None = None
    # An image across the antimeridian runs on beyond the world: its tiles there are those at the other end.
    for turn in (0, across):
        rows = _places(y, side, deeper - level) - first_row // factor
        cols = _places(x, side, deeper - level) - first_col // factor + turn
        found = _read(dataset, _Part(rows, cols, factor), bands)
        if found is not None:
            made = found if made is None else np.where(made > 0, made, found)
    return made


def _places(tile: int, side: int, deeper: int) -> NDArray[np.int64]:
    """The columns (or rows) of a level that the pixels of a tile show, the middle one where a pixel shows several."""
    at = np.arange(tile * side, (tile + 1) * side, dtype=np.int64)
    if deeper <= 0:
        return at >> -deeper
    return (at << deeper) + (1 << (deeper - 1))


def _read(dataset: rasterio.DatasetReader, part: _Part, bands: list[int]) -> NDArray[np.uint8] | None:
    """The pixels of a part ``(bands, rows, columns)``, 0 outside the image; None when all of them are outside."""
    height, width = dataset.height // part.factor, dataset.width // part.factor
    (row, row_end), (col, col_end) = ((int(at[0]), int(at[-1]) + 1) for at in (part.rows, part.cols))
    there = Window.between(row, col, row_end, col_end).intersect(Window(0, 0, height, width))
    if there.size == 0:
        return None
    window = RasterWindow(*(part.factor * number for number in (there.col, there.row, there.width, there.height)))
    found: NDArray[np.uint8] = dataset.read(bands, window=window, out_shape=(len(bands), *there.shape))
    if there.shape == (len(part.rows), len(part.cols)):
        return found
    made = np.zeros((len(bands), len(part.rows), len(part.cols)), np.uint8)
    inside_rows = (part.rows >= there.row) & (part.rows < there.row_end)
    inside_cols = (part.cols >= there.col) & (part.cols < there.col_end)
    rows, cols = part.rows[inside_rows] - there.row, part.cols[inside_cols] - there.col
    made[:, np.flatnonzero(inside_rows)[:, None], np.flatnonzero(inside_cols)] = found[:, rows[:, None], cols]
    return made
