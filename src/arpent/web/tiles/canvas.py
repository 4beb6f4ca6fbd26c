"""Where an image lies on the Web Mercator map: the zoom that shows all of its pixels, and the tiles that it covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from arpent.core import Grid
from arpent.errors import InvalidSetting, NoOverlap

__all__ = ["TILE", "WORLD", "Canvas", "canvas_of", "pixel_size"]

TILE: Final = 256
"""Pixels of a tile's side."""
WORLD: Final = math.pi * 6_378_137.0
"""Half the circumference of the map, in its metres."""

_NORTHMOST = math.degrees(2 * math.atan(math.exp(math.pi)) - math.pi / 2)  # the map is a square: it ends at 85.05°
_DEEPEST = 24
_WIDEST = 1 << 19
"""Pixels of a canvas at most, along either side."""
_POINTS = 65
"""Along each side of an image, where its outline is looked at."""
_CENTRES = 9
"""Along each side, where the size of a pixel is looked at."""
_SLACK = 1e-6
_TURNED = "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=180 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +no_defs"
"""Web Mercator with the antimeridian in its middle: GDAL warps nothing across the edge of a map."""
_STRADDLING = 4
"""Levels at the top whose blocks need not be tiles: to align these too would make the image several times as large."""


@dataclass(frozen=True)
class Canvas:
    """The pixels of a display image.

    Attributes:
        zoom: at which they are those of tiles.
        grid: in EPSG:3857, from the corner of a tile to the corner of another; it runs on past the antimeridian.
    """

    zoom: int
    grid: Grid

    @property
    def reading(self) -> Grid:
        """The grid to read the image on: the same pixels, on a map whose edge is elsewhere if they lie across it."""
        box = self.grid.bounds
        if box.right <= WORLD * (1 + _SLACK):
            return self.grid
        size = self.grid.pixel_width
        return Grid.north_up(box.left - WORLD, box.top, size, self.grid.height, self.grid.width, _TURNED)


def pixel_size(zoom: int) -> float:
    """Metres of the map that a pixel of a tile is wide."""
    return 2 * WORLD / (TILE << zoom)


