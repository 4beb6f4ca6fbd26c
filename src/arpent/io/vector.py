"""Class maps as polygons, without seams, in memory that does not grow with the height of the map.

The map is read in bands of rows. A first pass finds its patches and merges the small ones into their neighbours; a
second one walks the borders between patches, drops the points that nobody will miss, and writes each patch once its
last border is known. What is held is one band, a table with a line per patch, and the simplified outlines of the
patches that are still open. Between the passes the patches wait in compressed files beside the product.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from arpent.core import ClassMap, Grid, Language, Strip, Window, band_count, pixel_area, writing
from arpent.errors import BandMismatch, InvalidSetting
from arpent.io.outlines import simplified, traced
from arpent.io.patches import Patches, PatchTable
from arpent.io.reader import ImageReader, open_image
from arpent.io.rings import Halves, PixelPolygons, halves_of, polygons_of
from arpent.io.surface import polygon_areas
from arpent.io.table import RowWriter

__all__ = ["Attributes", "ClassStrips", "polygonise"]

_BAND_PIXELS = 1 << 23  # pixels of a band: some 150 MB in the compiled loops
_LEAST_ROWS, _MOST_ROWS = 64, 4096
_ROWS_PER_AREA = 64  # pixel areas change slowly: one for as many rows is off by less than a thousandth
_UNITS_PER_PIXEL = 1 << 16
_SHAPE = (pa.field("area_m2", pa.float64()), pa.field("geometry", pa.binary()))


@dataclass(frozen=True)
class ClassStrips:
    """A class map that is not in a file.

    Attributes:
        grid: of the map.
        strips: all its rows from top to bottom, with one band of class numbers; walked once.
    """

    grid: Grid
    strips: Iterable[Strip]


class Attributes(Protocol):
    """What is said of each patch besides its area and its outline, and which patches are written at all.

    First `chosen` is called once; then come the bands of the map from top to bottom, each to `add`, and after each
    band `columns` is asked for the patches that are complete with it.
    """

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Names and types of the columns."""
        ...

    def chosen(self, classes: NDArray[np.uint8], areas: NDArray[np.float64] | None) -> NDArray[np.bool_]:
        """Which patches are written; entry 0 is no patch.

        Args:
            classes: of each patch, by its number.
            areas: of each patch in m², where a smallest area was asked for.
        """
        ...

    def add(self, window: Window, patches: NDArray[np.int32]) -> None:
        """Takes the patch ``(rows, columns)`` of each pixel of a band; 0 where none that is written."""
        ...

    def columns(self, patches: NDArray[np.int32], classes: NDArray[np.uint8]) -> Sequence[pa.Array]:
        """The columns of these patches, which have these classes."""
        ...


def polygonise(
    source: str | Path | ClassStrips,
    destination: str | Path,
    *,
    classes: ClassMap,
    min_area: float = 0.0,
    simplify: float = 1.0,
    language: Language = "en",
    numbering: str | None = None,
    attributes: Attributes | None = None,
) -> Path:
    """Writes the patches of a class map as polygons: ``numero``, ``classe``, ``area_m2``, ``geometry``.

    A patch is pixels of one class that touch along their sides. Polygons share their borders exactly, without gaps or
    overlaps, and do not depend on how the map is cut into strips or tiles.

    Args:
        source: a class map in a file, of which the first band is read, or rows from elsewhere.
        destination: a table; its suffix names the format (`RowWriter`).
        classes: what the numbers mean. Its no-data value and the pixels that the file masks give no polygon.
        min_area: in m² on the ellipsoid; smaller patches join their largest neighbour, smallest first. Patches
            without neighbours stay.
        simplify: how far a border may move, in pixels; 0 keeps the pixels' stairs.
        language: of ``classe``.
        numbering: code list that ``numero`` is taken from ("cosia"); None for the numbers of the map itself.
        attributes: other columns instead of ``numero`` and ``classe``.

    Returns:
        The destination. ``area_m2``, of the polygon as written, is empty for pictures without CRS.
    """
    columns = attributes or _ClassColumns(_numbers(classes, numbering), classes, language)
    job = _Job(Path(destination), classes, columns)
    if isinstance(source, ClassStrips):
        return job.run(source.grid, source.strips, min_area, simplify)
    with open_image(source) as image:
        if len(image.bands) != 1:
            raise BandMismatch(
                f"{source} is not a class map",
                found=band_count(len(image.bands)),
                expected="one band of class numbers",
                cure="Name the file that holds the classes.",
            )
        return job.run(image.grid, _rows_of(image, classes.nodata), min_area, simplify)


