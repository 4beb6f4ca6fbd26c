"""True areas: square metres on the ellipsoid, whatever the CRS of the grid."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from arpent.core.grid import Grid
from arpent.core.window import Window

__all__ = ["ground_area", "ground_outline", "ground_sampling_distance", "pixel_area"]

_ELLIPSOID = Geod(ellps="WGS84")
_POINTS_PER_SIDE = 16  # a side of a block is nearly a geodesic: 16 points leave less than 1e-9 of its area


@lru_cache(maxsize=32)
def _to_lonlat(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)


def _outline(window: Window, points: int) -> NDArray[np.float64]:
    """The sides of a window as ``(points, 2)`` of (column, row), clockwise from the upper left corner."""
    steps = np.linspace(0.0, 1.0, points, endpoint=False)
    cols = np.concatenate([steps, np.ones_like(steps), 1 - steps, np.zeros_like(steps)])
    rows = np.concatenate([np.zeros_like(steps), steps, np.ones_like(steps), 1 - steps])
    return np.stack([window.col + cols * window.width, window.row + rows * window.height], axis=1)


def ground_outline(grid: Grid, window: Window | None = None, *, points: int = _POINTS_PER_SIDE) -> NDArray[np.float64]:
    """The outline of a window of the grid (all of it, if none is given), `points` on each side.

    Gives ``(4 × points, 2)`` of longitude and latitude, clockwise from the upper left corner, which comes once.
    Longitudes run on past ±180° where the outline crosses the antimeridian. Points that are nowhere on earth, as at the
    corners of a full disk, and what follows them, are NaN.
    """
    crs = grid.require_crs("the image")
    cols, rows = _outline(window or grid.window, points).T
    t = grid.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    ground = np.array(_to_lonlat(crs.to_wkt()).transform(xs, ys))
    lons, lats = np.where(np.isfinite(ground), ground, np.nan)
    return np.stack([np.unwrap(lons, period=360), lats], axis=1)


def ground_area(grid: Grid, window: Window | None = None) -> float:
    """Square metres that a window of the grid (all of it, if none is given) covers on the WGS 84 ellipsoid."""
    lons, lats = ground_outline(grid, window).T
    area, _ = _ELLIPSOID.polygon_area_perimeter(lons, lats)
    return abs(float(area))


def pixel_area(grid: Grid, window: Window | None = None) -> float:
    """Mean square metres of a pixel of the window."""
    chosen = window or grid.window
    return ground_area(grid, chosen) / chosen.size


def ground_sampling_distance(grid: Grid) -> float | None:
    """Side in metres of a pixel in the middle of the grid; None without georeference, or off the earth."""
    if grid.crs is None:
        return None
    middle = Window(grid.height // 2, grid.width // 2, 1, 1)
    area = ground_area(grid, middle)
    return math.sqrt(area) if math.isfinite(area) else None
