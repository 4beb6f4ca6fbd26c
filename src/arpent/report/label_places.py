"""Values beside the points of a chart, where they cover neither lines nor one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Label", "place_labels"]

_POINTS = 72.0
"""Points of an inch, in which type is measured."""

_WIDE = 0.62
"""Mean width of a letter, in parts of its size."""

_GAP = 5.0
"""Points between a mark and its label."""

_OUTSIDE = 12.0
"""What it costs to stand among the numbers of a scale, in covered points of a line."""

_POINT_WEIGHT = 6
"""How much worse it is to cover a point than as much of a line."""

_STEP = 2.0
"""Pixels between the places on a line at which it is looked for below a label."""

Path = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """A value to be written beside a point.

    Attributes:
        x, y: the point, in pixels of the figure.
        text: the value.
        above: where it would stand if nothing else were there.
    """

    x: float
    y: float
    text: str
    above: bool = True


def place_labels(axes: Axes, labels: Sequence[Label], lines: Iterable[Path], size: float) -> list[tuple[float, float]]:
    """Middles of labels, as offsets in points from their marks.

    Each label in turn takes the place above, below, right or left of its mark that covers the least of the lines and
    of earlier labels; the one that is asked for where that is as free as any.

    Args:
        axes: that they stand in, drawn to scale already.
        labels: in order of their importance.
        lines: ``(points, 2)`` each, in pixels.
        size: of the type, in points.
    """
    pixel = axes.figure.dpi / _POINTS
    drawn = list(lines)
    covered = np.concatenate([np.empty((0, 2)), *(_dense(line) for line in drawn), *_POINT_WEIGHT * drawn])
    inside, offsets = axes.bbox, []
    for label in labels:
        half = np.array([_WIDE * size * len(label.text), size]) / 2 * pixel
        best, least = (0.0, 0.0), np.inf
        for dx, dy in _around(half / pixel, above=label.above):
            middle = np.array([label.x + dx * pixel, label.y + dy * pixel])
            cost = float((np.abs(covered - middle) < half + pixel).all(axis=1).sum())
            if middle[0] - half[0] < inside.x0 or middle[1] - half[1] < inside.y0:
                cost += _OUTSIDE  # where the scales have their numbers
            if cost < least:
                best, least = (dx, dy), cost
        offsets.append(best)
        middle = np.array([label.x, label.y]) + np.array(best) * pixel
        grid = np.linspace(-1, 1, 7)
        covered = np.concatenate([covered, middle + np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2) * half])
    return offsets


def _around(half: NDArray[np.float64], *, above: bool) -> list[tuple[float, float]]:
    """Places around a mark, the one that is liked best first; `half` of a label's width and height, in points."""
    up, across = float(half[1]) + _GAP, float(half[0]) + _GAP
    sign = 1 if above else -1
    level = [(across, 0.0), (-across, 0.0)]
    slant = [(side * across, way * up * 0.8) for way in (sign, -sign) for side in (1, -1)]
    return [(0.0, sign * up), (0.0, -sign * up), *slant, *level, (0.0, 2.2 * sign * up), (0.0, -2.2 * sign * up)]


def _dense(line: Path) -> Path:
    """Points along a line, a few pixels apart."""
    if len(line) < 2:
        return line
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.linspace(0, along[-1], max(2, int(along[-1] / _STEP)))
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)