def _rows_of(image: ImageReader, nodata: int) -> Iterator[Strip]:
    """All rows of a class map, with no-data where the file masks it."""
    for window in image.grid.window.strips(_band_rows(image.grid.width)):
        raster = image.read(window)
        yield Strip(window.row, np.where(raster.valid, raster.pixels, nodata))


def _numbers(classes: ClassMap, numbering: str | None) -> dict[int, int]:
    """What ``numero`` says for each class."""
    if numbering is None:
        return {entry.id: entry.id for entry in classes.classes}
    lacking = [entry.en for entry in classes.classes if entry.active and len(entry.numbers(numbering)) != 1]
    if lacking:
        raise InvalidSetting(
            f"code list '{numbering}' does not number all classes of '{classes.name}'",
            found=f"not one number for {', '.join(lacking)}",
            cure="Choose another code list, or none.",
        )
    # Classes that are never predicted may have none: nothing on a map shows them.
    return {entry.id: next(iter(entry.numbers(numbering)), entry.id) for entry in classes.classes}


def _band_rows(width: int) -> int:
    """Rows of a band: always the same for a width, since the result's last details depend on it."""
    return min(_MOST_ROWS, max(_LEAST_ROWS, _BAND_PIXELS // width))


@dataclass(frozen=True)
class _ClassColumns:
    """Number and name of each patch's class; satisfies `Attributes`."""

    numbers: Mapping[int, int]
    classes: ClassMap
    language: Language

    @property
    def fields(self) -> Sequence[pa.Field]:
        return pa.field("numero", pa.int32()), pa.field("classe", pa.string())

    def chosen(self, classes: NDArray[np.uint8], areas: NDArray[np.float64] | None) -> NDArray[np.bool_]:
        del areas
        return np.ones(len(classes), bool)

    def add(self, window: Window, patches: NDArray[np.int32]) -> None:
        """The class is known already."""

    def columns(self, patches: NDArray[np.int32], classes: NDArray[np.uint8]) -> Sequence[pa.Array]:
        del patches
        names = {entry.id: entry.label(self.language) for entry in self.classes.classes}
        ids = classes.tolist()
        numbers = pa.array([self.numbers[number] for number in ids], pa.int32())
        return numbers, pa.array([names[number] for number in ids], pa.string())


@dataclass(frozen=True)
class _Job:
    """One map on its way to polygons."""

    destination: Path
    classes: ClassMap
    attributes: Attributes

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([*self.attributes.fields, *_SHAPE])

    def run(self, grid: Grid, strips: Iterable[Strip], min_area: float, simplify: float) -> Path:
        if min_area > 0:
            grid.require_crs("a smallest area")
        scratch = self.destination.with_name(f".{self.destination.name}.patches")
        try:
            with writing(self.destination):
                scratch.mkdir(parents=True, exist_ok=True)
                table = self._find(grid, strips, scratch, min_area)
                with RowWriter(self.destination, schema=self.schema, crs=grid.crs) as rows:
                    for polygons in self._polygons(grid, table, scratch, simplify):
                        rows.write(self._rows(grid, table, polygons))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return self.destination

    def _find(self, grid: Grid, strips: Iterable[Strip], scratch: Path, min_area: float) -> PatchTable:
        """First pass: all patches, and their labels in one file per band."""
        patches = Patches(self.classes.ids, sieved=min_area > 0)
        areas = _PixelAreas.of(grid) if min_area > 0 else _PixelAreas(np.ones(grid.height, np.int64), 1.0)
        row = 0
        for number, values in enumerate(_bands(strips, grid)):
            self._check(values)
            labels = patches.add(values, areas.rows[row : row + len(values)])
            (scratch / f"{number}").write_bytes(pa.compress(labels, codec="zstd", asbytes=True))
            row += len(values)
        table = patches.table(math.ceil(min_area / areas.unit))
        metres = np.asarray(table.areas * areas.unit, np.float64) if min_area > 0 else None
        chosen = self.attributes.chosen(table.classes, metres)
        # What is not written is no patch, and has no borders.
        return replace(table, patch_of=np.where(chosen[table.patch_of], table.patch_of, 0).astype(np.int32))

    def _check(self, values: NDArray[np.uint8]) -> None:
        for value in np.flatnonzero(np.bincount(values.ravel(), minlength=256)):
            if value != self.classes.nodata and self.classes.index_of_id[value] < 0:
                self.classes.by_id(int(value))  # says which numbers there are

    def _polygons(self, grid: Grid, table: PatchTable, scratch: Path, simplify: float) -> Iterator[PixelPolygons]:
        """Second pass: the polygons, as soon as they are complete."""
        height = _band_rows(grid.width)
        windows = list(grid.window.strips(height))
        closing = np.minimum((table.bottoms + 1) // height, len(windows) - 1)
        waiting: dict[int, list[Halves]] = {}
        above = np.zeros((1, grid.width), np.int32)
        for number, window in enumerate(windows):
            packed = (scratch / f"{number}").read_bytes()
            labels = np.frombuffer(pa.decompress(packed, window.size * 4, "zstd"), np.int32).reshape(window.shape)
            seen = np.concatenate([above, table.patch_of[labels]])
            self.attributes.add(window, seen[1:])
            is_last = number == len(windows) - 1
            borders = traced(seen, is_last=is_last)
            if simplify > 0:
                borders = simplified(borders, simplify, window.shape, is_first=number == 0, is_last=is_last)
            for band, halves in halves_of(borders.moved(window.row), closing).items():
                waiting.setdefault(band, []).append(halves)
            above = seen[-1:]
            if number in waiting:
                yield polygons_of(Halves.joined(waiting.pop(number)))

    def _rows(self, grid: Grid, table: PatchTable, found: PixelPolygons) -> pa.Table:
        t = grid.transform

        def to_ground(points: NDArray[np.float64]) -> NDArray[np.float64]:
            cols, rows = points.T
            return np.column_stack([t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f])

        polygons = shapely.transform(found.polygons, to_ground)
        if t.determinant > 0:
            # Rows that grow to the north mirror the rings: outlines must run counter-clockwise.
            polygons = shapely.reverse(polygons)
        areas = polygon_areas(grid, polygons) if grid.crs is not None else [None] * len(polygons)
        columns = [
            *self.attributes.columns(found.patches, table.classes[found.patches]),
            pa.array(areas, pa.float64()),
            pa.array(shapely.to_wkb(polygons), pa.binary()),
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)


@dataclass(frozen=True)
class _PixelAreas:
    """How large pixels are, row by row.

    Attributes:
        rows: ``(height,)`` area of a pixel of each row, in whole units.
        unit: square metres.
    """

    rows: NDArray[np.int64]
    unit: float

    @classmethod
    def of(cls, grid: Grid) -> Self:
        windows = list(grid.window.strips(_ROWS_PER_AREA))
        metres = np.array([pixel_area(grid, window) for window in windows])
        unit = float(metres.max()) / _UNITS_PER_PIXEL
        units = np.maximum(1, np.rint(metres / unit)).astype(np.int64)
        return cls(np.repeat(units, [window.height for window in windows]), unit)


def _bands(strips: Iterable[Strip], grid: Grid) -> Iterator[NDArray[np.uint8]]:
    """The rows of strips of any height, in bands of one height."""
    height = _band_rows(grid.width)
    band = np.empty((min(height, grid.height), grid.width), np.uint8)
    filled = done = 0
    for strip in strips:
        values = _bytes_of(strip, grid, done + filled)
        taken = 0
        while taken < len(values):
            count = min(len(band) - filled, len(values) - taken)
            band[filled : filled + count] = values[taken : taken + count]
            filled, taken = filled + count, taken + count
            if filled == len(band) or done + filled == grid.height:
                yield band[:filled]
                done, filled = done + filled, 0
    if done != grid.height:
        raise InvalidSetting(
            "a class map ends early",
            found=f"{done + filled} rows",
            expected=f"{grid.height} rows",
            cure="Give all rows.",
        )


def _bytes_of(strip: Strip, grid: Grid, row: int) -> NDArray[np.uint8]:
    """The class numbers ``(rows, columns)`` of a strip that must begin at `row`."""
    bands, rows, width = strip.values.shape
    if (bands, width, strip.row) != (1, grid.width, row) or row + rows > grid.height:
        raise InvalidSetting(
            "a strip does not fit the class map",
            found=f"{band_count(bands)} of {width} columns from row {strip.row}",
            expected=f"1 band of {grid.width} columns from row {row}",
            cure="Give strips from top to bottom without gaps.",
        )
    values = strip.values[0]
    numbers: NDArray[np.uint8] = values.astype(np.uint8, copy=False)
    if values.dtype == np.uint8:
        return numbers
    if not np.array_equal(numbers, values):
        raise InvalidSetting(
            "a class map holds other values than class numbers",
            found=f"{values.dtype}, {values.min()} to {values.max()}",
            expected="whole numbers from 0 to 255",
            cure="Give the file that holds the classes.",
        )
    return numbers
