"""Where a grid lies on earth, as GeoJSON wants it: longitudes and latitudes, cut at the antimeridian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, mapping

from arpent.core import Grid, ground_outline
from arpent.errors import InputError

__all__ = ["Footprint", "footprint"]

_POINTS_PER_SIDE = 32
_DETAIL, _SHARE = 1e-5, 1e-3  # degrees, about a metre, or a share of the size: points that add less are left out
_DECIMALS = 8  # of a degree: a millimetre
_ROUND_THE_EARTH = 360.0


@dataclass(frozen=True)
class Footprint:
    """An outline on WGS 84.

    Attributes:
        geometry: a GeoJSON Polygon, or a MultiPolygon if it crosses the antimeridian.
        bbox: west, south, east, north in degrees; west is greater than east if it crosses the antimeridian.
    """

    geometry: dict[str, Any]
    bbox: tuple[float, float, float, float]


def footprint(grid: Grid) -> Footprint:
    """The outline of a grid; its sides follow the curves that they are on the globe."""
    grid.require_crs("a footprint")
    lons, lats = _outline(grid)
    turn = lons[-1] - lons[0]
    if abs(turn) > _ROUND_THE_EARTH / 2:
        # The outline runs once around the earth: it has a pole inside, which closes the polygon.
        pole = 90.0 if lats.mean() > 0 else -90.0
        lons, lats = np.append(lons, [lons[-1], lons[0]]), np.append(lats, [pole, pole])
    whole = shapely.make_valid(Polygon(np.column_stack([lons, lats])))
    west, south, east, north = whole.bounds
    return _cut(whole.simplify(min(_DETAIL, _SHARE * min(east - west, north - south))))


def _outline(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes, without jumps at the antimeridian, and latitudes along the four sides, back to the first corner."""
    lons, lats = ground_outline(grid, points=_POINTS_PER_SIDE).T
    if not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        raise InputError(
            "the image reaches beyond the area in which its coordinate system is defined",
            found=f"corners {grid.bounds}",
            cure="Check its CRS and its transform.",
        )
    return np.unwrap(np.append(lons, lons[0]), period=_ROUND_THE_EARTH), np.append(lats, lats[0])


def _cut(whole: Polygon | MultiPolygon) -> Footprint:
    """Parts between -180 and 180 degrees."""
    west, south, east, north = whole.bounds
    pieces = []
    for turns in range(math.floor((west + 180) / _ROUND_THE_EARTH), math.floor((east + 180) / _ROUND_THE_EARTH) + 1):
        shift = turns * _ROUND_THE_EARTH
        world = shapely.box(-180 + shift, -90, 180 + shift, 90)
        pieces.append(shapely.transform(whole.intersection(world), lambda points, by=shift: points - [by, 0.0]))
    # Around a pole, the last piece continues the first one.
    found = shapely.set_precision(shapely.union_all(pieces), 10**-_DECIMALS)
    parts = shapely.orient_polygons([part for part in shapely.get_parts(found) if part.geom_type == "Polygon"])
    geometry = parts[0] if len(parts) == 1 else MultiPolygon(list(parts))
    if east - west > _ROUND_THE_EARTH - _DETAIL:
        west, east = -180.0, 180.0
    elif len(parts) == 1:
        west, south, east, north = parts[0].bounds
    else:
        west, east = (west + 180) % _ROUND_THE_EARTH - 180, (east + 180) % _ROUND_THE_EARTH - 180
    box = (west, max(south, -90.0), east, min(north, 90.0))
    return Footprint(_as_lists(mapping(geometry)), tuple(round(float(value), _DECIMALS) for value in box))  # type: ignore[arg-type]


def _as_lists(value: Any) -> Any:  # noqa: ANN401 - a tree of JSON
    """The same tree as JSON would give it back, with rounded numbers."""
    if isinstance(value, dict):
        return {key: _as_lists(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_as_lists(entry) for entry in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value
