"""How much ground each class covers inside an area drawn on the map, in square metres on the ellipsoid."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from arpent.core import Grid, Window, pixel_area
from arpent.errors import InvalidSetting, NoOverlap
from arpent.io import open_image
from arpent.web.layers import PAINTED, Entry, Frame, Layer
from arpent.web.tiles.sources import check_raster
from arpent.web.values.places import positions, window_around

__all__ = ["MOST_CORNERS", "MOST_CROSSINGS", "MOST_PIXELS", "ClassArea", "Effort", "areas_in", "drawn_area"]

MOST_PIXELS: Final = 64_000_000
"""Pixels that are looked at for one question, in all of its layers and their dates."""
MOST_CORNERS: Final = 10_000
"""Corners of an area that somebody draws."""
MOST_CROSSINGS: Final = 500
"""Times that its outline crosses itself: to take a tangle apart costs the fourth power of its corners."""

_BLOCK = 512  # side of a piece, within which all pixels have one area
_FINE, _FINE_UP_TO = 4, 2_000_000
"""Parts of a pixel's side that are counted by themselves at the edge, in windows up to so many pixels."""
_TRIED = 256  # sides of an outline that are compared with all others in one go
_SIDES = 64  # pieces that the longer side of an area's box is cut into, since lines on the map bend elsewhere


_NO_GEOMETRY: Final = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    shapely.errors.ShapelyError,
)
"""What shapely says of JSON that is none of its geometries."""


@dataclass(frozen=True, slots=True)
class ClassArea:
    """The ground of one class at one date.

    Attributes:
        frame: place among the frames of the layer, from 0 on.
        date: of the frame.
        entry: the class; None for quantities, which have a mean.
        area_m2: square metres.
        share: of the ground inside the area that has data.
        mean: of the values, for quantities.
    """

    frame: int
    date: dt.date | None
    entry: Entry | None
    area_m2: float
    share: float
    mean: float | None = None


class Effort:
    """What one question may cost; `areas_in` takes from it for each layer."""

    def __init__(self) -> None:
        """That of a question that has not been looked at yet."""
        self._left = MOST_PIXELS

    def spend(self, pixels: int, frames: int) -> None:
        """Takes the pixels of a frame, of which so many, this one among them, are to come.

        Raises:
            InvalidSetting: they are more than what is left.
        """
        if pixels * frames > self._left:
            raise InvalidSetting(
                "the area is too large to be measured",
                found=f"{pixels:,} pixels at {frames} dates",
                expected=f"at most {MOST_PIXELS:,} in all layers together",
                cure="Draw a smaller one, or switch some layers off.",
            )
        self._left -= pixels


def drawn_area(geometry: Mapping[str, Any]) -> shapely.Geometry:
    """The area that a GeoJSON geometry describes, in degrees, valid.

    Raises:
        InvalidSetting: it is no polygon, or too large to be one that somebody drew.
    """
    try:
        with np.errstate(invalid="ignore"):
            area = shapely.geometry.shape(geometry)
    except _NO_GEOMETRY:
        raise _no_area("something else") from None
    if area.geom_type not in ("Polygon", "MultiPolygon") or area.is_empty:
        raise _no_area(area.geom_type)
    corners = shapely.get_coordinates(area)
    if len(corners) > MOST_CORNERS:
        raise InvalidSetting(
            "the area has too many corners",
            found=f"{len(corners):,}",
            expected=f"at most {MOST_CORNERS:,}",
            cure="Draw a simpler one.",
        )
    if not np.isfinite(corners).all() or np.abs(corners[:, 1]).max() > 90 or np.abs(corners[:, 0]).max() > 720:
        raise _no_area("corners that lie nowhere on earth")
    _check_tangle(area)
    whole = shapely.make_valid(area)
    parts = [part for part in shapely.get_parts(whole) if part.geom_type in ("Polygon", "MultiPolygon")]
    if not parts:
        raise _no_area("a line")
    return shapely.union_all(parts)


def _check_tangle(area: shapely.Geometry) -> None:
    """Refuses an outline that crosses itself more often than one that a hand has drawn."""
    if shapely.is_valid(area):
        return
    corners, ring = shapely.get_coordinates(shapely.get_rings(area), return_index=True)
    follows = ring[1:] == ring[:-1]
    sides = shapely.linestrings(np.stack([corners[:-1][follows], corners[1:][follows]], axis=1))
    tree, meetings = shapely.STRtree(sides), 0
    for start in range(0, len(sides), _TRIED):
        tried = sides[start : start + _TRIED]
        # Each side meets itself and its two neighbours; every crossing is met from both of its sides.
        meetings += tree.query(tried, predicate="intersects").shape[1] - 3 * len(tried)
        if meetings > 2 * MOST_CROSSINGS:
            raise InvalidSetting(
                "the outline of the area crosses itself too often",
                expected=f"at most {MOST_CROSSINGS} times",
                cure="Draw a simpler one.",
            )


