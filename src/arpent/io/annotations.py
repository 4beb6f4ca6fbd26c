"""Outlines that people have drawn, read by windows as if they were a mask on the image's own pixels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from arpent.core import Closing, Grid, Raster, Window
from arpent.errors import DatasetError
from arpent.io.gdal import placeless
from arpent.io.named_shapes import VECTOR_FILES, read_named_shapes

__all__ = ["ANNOTATION_FILES", "AnnotationReader", "Legend", "in_pixels", "open_annotations"]

ANNOTATION_FILES = VECTOR_FILES
"""Endings of the files that hold outlines and not pixels."""

_OWN_FIELD = "numero"
_STEPS = 64  # parts in which a line as long as the image is followed into another reference system
_MOST_STEPS = 1 << 16  # parts of any line: outlines may be far larger than the image, by mistake or by malice
_UNITS = 1 << 16  # parts of a pixel that corners are kept to, so that windows round as the whole does
_ENDLESS = 1e100  # lengths whose squares are too large for GEOS; no place is meant
_FAR = 1e9  # pixels; no image is as large
_SHOWN = 8


@dataclass(frozen=True)
class Legend:
    """What the values of a column mean.

    Attributes:
        numbers: number in a mask by word, in small letters; a number may be given as its own word.
        empty: values that say that nothing is known there.
        background: number of ground that no outline covers; None where nothing is known of it.
    """

    numbers: Mapping[str, int]
    empty: frozenset[str] = frozenset()
    background: int | None = None


def open_annotations(
    path: str | Path, grid: Grid, legend: Legend, *, field: str | None = None, layer: str | None = None
) -> AnnotationReader:
    """Outlines from a vector file, in any reference system, on the pixels of an image.

    Args:
        path: GeoPackage, GeoParquet, GeoJSON, FlatGeobuf or shapefile.
        grid: of the image.
        legend: what the values mean.
        field: the column that names classes; "numero", as Arpent's own polygons have it, if not given.
        layer: of a GeoPackage with several; the first if not given.

    Raises:
        FileMissing, UnreadableFile: no such file, or no vector file.
        UnknownName: no column of that name.
        GeoreferenceMissing: the file or the image names no reference system.
        DatasetError: values that mean nothing; all are listed, with how many outlines have them.
    """
    place = Path(path)
    table = read_named_shapes(place, field or _OWN_FIELD, "outlines", layer)
    crs = grid.require_crs(f"the image under {place.name}")
    numbers = _numbers(table.values, legend, place)
    keep = np.array([number is not None for number in numbers], bool) & ~shapely.is_missing(table.geometry)
    keep &= ~shapely.is_empty(table.geometry)
    shapes = in_pixels(table.geometry[keep], table.crs, grid, crs.to_wkt())
    kept = [number for number, known in zip(numbers, keep, strict=True) if known and number is not None]
    return AnnotationReader(str(path), grid, shapes, kept, legend)


class AnnotationReader(Closing):
    """Outlines as a mask of one band, made window by window: the numbers of classes, not valid where none is known.

    A pixel has the class of the outline that holds its centre; of several, that of the last in the file.

    Attributes:
        source: the file.
        grid: the pixels that windows are counted in.
    """

    def __init__(self, source: str, grid: Grid, shapes: NDArray[Any], numbers: Sequence[int], legend: Legend) -> None:
        self.source = source
        self.grid = grid
        self._shapes = shapes
        self._numbers = numbers
        self._legend = legend
        self._tree = shapely.STRtree(shapes)

    def read(self, window: Window) -> Raster:
        """The mask in a window of the grid."""
        from rasterio.features import rasterize

        codes = np.full(window.shape, -1 if self._legend.background is None else self._legend.background, np.int16)
        box = shapely.box(window.col, window.row, window.col_end, window.row_end)
        near = np.sort(self._tree.query(box))
        if near.size:
            moved = shapely.transform(self._shapes[near], lambda points: points - np.array([window.col, window.row]))
            drawn = [(shape, self._numbers[place]) for shape, place in zip(moved, near, strict=True)]
            with placeless():
                rasterize(drawn, out=codes)
        valid = codes >= 0
        pixels = np.where(valid, codes, 0).astype(np.uint8)[None]
        return Raster(pixels, valid, self.grid.crop(window), ("class",))

    def close(self) -> None:
        """Nothing is open: outlines are read once."""


def _numbers(values: Sequence[Any], legend: Legend, path: Path) -> list[int | None]:
    """The number of each outline: -1 where it says that nothing is known, None where it says nothing."""
    words = [None if value is None or value == "" else _word(value) for value in values]
    strange = Counter(w for w in words if w is not None and w not in legend.numbers and w not in legend.empty)
    if strange:
        listed = [f"'{word}' ({count} outlines)" for word, count in sorted(strange.items())]
        more = len(listed) - _SHOWN
        raise DatasetError(
            f"{path.name} holds values that are no class",
            found=", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else ""),
            expected=", ".join(list(legend.numbers)[:32]),
            cure="Name the column that holds classes (mask_field), or the nomenclature that it was made with.",
        )
    return [None if word is None else legend.numbers.get(word, -1) for word in words]


def _word(value: object) -> str:
    """A value as text: whole numbers without a decimal mark."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    return str(value).strip().casefold()


def in_pixels(geometry: NDArray[Any], own: str, grid: Grid, crs: str) -> NDArray[Any]:
    """Outlines in columns and rows of the grid, rounded so that every window draws them alike.

    Args:
        geometry: ``(n,)`` of shapely geometries.
        own: their reference system.
        grid: of the image.
        crs: its reference system, as WKT.
    """
    if not geometry.size:
        return geometry
    between = Transformer.from_crs(own, crs, always_xy=True)
    # A straight line is a curve in another system: it is followed in short steps.
    bounds = between.transform_bounds(*_box(grid), direction="INVERSE", densify_pts=20)
    longest = max((bounds[2] - bounds[0]) / _STEPS, (bounds[3] - bounds[1]) / _STEPS, _widest(geometry) / _MOST_STEPS)
    if 0 < longest < _ENDLESS:
        geometry = shapely.segmentize(geometry, longest)
    inverse = ~grid.transform

    def placed(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = between.transform(points[:, 0], points[:, 1])
        with np.errstate(invalid="ignore"):
            cols = inverse.a * x + inverse.b * y + inverse.c
            rows = inverse.d * x + inverse.e * y + inverse.f
        # What the image's system has no place for lies far outside; a ring must stay closed there too.
        near = np.nan_to_num(np.column_stack([cols, rows]), nan=_FAR, posinf=_FAR, neginf=-_FAR).clip(-_FAR, _FAR)
        kept: NDArray[np.float64] = np.rint(near * _UNITS) / _UNITS
        return kept

    moved = shapely.transform(shapely.force_2d(geometry), placed)
    return np.asarray(moved, object)


def _widest(geometry: NDArray[Any]) -> float:
    """Width or height of the largest outline, in its own units; 0 where all are empty."""
    boxes = shapely.bounds(geometry)
    with np.errstate(over="ignore", invalid="ignore"):
        sides = boxes[:, 2:] - boxes[:, :2]
    return float(np.nanmax(sides, initial=0.0))


def _box(grid: Grid) -> tuple[float, float, float, float]:
    box = grid.bounds
    return box.left, box.bottom, box.right, box.top
