"""True areas of many polygons at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from arpent.core import Grid, ground_sampling_distance
from arpent.io.footprint import footprint

__all__ = ["polygon_areas"]

# Longer sides are cut, since what is straight on the map is curved in another projection.
_SEGMENT, _SEGMENT_GROUND = 64, 5_000.0  # pixels, metres
_WIDE = 100.0  # degrees of longitude


def _equal_area(grid: Grid) -> Transformer:
    """From the CRS of a grid to coordinates in metres in which areas are those on the WGS 84 ellipsoid."""
    crs = grid.require_crs("an area")
    west, south, east, north = footprint(grid).bbox
    middle = (west + (east if east >= west else east + 360)) / 2
    if crs.geographic or (east >= west and east - west > _WIDE and max(abs(south), abs(north)) < 89):
        # Parallels stay straight, and longitudes beyond 180 degrees are not folded back.
        target = f"+proj=cea +lon_0={middle} +ellps=WGS84 +over"
    else:
        column, row, t = grid.width / 2, grid.height / 2, grid.transform
        to_lonlat = Transformer.from_crs(crs.to_wkt(), "OGC:CRS84", always_xy=True)
        longitude, latitude = to_lonlat.transform(t.a * column + t.b * row + t.c, t.d * column + t.e * row + t.f)
        target = f"+proj=laea +lon_0={longitude} +lat_0={latitude} +ellps=WGS84"
    return Transformer.from_crs(crs.to_wkt(), target, always_xy=True)


def polygon_areas(grid: Grid, polygons: NDArray[Any]) -> NDArray[np.float64]:
    """Square metres on the ellipsoid of shapely polygons ``(n,)`` in the CRS of the grid.

    Off by less than a hundred-thousandth for polygons made of the grid's pixels.
    """
    transformer = _equal_area(grid)
    metres = ground_sampling_distance(grid) or 1.0
    longest = min(_SEGMENT, max(1 / 64, _SEGMENT_GROUND / metres)) * min(grid.pixel_width, grid.pixel_height)
    fine, boxes = polygons.copy(), shapely.bounds(polygons)
    large = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) > longest
    fine[large] = shapely.segmentize(polygons[large], longest)

    def to_metres(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    areas: NDArray[np.float64] = shapely.area(shapely.transform(fine, to_metres))
    return areas
