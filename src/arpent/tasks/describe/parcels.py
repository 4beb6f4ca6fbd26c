"""Parcels: polygons of any vector file on the pixels of a scene, or the squares that a scene is cut into."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from arpent.core import Grid, Language, Window, ground_outline
from arpent.errors import InvalidSetting, UnknownName
from arpent.io.annotations import in_pixels
from arpent.io.gdal import placeless
from arpent.io.named_shapes import Shapes, read_shapes
from arpent.language import say
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = [
    "NO_AREA",
    "OUTSIDE",
    "Field",
    "Fields",
    "Parcel",
    "Parcels",
    "lay",
    "left_out_note",
    "read_fields",
    "read_parcels",
    "squares",
]

_NAMES = ("name", "nom", "parcel", "parcelle", "parcel_id", "id_parcel", "id", "fid", "code")
"""Columns that name parcels, the best first, where the user names none."""

OUTSIDE, NO_AREA = "it lies outside the image", "it has no area"
"""Why parcels are left out."""

_WGS84 = "OGC:CRS84"
_ELLIPSOID = Geod(ellps="WGS84")
_MOST = 200_000
_AT_ONCE = 1 << 24
"""Pixels of a mask that are drawn at once."""


@dataclass(frozen=True)
class Field:
    """A parcel as its file has it, on no image yet.

    Attributes:
        name: unlike that of any other.
        geometry: polygons in the reference system of the file, valid; empty where there is nothing to see.
        crop: that grows there, where a column says so.
        warnings: what was done to it.
    """

    name: str
    geometry: Any
    crop: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fields:
    """The parcels of a file.

    Attributes:
        items: in its order.
        crs: their reference system.
    """

    items: tuple[Field, ...]
    crs: str


@dataclass(frozen=True)
class Parcel:
    """A parcel on the pixels of a scene.

    Attributes:
        name: of the parcel.
        grid: of the scene.
        window: the pixels of the scene around it.
        outline: its polygons in columns and rows of the scene; None for a square, which fills its window.
        pixels: that it covers, those outside the scene included.
        touched: whether it holds no pixel's centre, so that those count that it touches.
        crop: see `Field`.
        geometry_wgs84: in longitude and latitude; None without georeference.
        warnings: what was done to it.
    """

    name: str
    grid: Grid
    window: Window
    outline: Any | None
    pixels: int
    touched: bool = False
    crop: str | None = None
    geometry_wgs84: Any | None = None
    warnings: tuple[str, ...] = ()

    @cached_property
    def geometry(self) -> Any:  # noqa: ANN401 - shapely does not say which geometry
        """The part of it around which `window` lies, in the reference system of the scene."""
        shape = self.outline
        if shape is None:
            shape = shapely.box(self.window.col, self.window.row, self.window.col_end, self.window.row_end)
        t = self.grid.transform

        def placed(points: NDArray[np.float64]) -> NDArray[np.float64]:
            cols, rows = points.T
            return np.column_stack([t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f])

        return shapely.transform(shape, placed)

    @cached_property
    def area(self) -> float | None:
        """Square metres on the ellipsoid; None without georeference."""
        if self.geometry_wgs84 is None:
            return None
        area, _ = _ELLIPSOID.geometry_area_perimeter(shapely.orient_polygons(self.geometry_wgs84))
        return abs(float(area))

    def mask(self, window: Window | None = None) -> NDArray[np.bool_]:
        """Which pixels of a window (its own, if none is given) are the parcel's: those whose centre it holds.

        A parcel that holds no centre at all, a strip narrower than a pixel, has the pixels that it touches.
        """
        chosen = window or self.window
        inside = np.zeros(chosen.shape, bool)
        shared = self.window.intersect(chosen)
        if shared.size:
            inside[shared.relative_to(chosen).slices] = (
                True if self.outline is None else _raster(self.outline, shared, touched=self.touched)
            )
        return inside


def _raster(outline: Any, window: Window, *, touched: bool) -> NDArray[np.bool_]:  # noqa: ANN401 - any polygon
    from rasterio.features import rasterize

    moved = shapely.transform(outline, lambda points: points - np.array([window.col, window.row]))
    out = np.zeros(window.shape, np.uint8)
    with placeless():
        rasterize([(moved, 1)], out=out, all_touched=touched)
    return out.astype(bool)


@dataclass(frozen=True)
class Parcels:
    """The parcels of a scene.

    Attributes:
        items: those that the scene reaches.
        left_out: why a parcel is not among them, by its name.
        warnings: of all of them.
    """

    items: tuple[Parcel, ...]
    left_out: Mapping[str, str]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was done to parcels, each with its name."""
        return tuple(f"{parcel.name}: {warning}" for parcel in self.items for warning in parcel.warnings)