def canvas_of(grid: Grid, what: str) -> Canvas:
    """The canvas for an image on `grid`: its pixels are never coarser than those of the image.

    Args:
        grid: of the image.
        what: the image, for errors.

    Raises:
        GeoreferenceMissing: it has no place on earth.
        NoOverlap: it lies beyond 85° of latitude, where the map ends.
        InvalidSetting: it is too large for a map.
    """
    crs = grid.require_crs(what)
    to_lonlat = Transformer.from_crs(crs.to_wkt(), "OGC:CRS84", always_xy=True)
    xs, ys = _outline(grid, to_lonlat, what)
    zoom = _zoom(grid, to_lonlat)
    size = pixel_size(zoom)
    # Two pixels more, since the outline is known at some points only.
    left, right = (math.floor((min(xs) + WORLD) / size) - 2, math.ceil((max(xs) + WORLD) / size) + 2)
    top, bottom = (math.floor((WORLD - max(ys)) / size) - 2, math.ceil((WORLD - min(ys)) / size) + 2)
    across = TILE << zoom
    if right - left > across:
        left, right = 0, across
    top, bottom = max(top, 0), min(bottom, across)
    if max(right - left, bottom - top) > _WIDEST:
        raise InvalidSetting(
            f"{what} is too large for a map",
            found=f"{right - left:,} × {bottom - top:,} pixels at zoom {zoom}",
            expected=f"{_WIDEST:,} at most along a side",
            cure="Cut it into parts, or make a coarser copy.",
        )
    step = _step(max(right - left, bottom - top))
    left, top = left // step * step, top // step * step
    right, bottom = -(-right // step) * step, -(-bottom // step) * step
    return Canvas(zoom, Grid.north_up(left * size - WORLD, WORLD - top * size, size, bottom - top, right - left, 3857))


def _step(pixels: int) -> int:
    """Pixels that both corners of a canvas are multiples of, so that every overview halves the one before exactly."""
    levels = max(0, math.ceil(math.log2(max(pixels, TILE) / TILE)))
    return TILE << max(0, levels - _STRADDLING)


def _lonlat(
    grid: Grid, to_lonlat: Transformer, cols: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes, counted on past ±180°, and latitudes of a lattice of positions."""
    t = grid.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    if grid.crs is not None and grid.crs.geographic:
        return np.asarray(xs), np.asarray(ys)
    lons, lats = to_lonlat.transform(xs, ys)
    lons = np.where(np.isfinite(lons), lons, np.nan)
    middle = np.nan_to_num(lons[lons.shape[0] // 2, lons.shape[1] // 2])
    # One neighbour after another, from the middle outwards, so that an image around the earth stays in one piece.
    known = np.where(np.isnan(lons), middle, lons)
    known = np.unwrap(np.unwrap(known, period=360, axis=0), period=360, axis=1)
    return np.where(np.isnan(lons), np.nan, known), lats


def _outline(grid: Grid, to_lonlat: Transformer, what: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where an image reaches on the map, as x and y of points."""
    steps = np.linspace(0.0, 1.0, _POINTS)
    cols, rows = np.meshgrid(steps * grid.width, steps * grid.height)
    lons, lats = _lonlat(grid, to_lonlat, cols, rows)
    seen = np.isfinite(lons) & np.isfinite(lats)
    if not seen.any() or np.nanmin(lats[seen]) > _NORTHMOST or np.nanmax(lats[seen]) < -_NORTHMOST:
        raise NoOverlap(
            f"{what} lies where the map does not reach",
            expected=f"latitudes between -{_NORTHMOST:.2f}° and {_NORTHMOST:.2f}°",
            cure="Show another image: Web Mercator has no poles.",
        )
    lons, lats = lons[seen], np.clip(lats[seen], -_NORTHMOST, _NORTHMOST)
    # It begins in the world, and may run on beyond its eastern edge.
    lons = lons - 360 * np.floor((np.min(lons) + 180) / 360)
    if _holds_a_pole(grid, to_lonlat):
        lons = np.array([-180.0, *([180.0] * (lons.size - 1))])
    return _to_map(lons, lats)


def _holds_a_pole(grid: Grid, to_lonlat: Transformer) -> bool:
    """Whether a pole lies inside the image, around which it sees every longitude."""
    assert grid.crs is not None  # `canvas_of` has asked
    if grid.crs.geographic:
        return False
    for latitude in (90.0, -90.0):
        x, y = to_lonlat.transform(0.0, latitude, direction="INVERSE")
        if math.isfinite(x) and math.isfinite(y):
            col, row = ~grid.transform @ (x, y)
            if 0 < col < grid.width and 0 < row < grid.height:
                return True
    return False


def _to_map(lons: NDArray[np.float64], lats: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres on the map, east and north; those to the east run on past its edge."""
    radius = WORLD / math.pi
    ys = radius * np.log(np.tan(math.pi / 4 + np.radians(lats) / 2))
    return np.radians(lons) * radius, ys


def _zoom(grid: Grid, to_lonlat: Transformer) -> int:
    """The first zoom whose pixels are as fine as the finest of the image."""
    steps = np.linspace(0.0, 1.0, _CENTRES)
    cols, rows = np.meshgrid(steps * (grid.width - 1), steps * (grid.height - 1))
    corners = [_lonlat(grid, to_lonlat, cols + right, rows + below) for right, below in ((0, 0), (1, 0), (0, 1))]
    (x, y), along, down = (_to_map(lons, np.clip(lats, -_NORTHMOST, _NORTHMOST)) for lons, lats in corners)
    sides = np.concatenate([np.hypot(there_x - x, there_y - y).ravel() for there_x, there_y in (along, down)])
    sides = sides[np.isfinite(sides) & (sides > 0)]
    if sides.size == 0:
        return 0
    zoom = math.ceil(math.log2(pixel_size(0) / float(sides.min())) - _SLACK)
    return min(max(zoom, 0), _DEEPEST)
