"""Photographs as their makers held the camera, which stores what fell on its sensor and a note on how to turn it.

The note is read from JPEG by GDAL, and from PNG, WebP and TIFF on this machine by `held`.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling

from arpent.core import Grid, Strip
from arpent.io.cog import CogWriter
from arpent.io.gdal import address_of, environment, is_remote, open_dataset, translated
from arpent.io.held import held
from arpent.io.reader import ImageReader, open_image
from arpent.io.spec import RasterSpec

__all__ = ["orientation", "orientation_in", "turned", "upright"]

_TAG = "EXIF_Orientation"
_HELD = frozenset({"GTiff", "PNG", "WEBP"})
_LYING = 5
"""From this note on, rows of the photograph are columns of the file."""

_STRIP_PIXELS = 1 << 23


def orientation(source: str | PathLike[str]) -> int:
    """The note of a photograph on how it was held, 1 to 8 as EXIF has it; 1, as it is stored, where there is none."""
    name = fspath(source)
    with open_dataset(address_of(name), name) as dataset:
        return orientation_in(dataset, name)


def orientation_in(dataset: Any, name: str) -> int:  # noqa: ANN401 - untyped
    """The note of a photograph that is open."""
    text = dataset.tags().get(_TAG, "").strip()
    if text in {"1", "2", "3", "4", "5", "6", "7", "8"}:
        return int(text)
    return held(Path(name)) if dataset.driver in _HELD and Path(name).is_file() else 1


def upright(source: str | PathLike[str], destination: Path, *, size: tuple[int, int] | None = None) -> Path:
    """Writes a photograph as it was held, in memory that does not grow with it unless it is resized.

    Args:
        source: of the photograph.
        destination: a GeoTIFF; its bands are those of the photograph, less alpha. Where that is transparent there is no
            data, which is then 0; black that counts becomes 1.
        size: height and width that it is brought to, upright; its own if not given.
    """
    turn = orientation(source)
    with open_image(source) as image:
        grid = _grid(image, turn, size)
        masked = _has_mask(source)
        spec = RasterSpec(grid, image.bands, str(image.dtype), 0 if masked else None)
        with CogWriter(destination, spec) as writer:
            for strip in _resized(source, image, turn, grid) if size is not None else _strips(image, turn, grid):
                writer.write(strip)
    return destination


def _grid(image: ImageReader, turn: int, size: tuple[int, int] | None) -> Grid:
    height, width = image.grid.shape[::-1] if turn >= _LYING else image.grid.shape
    return Grid(*(size or (height, width)))


def _has_mask(source: str | PathLike[str]) -> bool:
    name = fspath(source)
    with open_dataset(address_of(name), name) as dataset:
        return ColorInterp.alpha in dataset.colorinterp or dataset.nodata is not None


def _strips(image: ImageReader, turn: int, grid: Grid) -> Iterator[Strip]:
    """The rows of the upright picture, from those (or the columns) of the stored one."""
    height, width = image.grid.shape
    for window in grid.window.strips(max(1, _STRIP_PIXELS // grid.width)):
        first, end = window.row, window.row_end
        if turn in (3, 4):
            first, end = height - end, height - first
        elif turn in (7, 8):
            first, end = width - end, width - first
        stored = image.grid.window
        if turn >= _LYING:
            stored = type(stored).between(0, first, height, end)
        else:
            stored = type(stored).between(first, 0, end, width)
        raster = image.read(stored)
        yield Strip(window.row, turned(_marked(raster.pixels, raster.valid), turn))


def _resized(source: str | PathLike[str], image: ImageReader, turn: int, grid: Grid) -> Iterator[Strip]:
    """The whole picture in another size, as one strip."""
    height, width = grid.shape[::-1] if turn >= _LYING else grid.shape
    name = fspath(source)
    remote = is_remote(name)
    with open_dataset(address_of(name), name) as dataset, environment(remote=remote), translated(name, remote=remote):
        bands = [n for n, role in enumerate(dataset.colorinterp, start=1) if role is not ColorInterp.alpha]
        shape = (len(image.bands), height, width)
        pixels = dataset.read(bands[: len(image.bands)], out_shape=shape, resampling=Resampling.cubic)
        valid = dataset.dataset_mask(out_shape=(height, width)) > 0
    yield Strip(0, turned(_marked(pixels, valid), turn))


def _marked(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.generic]:
    """Pixels with 0 where they are transparent, and nowhere else; as they are, where none is."""
    if valid.all():
        return pixels
    return np.where(valid, np.maximum(pixels, np.ones((), pixels.dtype)), np.zeros((), pixels.dtype))


def turned(pixels: NDArray[np.generic], turn: int) -> NDArray[np.generic]:
    """Stored pixels ``(bands, h, w)`` as they were seen."""
    if turn >= _LYING:
        pixels = pixels.transpose(0, 2, 1)
    down = turn in (3, 4, 7, 8)
    across = turn in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:, :: -1 if down else 1, :: -1 if across else 1])