def read_parcels(
    path: str | Path | None, grid: Grid, settings: SceneSettings | None = None, *, name: str = "image"
) -> Parcels:
    """The parcels of a file on the pixels of a scene; without a file the whole scene, or the squares of `chip`.

    Args:
        path: GeoPackage, GeoJSON, shapefile, GeoParquet or FlatGeobuf, in any reference system.
        grid: of the scene.
        settings: which columns name parcels and crops, and the side of squares.
        name: of the parcel that a whole scene is.

    Raises:
        FileMissing, UnreadableFile: no such file, or no vector file.
        UnknownName: no column of that name.
        GeoreferenceMissing: the file or the scene names no place on earth.
        InvalidSetting: both a file and squares are asked for.
    """
    wanted = settings or SceneSettings()
    if path is None:
        return squares(grid, wanted.chip, name)
    return lay(read_fields(path, wanted), grid)


def read_fields(path: str | Path, settings: SceneSettings) -> Fields:
    """The parcels of a file; see `read_parcels` for what can go wrong. Made once for many scenes."""
    if settings.chip:
        raise InvalidSetting(
            "an image cannot be cut both along parcels and into squares",
            found=f"--parcels {path} and --chip {settings.chip}",
            cure="Leave one of them out.",
        )
    file = Path(path)
    shapes = read_shapes(file, "parcels")
    names, renamed = _names(shapes, settings.name_column, file)
    crops = _words(shapes, settings.crop_column, file) if settings.crop_column else [None] * len(names)
    items = []
    for name, geometry, crop, other in zip(names, shapes.geometry, crops, renamed, strict=True):
        whole, fault = _polygons(geometry)
        repair = say("scene.repaired", settings.language, reason=fault) if fault else ""
        notes = tuple(filter(None, (repair, say("scene.renamed", settings.language) if other else "")))
        items.append(Field(name, whole, crop, notes))
    return Fields(tuple(items), shapes.crs)


def _names(shapes: Shapes, column: str | None, file: Path) -> tuple[list[str], list[bool]]:
    """A name for each shape, and whether a number had to be added to it."""
    if column is None:
        known = {name.casefold(): name for name in shapes.columns}
        column = next((known[name] for name in _NAMES if name in known), None)
    given = _words(shapes, column, file) if column else [None] * len(shapes.geometry)
    names = [word or str(row) for row, word in enumerate(given, start=1)]
    counts, taken = Counter(names), set(names)
    seen: Counter[str] = Counter()
    made, renamed = [], []
    for name in names:
        seen[name] += 1
        other = name
        if counts[name] > 1 and seen[name] > 1:
            number = seen[name]
            while (other := f"{name} ({number})") in taken:
                number += 1
            taken.add(other)
        made.append(other)
        renamed.append(other != name)
    return made, renamed


def _words(shapes: Shapes, column: str, file: Path) -> list[str | None]:
    if column not in shapes.columns:
        raise UnknownName.among(column, shapes.columns, f"column of {file.name}")
    return [_word(value) for value in shapes.columns[column]]


