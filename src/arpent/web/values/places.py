"""From longitudes and latitudes to the pixels of a raster."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

from arpent.core import Grid, Window
from arpent.errors import NoOverlap

__all__ = ["positions", "window_around"]

_TURN = 360.0


@lru_cache(maxsize=64)
def _from_lonlat(crs: str) -> Transformer:
    return Transformer.from_crs("OGC:CRS84", crs, always_xy=True)


def positions(grid: Grid, lons: ArrayLike, lats: ArrayLike) -> NDArray[np.float64]:
    """Columns and rows ``(n, 2)`` of places, fractions of pixels included; infinite where the grid has none.

    Longitudes may run on past ±180°, as those of a map that is drawn around the earth do.
    """
    crs = grid.require_crs("the layer")
    eastings, northings = np.asarray(lons, np.float64), np.asarray(lats, np.float64)
    if crs.geographic:
        box = grid.bounds
        middle = (box.left + box.right) / 2
        turns = np.rint((middle - np.mean(eastings)) / _TURN)
        xs, ys = eastings + turns * _TURN, northings
    else:
        xs, ys = _from_lonlat(crs.to_wkt()).transform(eastings, northings)
    inverse = ~grid.transform
    with np.errstate(invalid="ignore"):
        cols, rows = inverse.a * xs + inverse.b * ys + inverse.c, inverse.d * xs + inverse.e * ys + inverse.f
    return np.stack([np.atleast_1d(cols), np.atleast_1d(rows)], axis=-1)


def window_around(grid: Grid, places: NDArray[np.float64], what: str) -> Window:
    """The pixels of the grid around columns and rows ``(n, 2)``.

    Raises:
        NoOverlap: there are none.
    """
    finite = places[np.isfinite(places).all(axis=1)]
    if finite.size:
        (left, top), (right, bottom) = np.floor(finite.min(axis=0)), np.ceil(finite.max(axis=0))
        # A window of a number that is out of all proportion would not fit an integer of the raster's.
        limits = np.clip([top, left, bottom, right], -1, 1 + max(grid.shape)).astype(int)
        window = Window.between(*(int(number) for number in limits)).intersect(grid.window)
        if window.size:
            return window
    raise NoOverlap(f"{what} does not reach this area", cure="Choose an area inside its bounds.")