def _no_area(found: str) -> InvalidSetting:
    return InvalidSetting(
        "this is no area", found=found, expected="a GeoJSON Polygon in degrees", cure="Draw an area on the map."
    )


def areas_in(layer: Layer, area: shapely.Geometry, effort: Effort | None = None) -> list[ClassArea]:
    """The ground of each class inside an area, frame by frame; of quantities the mean.

    A pixel at the edge counts by the share of it that lies inside, in areas of up to two million pixels; in larger ones
    it counts if its middle does.

    Args:
        layer: with pixels that have a legend.
        area: in degrees, as `drawn_area` gives it.
        effort: of a question about several layers.

    Raises:
        NoOverlap: it does not reach the layer.
        InvalidSetting: it holds too many pixels.
        FileMissing, UnreadableFile: a file is gone or damaged.
    """
    if layer.source == "vector" or layer.kind in PAINTED or layer.bands:
        return []
    effort = effort or Effort()
    rows = []
    for number, frame in enumerate(layer.frames):
        rows += list(_of_frame(layer, number, frame, area, effort))
    return rows


def _of_frame(layer: Layer, number: int, frame: Frame, area: shapely.Geometry, effort: Effort) -> Iterator[ClassArea]:
    metres: dict[float, float] = {}
    total = weighted = 0.0
    with open_image(check_raster(frame.file)) as image:
        shape = _on_grid(image.grid, area)
        window = window_around(image.grid, shapely.get_coordinates(shape), layer.name)
        effort.spend(window.size, len(layer.frames) - number)
        fine = _FINE if window.size <= _FINE_UP_TO else 1
        for piece in window.blocks(_BLOCK):
            inside = _covered(shape, piece, fine)
            if inside is None:
                continue
            raster = image.read(piece)
            values = raster.pixels[0]
            ground = inside * np.float64(pixel_area(image.grid, piece))
            ground[~raster.valid] = 0
            total += float(ground.sum())
            if layer.legend.entries:
                for value, found in _summed(values, ground):
                    metres[value] = metres.get(value, 0.0) + found
            else:
                weighted += float((np.where(ground > 0, values, 0).astype(np.float64) * ground).sum())
    if total <= 0:
        return
    if not layer.legend.entries:
        yield ClassArea(number, frame.date, None, total, 1.0, weighted / total)
    for entry in layer.legend.entries:
        if metres.get(entry.value, 0.0) > 0:
            yield ClassArea(number, frame.date, entry, metres[entry.value], metres[entry.value] / total)


def _on_grid(grid: Grid, area: shapely.Geometry) -> shapely.Geometry:
    """The area in columns and rows of a grid; lines on the map are straight there, and bend here."""
    west, south, east, north = area.bounds
    bent = shapely.segmentize(area, max(east - west, north - south) / _SIDES)
    moved = shapely.transform(bent, lambda points: _finite(positions(grid, points[:, 0], points[:, 1])))
    return shapely.make_valid(moved)


def _finite(places: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(places).all():
        raise NoOverlap("the area lies where the layer has no coordinates", cure="Draw one nearer to the layer.")
    return places


def _covered(shape: shapely.Geometry, piece: Window, fine: int) -> NDArray[np.float64] | None:
    """The share of each pixel ``(height, width)`` that lies inside; None where nothing does."""
    box = shapely.box(piece.col, piece.row, piece.col_end, piece.row_end)
    if shapely.contains_properly(shape, box):
        return np.ones(piece.shape)
    parts = shapely.get_parts(shapely.clip_by_rect(shape, *box.bounds))  # of many corners, few lie in each piece
    parts = parts[shapely.area(parts) > 0]
    if not parts.size:
        return None
    moved = shapely.transform(parts, lambda points: (points - (piece.col, piece.row)) * fine)
    out = np.zeros((piece.height * fine, piece.width * fine), np.uint8)
    rasterize(((part, 1) for part in moved), out=out)
    if not out.any():
        return None
    parts = out.reshape(piece.height, fine, piece.width, fine)
    return np.asarray(parts.mean(axis=(1, 3), dtype=np.float64))


def _summed(values: NDArray[np.generic], ground: NDArray[np.float64]) -> Iterator[tuple[float, float]]:
    """Square metres by value."""
    kept = ground > 0
    found, places = np.unique(values[kept], return_inverse=True)
    metres = np.bincount(places.ravel(), ground[kept], minlength=len(found))
    for value, one in zip(found, metres, strict=True):
        if math.isfinite(float(value)):
            yield float(value), float(one)