def _word(value: object) -> str | None:
    """A value as text: whole numbers without a decimal mark, nothing for what is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return " ".join(str(value).split()) or None


def _polygons(geometry: Any) -> tuple[Any, str]:  # noqa: ANN401 - what a file holds
    """The polygons of a shape, without self-crossings and heights, and what was wrong with it."""
    if geometry is None or shapely.is_empty(geometry):
        return shapely.Polygon(), ""
    flat = shapely.force_2d(geometry)
    if not np.isfinite(shapely.get_coordinates(flat)).all():
        return shapely.Polygon(), ""
    fault = ""
    if not shapely.is_valid(flat):
        fault = shapely.is_valid_reason(flat).split("[")[0].strip().lower()
        flat = shapely.make_valid(flat)
    parts = [part for part in shapely.get_parts(_flattened(flat)) if part.geom_type == "Polygon" and part.area > 0]
    if not parts:
        return shapely.Polygon(), fault
    return (parts[0] if len(parts) == 1 else shapely.multipolygons(parts)), fault


def _flattened(geometry: Any) -> Any:  # noqa: ANN401 - any geometry
    """A collection without collections inside."""
    parts = shapely.get_parts(geometry)
    while any(part.geom_type in ("GeometryCollection", "MultiPolygon") for part in parts):
        parts = shapely.get_parts(parts)
    return shapely.geometrycollections(parts)


def left_out_note(why: str, language: Language) -> str:
    """What is told of a parcel that is on none of several images."""
    return say({OUTSIDE: "scene.outside", NO_AREA: "scene.no_area"}[why], language)


def lay(fields: Fields, grid: Grid) -> Parcels:
    """Parcels on the pixels of a scene.

    Raises:
        GeoreferenceMissing: the scene names no place on earth.
    """
    crs = grid.require_crs("the image under the parcels")
    left_out = {field.name: NO_AREA for field in fields.items if shapely.is_empty(field.geometry)}
    there = [field for field in fields.items if field.name not in left_out]
    geometry = np.array([field.geometry for field in there], object)
    outlines = in_pixels(geometry, fields.crs, grid, crs.to_wkt())
    wgs84 = _in_degrees(geometry, fields.crs)
    items = []
    for field, outline, ground in zip(there, outlines, wgs84, strict=True):
        placed = _placed(field, outline, ground, grid)
        if placed is None:
            left_out[field.name] = OUTSIDE
        else:
            items.append(placed)
    return Parcels(tuple(items), left_out)


def _placed(field: Field, outline: Any, ground: Any, grid: Grid) -> Parcel | None:  # noqa: ANN401 - shapely's
    """A parcel on its scene; None where the scene does not reach it."""
    bounds = shapely.bounds(outline)
    if not np.isfinite(bounds).all():  # beyond what the scene's projection can show
        return None
    left, top, right, bottom = bounds
    window = Window.between(math.floor(top), math.floor(left), math.ceil(bottom), math.ceil(right))
    whole = grid.window
    shared = window.intersect(whole)
    if not shared.size:
        return None
    inside, touched = _count(outline, shared, touched=False), False
    if not inside:
        inside, touched = _count(outline, shared, touched=True), True
    if not inside:
        return None
    if shared != window:
        inside += _beyond(outline, whole)
    return Parcel(field.name, grid, shared, outline, inside, touched, field.crop, ground, field.warnings)


def _count(outline: Any, window: Window, *, touched: bool) -> int:  # noqa: ANN401 - any polygon
    """Pixels of a parcel in a window."""
    rows = max(1, _AT_ONCE // window.width)
    parts = [
        Window.between(row, window.col, min(row + rows, window.row_end), window.col_end)
        for row in range(window.row, window.row_end, rows)
    ]
    return sum(int(_raster(outline, part, touched=touched).sum()) for part in parts)


def _beyond(outline: Any, whole: Window) -> int:  # noqa: ANN401 - any polygon
    """About how many pixels of a parcel would lie outside its scene."""
    shape = outline if shapely.is_valid(outline) else shapely.make_valid(outline)
    inside = shapely.intersection(shape, shapely.box(0, 0, whole.width, whole.height))
    return max(0, round(float(shapely.area(shape) - shapely.area(inside))))


def _in_degrees(geometry: NDArray[Any], own: str) -> NDArray[Any]:
    if not geometry.size:
        return geometry
    between = Transformer.from_crs(own, _WGS84, always_xy=True)

    def placed(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(between.transform(points[:, 0], points[:, 1]))

    return np.asarray(shapely.transform(geometry, placed), object)


def squares(grid: Grid, chip: int, name: str = "image") -> Parcels:
    """The whole scene as one parcel, or squares of `chip` pixels, those at its edges narrower.

    Squares are named for their row and column: r000c000.

    Raises:
        InvalidSetting: there would be too many.
    """
    if not chip:
        return Parcels((_square(name, grid, grid.window),), {})
    count = -(-grid.height // chip) * -(-grid.width // chip)
    if count > _MOST:
        raise InvalidSetting(
            f"squares of {chip} pixels would be {count} parcels",
            found=f"an image of {grid.width} × {grid.height} pixels",
            expected=f"{_MOST} parcels at most",
            cure="Give a larger --chip.",
        )
    items = [
        _square(f"r{down:03d}c{across:03d}", grid, Window(row, col, chip, chip).intersect(grid.window))
        for down, row in enumerate(range(0, grid.height, chip))
        for across, col in enumerate(range(0, grid.width, chip))
    ]
    return Parcels(tuple(items), {})


def _square(name: str, grid: Grid, window: Window) -> Parcel:
    ground = None if grid.crs is None else shapely.Polygon(ground_outline(grid, window))
    return Parcel(name, grid, window, None, window.size, geometry_wgs84=ground)
