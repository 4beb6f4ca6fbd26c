"""From pixels of any grid to metres in the plane of the landscape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from arpent.core import Grid, Window

__all__ = ["HOME", "HOME_CRS", "Lattice", "Points", "lattice", "points"]

HOME_CRS = "EPSG:2154"
HOME = (549_000.0, 6_701_400.0)
"""The origin of every landscape, in Lambert-93: the Loire valley east of Tours."""

_NODE = 64  # pixels between the nodes of the reprojection; bends less than 1 cm in between, at 30 m per pixel


@dataclass(frozen=True)
class Points:
    """Metres east (`us`) and north (`vs`) of the origin, ``(rows × k, columns × k)``."""

    us: NDArray[np.float64]
    vs: NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """Where a grid lies in the endless lattice of pixels of its size; noise is keyed to it, not to the grid."""

    row: int
    col: int


def lattice(grid: Grid) -> Lattice:
    """The place of the grid's first pixel."""
    t = grid.transform
    # A quarter of a pixel keeps the floor away from the rounding of origins that are whole multiples.
    return Lattice(math.floor(-t.f / grid.pixel_height + 0.25), math.floor(t.c / grid.pixel_width + 0.25))


@lru_cache(maxsize=16)
def _to_home(crs: str) -> Transformer:
    return Transformer.from_crs(crs, HOME_CRS, always_xy=True)


def points(grid: Grid, window: Window, k: int) -> Points:
    """The centres of the k × k sub-pixels of each pixel of the window."""
    crs = grid.require_crs("the grid of a simulated image")
    rows = window.row + (np.arange(window.height * k) + 0.5) / k
    cols = window.col + (np.arange(window.width * k) + 0.5) / k
    t = grid.transform
    if crs == HOME_CRS:
        us = t.a * cols[None, :] + t.b * rows[:, None] + t.c - HOME[0]
        vs = t.d * cols[None, :] + t.e * rows[:, None] + t.f - HOME[1]
        return Points(us, vs)
    # Nodes lie at multiples of _NODE in the lattice: every window, and every grid of it, interpolates between the same.
    origin = lattice(grid)
    rows, cols = rows + origin.row, cols + origin.col
    node_rows = np.arange(math.floor(rows[0] / _NODE), math.floor(rows[-1] / _NODE) + 2)
    node_cols = np.arange(math.floor(cols[0] / _NODE), math.floor(cols[-1] / _NODE) + 2)
    down, right = node_rows[:, None] * _NODE - origin.row, node_cols[None, :] * _NODE - origin.col
    x, y = t.a * right + t.b * down + t.c, t.d * right + t.e * down + t.f
    east, north = _to_home(crs.to_wkt()).transform(x, y)
    return Points(
        _between(east - HOME[0], rows / _NODE - node_rows[0], cols / _NODE - node_cols[0]),
        _between(north - HOME[1], rows / _NODE - node_rows[0], cols / _NODE - node_cols[0]),
    )


def _between(nodes: NDArray[np.float64], rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear interpolation of the nodes."""
    i, j = rows.astype(np.int64), cols.astype(np.int64)
    s, t = (rows - i)[:, None], (cols - j)[None, :]
    upper = nodes[i][:, j] * (1 - t) + nodes[i][:, j + 1] * t
    lower = nodes[i + 1][:, j] * (1 - t) + nodes[i + 1][:, j + 1] * t
    return np.asarray(upper * (1 - s) + lower * s, np.float64)
