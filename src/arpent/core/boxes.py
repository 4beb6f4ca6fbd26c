"""A part of an image that people name by its corners."""

from __future__ import annotations

from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import CRSError

from arpent.core.grid import Bounds, Grid
from arpent.core.window import Window
from arpent.errors import InvalidSetting, NoOverlap

__all__ = ["Box", "window_in_box"]

Box = tuple[float, float, float, float]
"""Left, bottom, right and top."""


def window_in_box(grid: Grid, box: Box, crs: str | None, source: str) -> Window:
    """The pixels of a grid that a box covers, wholly or in part.

    Args:
        grid: with a reference system.
        box: left, bottom, right, top.
        crs: reference system of the box; that of the grid if not given.
        source: what the grid is of, for people.

    Raises:
        GeoreferenceMissing: the grid names no place on earth.
        InvalidSetting: the box is empty, or its reference system unknown.
        NoOverlap: no pixel lies in the box.
    """
    left, bottom, right, top = box
    if not (left < right and bottom < top):
        raise InvalidSetting(
            "the box is empty",
            found=", ".join(map(str, box)),
            expected="left, bottom, right, top",
            cure="Give its corners in this order.",
        )
    own = grid.require_crs(source)
    try:
        between = Transformer.from_crs(crs or own.to_wkt(), own.to_wkt(), always_xy=True)
    except CRSError as unknown:
        raise InvalidSetting(f"'{crs}' is not a reference system", cure="Name one as --box-crs EPSG:4326.") from unknown
    # Sides become curves in another system; they are followed in a hundred steps.
    there = Bounds(*between.transform_bounds(left, bottom, right, top, densify_pts=100))
    covered = Grid(1, 1, Affine(there.right - there.left, 0, there.left, 0, there.bottom - there.top, there.top), own)
    window = grid.window_of(covered).intersect(grid.window)
    if not window.size:
        raise NoOverlap(
            f"{source} does not reach the box asked for",
            found=grid.bounds,
            expected=", ".join(map(str, box)),
            cure="Check the box, and name its reference system with --box-crs.",
        )
    return window
