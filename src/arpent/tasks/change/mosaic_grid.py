"""Where the pixels of a mosaic lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from pyproj import Transformer
from pyproj.exceptions import CRSError

from arpent.core import Bounds, Grid
from arpent.errors import InvalidSetting
from arpent.tasks.change.mosaic_settings import MosaicSettings

__all__ = ["mosaic_grid", "named_system"]

_REFERENCE_CRS = "EPSG:3979"
_REFERENCE_RESOLUTION = 30.0
_DENSE = 21  # points on each side of a box that is brought to another reference system, as the reference takes them
_SLACK = 1e-3  # of a pixel
_MOST_PIXELS = 10**12
_TURN = 360.0  # degrees


def mosaic_grid(grids: Sequence[Grid], settings: MosaicSettings) -> Grid:
    """The grid that holds all the given ones.

    The profile planaura begins at the corner of the union and adds a row and a column, as the reference does. The
    profile arpent keeps the pixels of the pairs where they share them, and lies on multiples of the resolution
    elsewhere.

    Raises:
        GeoreferenceMissing: a grid names no place on earth.
        InvalidSetting: the reference system or the resolution is missing or does not fit.
    """
    for grid in grids:
        grid.require_crs("a pair")
    crs, resolution = _system(grids, settings), _resolution(grids, settings)
    box = _union(_side_by_side([_bounds(grid, crs) for grid in grids], crs))
    across, down = (box.right - box.left) / resolution, (box.top - box.bottom) / resolution
    if not across * down <= _MOST_PIXELS:
        raise InvalidSetting(
            "the mosaic would have too many pixels",
            found=f"{across:.3g} × {down:.3g} of {resolution:g} units of {crs}",
            cure="Check the resolution: it is in units of the reference system.",
        )
    if settings.profile == "planaura":
        return Grid.north_up(box.left, box.top, resolution, int(down) + 1, int(across) + 1, crs)
    lattice = _lattice(grids, crs, resolution)
    columns = _steps(box.left - lattice.c, box.right - lattice.c, resolution)
    rows = _steps(lattice.f - box.top, lattice.f - box.bottom, resolution)
    return Grid(len(rows), len(columns), lattice @ Affine.translation(columns.start, rows.start), crs)


def named_system(name: str) -> CRS:
    """The reference system of that name.

    Raises:
        InvalidSetting: there is none.
    """
    try:
        return CRS(name)
    except (CRSError, ValueError) as problem:
        raise InvalidSetting("no such reference system", found=name, cure="Give one such as EPSG:3979.") from problem


def _system(grids: Sequence[Grid], settings: MosaicSettings) -> CRS:
    if settings.crs is not None:
        return named_system(settings.crs)
    if settings.profile == "planaura":
        return CRS(_REFERENCE_CRS)
    first = grids[0].crs
    if first is None or any(grid.crs != first for grid in grids):
        found = sorted({str(grid.crs) for grid in grids})
        raise InvalidSetting(
            "the pairs lie in different reference systems",
            found=", ".join(found[:4]),
            cure="Say which the mosaic shall have, for example --crs EPSG:3979 --resolution 30.",
        )
    return first


def _resolution(grids: Sequence[Grid], settings: MosaicSettings) -> float:
    if settings.resolution is not None:
        return settings.resolution
    if settings.profile == "planaura":
        return _REFERENCE_RESOLUTION
    sizes = [size for grid in grids for size in (grid.pixel_width, grid.pixel_height)]
    same_system = settings.crs is None or all(grid.crs == CRS(settings.crs) for grid in grids)
    if not same_system or max(sizes) - min(sizes) > _SLACK * min(sizes):
        raise InvalidSetting(
            "the pairs do not say which resolution the mosaic should have",
            found=f"pixels of {min(sizes):g} to {max(sizes):g}" + ("" if same_system else " in another system"),
            cure="Say it in units of the reference system, for example --resolution 30.",
        )
    return sizes[0]


def _bounds(grid: Grid, crs: CRS) -> Bounds:
    """The box around a grid in another reference system."""
    own = grid.require_crs("a pair")
    box = grid.bounds
    if own == crs:
        return box
    there = _between(own.to_wkt(), crs.to_wkt())
    left, bottom, right, top = there.transform_bounds(box.left, box.bottom, box.right, box.top, densify_pts=_DENSE)
    if crs.geographic and left > right:  # it lies across the antimeridian
        right += _TURN
    if not np.isfinite([left, bottom, right, top]).all() or left > right:
        raise InvalidSetting(
            f"a pair cannot be brought to {crs}",
            found=f"{own} x {box.left:.8g}…{box.right:.8g} y {box.bottom:.8g}…{box.top:.8g}",
            cure="Choose a reference system that is made for the place, with --crs.",
        )
    return Bounds(left, bottom, right, top)


@lru_cache(maxsize=64)
def _between(own: str, wanted: str) -> Transformer:
    """From one reference system to another; thousands of pairs lie in a few of them."""
    return Transformer.from_crs(own, wanted, always_xy=True)


def _side_by_side(boxes: Sequence[Bounds], crs: CRS) -> list[Bounds]:
    """The same boxes, longitudes counted so that each lies within half a turn of the first."""
    if not crs.geographic:
        return list(boxes)
    first = boxes[0].left + boxes[0].right
    turns = [round((first - box.left - box.right) / 2 / _TURN) * _TURN for box in boxes]
    return [
        Bounds(box.left + turn, box.bottom, box.right + turn, box.top) for box, turn in zip(boxes, turns, strict=True)
    ]


def _union(boxes: Iterable[Bounds]) -> Bounds:
    sides = np.array([(box.left, box.bottom, box.right, box.top) for box in boxes])
    left, bottom = sides[:, :2].min(axis=0)
    right, top = sides[:, 2:].max(axis=0)
    return Bounds(float(left), float(bottom), float(right), float(top))


def _lattice(grids: Sequence[Grid], crs: CRS, resolution: float) -> Affine:
    """The pixels from which the mosaic's are taken: those of the pairs where they share them, else all multiples."""
    first = grids[0].transform
    shared = Affine(resolution, 0.0, first.c, 0.0, -resolution, first.f)
    if all(grid.crs == crs and _lies_on(grid, shared) for grid in grids):
        return shared
    return Affine(resolution, 0.0, 0.0, 0.0, -resolution, 0.0)


def _lies_on(grid: Grid, lattice: Affine) -> bool:
    """Whether the pixels of a grid are pixels of a lattice."""
    col, row = ~lattice @ (grid.transform.c, grid.transform.f)
    there = Grid(grid.height, grid.width, lattice @ Affine.translation(round(col), round(row)), grid.crs)
    return grid.matches(there, tolerance=_SLACK)


def _steps(start: float, end: float, resolution: float) -> range:
    """The whole steps that cover a stretch; a thousandth of a pixel beyond one does not count."""
    first = math.floor(start / resolution + _SLACK)
    return range(first, max(first + 1, math.ceil(end / resolution - _SLACK)))
