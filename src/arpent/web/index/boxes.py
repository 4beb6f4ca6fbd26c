"""Boxes in degrees, also across the antimeridian, where west is greater than east."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from arpent.errors import InvalidSetting

__all__ = ["Box", "boxes_of", "enclosing", "on_the_globe", "outermost", "without_jumps"]

_HALF, _WHOLE = 180.0, 360.0
_DIGITS = 7  # of a degree: a centimetre


@dataclass(frozen=True, slots=True)
class Box:
    """West, south, east and north in degrees."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """A box from ``w,s,e,n``, as a map gives it: longitudes may run past ±180.

        Raises:
            InvalidSetting: these are not four numbers that make a box.
        """
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise _no_box(text) from None
        if (
            not all(map(math.isfinite, (west, south, east, north)))
            or south > north
            or abs(west) > 1e6
            or abs(east) > 1e6
        ):
            raise _no_box(text)
        if east - west >= _WHOLE:
            return cls(-_HALF, south, _HALF, north)
        return cls(_wrapped(west), south, _wrapped(east, is_east=True), north)

    @property
    def parts(self) -> tuple[Box, ...]:
        """The box itself, or its two halves on either side of the antimeridian."""
        if self.west <= self.east:
            return (self,)
        return (
            Box(self.west, self.south, _HALF, self.north),
            Box(-_HALF, self.south, self.east, self.north),
        )

    def covers(self, other: Box) -> bool:
        """Whether the other box, which does not cross the antimeridian, lies inside this one, which does not either."""
        return (
            self.west <= other.west <= other.east <= self.east
            and self.south <= other.south
            and other.north <= self.north
        )


def _wrapped(longitude: float, *, is_east: bool = False) -> float:
    """The longitude between -180 and 180; an edge stays on its own side."""
    if -_HALF <= longitude <= _HALF:
        return longitude
    turned = (longitude + _HALF) % _WHOLE - _HALF
    return _HALF if is_east and turned == -_HALF else turned


def _no_box(text: str) -> InvalidSetting:
    return InvalidSetting(
        "bbox is no box",
        found=text[:60],
        expected="west,south,east,north in degrees",
        cure="Give four numbers with commas.",
    )


def without_jumps(shapes: NDArray[Any]) -> NDArray[Any]:
    """Outlines in degrees that come from a map; those across the antimeridian run on past ±180 as they did there."""
    bounds = shapely.bounds(shapes)
    for row in np.flatnonzero(bounds[:, 2] - bounds[:, 0] > _HALF):
        shapes[row] = shapely.transform(shapes[row], _run_on)
    return shapes


def _run_on(points: NDArray[np.float64]) -> NDArray[np.float64]:
    turns = np.rint((points[0, 0] - points[:, 0]) / _WHOLE)
    moved: NDArray[np.float64] = points + np.column_stack([turns * _WHOLE, np.zeros(len(points))])
    return moved


def on_the_globe(shapes: NDArray[Any]) -> NDArray[Any]:
    """Outlines in degrees, without what lies past ±180: it comes to the other side, as GeoJSON has it."""
    shapes = shapely.transform(shapes, lambda points: points.round(_DIGITS))
    bounds = shapely.bounds(shapes)
    for row in np.flatnonzero((bounds[:, 0] < -_HALF) | (bounds[:, 2] > _HALF)):
        shapes[row] = _cut(shapes[row])
    return shapes


def _cut(shape: Any) -> Any:  # noqa: ANN401 - shapely publishes no types
    parts = []
    for turn in (-1, 0, 1):
        west = turn * _WHOLE - _HALF
        part = shapely.intersection(shape, shapely.box(west, -90, west + _WHOLE, 90))
        if not shapely.is_empty(part):
            parts.append(shapely.transform(part, lambda points, by=turn: points - np.array([by * _WHOLE, 0.0])))
    whole = shapely.union_all(parts)
    return shape if shapely.is_empty(whole) else whole


def boxes_of(shapes: NDArray[Any]) -> NDArray[np.float64]:
    """``(n, 4)`` west, south, east, north; west is greater than east where a shape has parts on either side of ±180."""
    boxes: NDArray[np.float64] = shapely.bounds(shapes)
    for row in np.flatnonzero((boxes[:, 0] == -_HALF) & (boxes[:, 2] == _HALF)):
        sides = shapely.bounds(shapely.get_parts(shapes[row]))
        touching_west, touching_east = sides[sides[:, 0] == -_HALF], sides[sides[:, 2] == _HALF]
        east, west = touching_west[:, 2].max(), touching_east[:, 0].min()
        lies_between = ((sides[:, 2] <= east) | (sides[:, 0] >= west)).all()
        if east < west and lies_between:
            boxes[row, 0], boxes[row, 2] = west, east
    return boxes


def outermost(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The few of many boxes ``(n, 4)`` that `enclosing` depends on, so that it need not be given all at once."""
    if not len(boxes):
        return boxes
    west, south, east, north = boxes.T
    turned_west, turned_east = _turned(boxes)
    lowest = (values.argmin() for values in (west, south, turned_west))
    highest = (values.argmax() for values in (east, north, turned_east, west > east))
    return boxes[sorted({int(place) for place in (*lowest, *highest)})]


def _turned(boxes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """West and east of boxes on a globe that is cut at 0°."""
    west, _, east, _ = boxes.T
    turned_west = np.where(west < 0, west + _WHOLE, west)
    return turned_west, np.where(east < turned_west, east + _WHOLE, east)


def enclosing(boxes: NDArray[np.float64]) -> Box:
    """The narrowest box around all of some boxes ``(n, 4)``; it may cross the antimeridian, as they may."""
    west, south, east, north = boxes.T
    south_most, north_most = float(south.min()), float(north.max())
    if (west <= east).all():
        plain = Box(float(west.min()), south_most, float(east.max()), north_most)
    else:
        plain = Box(-_HALF, south_most, _HALF, north_most)
    turned_west, turned_east = _turned(boxes)
    first, last = float(turned_west.min()), float(turned_east.max())
    if last - first >= plain.east - plain.west or last <= _HALF:
        return plain
    return Box(_wrapped(first), south_most, _wrapped(last, is_east=True), north_most)
