"""How the pixels of a file come to lie on a grid: straight when they already do, by a pinned warp otherwise.

GDAL's ``WarpedVRT`` does not promise that a window equals the crop of the whole. Two things make it so here:

* everything that GDAL would derive for each window is fixed once for the image: its grid, the scale of the resampling
  kernel (``XSCALE``, ``YSCALE``) and the tolerance of the coordinate approximation, a thousandth of a source pixel;
* the warp is asked for in fixed blocks, which GDAL caches (see ``GDAL_VRT_WARP_USE_DATASET_RASTERIO`` in
  `arpent.io.gdal`), so that a pixel is always made from the same block whichever window needs it.

With the first alone, windows agree to about 6 in 10 000 on white noise and not at all for nearest neighbours, where a
thousandth of a pixel can choose another pixel. With both they agree exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import rasterio.crs
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from arpent.core import Grid, Window
from arpent.errors import NoOverlap

__all__ = ["Placement", "ResamplingName", "place"]

ResamplingName = Literal["nearest", "bilinear", "cubic", "average", "mode"]

_TOLERANCE = 1e-3  # of a source pixel
_ROUNDING = 1e-6  # of a source pixel: what computing with coordinates costs; a middle that lies farther out has no data
_POINTS_PER_SIDE = 33
_TURN = 360.0  # degrees
_WARP_MEGABYTES = 64


@dataclass(frozen=True)
class Placement:
    """Where a file's pixels lie on a grid.

    Attributes:
        grid: the grid asked for.
        covered: its pixels that the file may reach.
        shift: how many rows and columns the file starts below and right of the grid, as a window of the grid's
            that is the whole file, when pixels coincide; None when they must be warped.
        scale_x: pixels of the grid for one of the file, along the file's rows.
        scale_y: the same along its columns.
        turned: the file's own grid for the warp, whole turns of 360° away, where it and the grid count longitudes in
            two ways, or it crosses the antimeridian; None elsewhere.
    """

    grid: Grid
    covered: Window
    shift: Window | None = None
    scale_x: float = 1.0
    scale_y: float = 1.0
    turned: Grid | None = None

    def warped(
        self, dataset: rasterio.DatasetReader, resampling: ResamplingName, nodata: float | None, *, masked: bool
    ) -> WarpedVRT:
        """The file as an image on the grid.

        Args:
            dataset: the file.
            resampling: how values between pixels are found.
            nodata: the number that means no data, if it is the file's only way to say so.
            masked: whether the result needs an alpha band, because no number can say where nothing is.
        """
        grid = self.grid
        source: dict[str, Any] = {}
        if self.turned is not None:
            source["src_transform"] = self.turned.transform
            if self.turned.crs != grid.crs:
                source["src_crs"] = _centred(dataset.crs, _middle(self.turned))
        return WarpedVRT(
            dataset,
            **source,
            crs=rasterio.crs.CRS.from_wkt(grid.require_crs("the grid asked for").to_wkt()),
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling[resampling],
            src_nodata=nodata,
            nodata=nodata,
            add_alpha=masked,
            tolerance=_TOLERANCE,
            warp_mem_limit=_WARP_MEGABYTES,
            XSCALE=self.scale_x,
            YSCALE=self.scale_y,
            # Each band by itself: otherwise a no-data number in one band is averaged with its neighbours.
            UNIFIED_SRC_NODATA="NO",
        )


def place(own: Grid, wanted: Grid, source: str) -> Placement:
    """How a file on the grid `own` comes to lie on the grid `wanted`.

    Raises:
        GeoreferenceMissing: either grid names no place on earth.
        NoOverlap: they share no ground.
    """
    if own.crs is None and wanted.crs is None and own.matches(wanted):
        return Placement(wanted, wanted.window, wanted.window)
    own.require_crs(source)
    wanted.require_crs("the grid asked for")
    turned = _turned(own, wanted)
    own = turned or own
    shift = _whole_pixels(own, wanted)
    reached = shift if shift is not None else _reached(own, wanted)
    covered = reached.intersect(wanted.window)
    if covered.size == 0:
        raise NoOverlap(
            f"{source} does not reach the area asked for",
            found=_corner_text(own),
            expected=_corner_text(wanted),
            cure="Check that both images show the same place.",
        )
    if shift is not None:
        return Placement(wanted, covered, shift)
    covered = _trimmed(own, wanted, covered)
    scale_x, scale_y = _kernel_scales(own, wanted, covered)
    return Placement(wanted, covered, None, scale_x, scale_y, turned)


def _whole_pixels(own: Grid, wanted: Grid) -> Window | None:
    """The window of `wanted` that `own` is, if their pixels coincide to a thousandth."""
    if own.crs != wanted.crs:
        return None
    col, row = ~wanted.transform @ (own.transform.c, own.transform.f)
    window = Window(round(row), round(col), own.height, own.width)
    return window if wanted.crop(window).matches(own) else None


@lru_cache(maxsize=64)
def _between(own: str, wanted: str) -> Transformer:
    """From one reference system to another; to find the way takes longer than to read a small image."""
    return Transformer.from_crs(own, wanted, always_xy=True)


def _in_pixels(own: Grid, wanted: Grid, cols: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions (column, row) of `own` as ``(2, n)`` positions of `wanted`; infinite where there is none."""
    t = own.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    assert own.crs is not None and wanted.crs is not None  # `place` has asked
    if own.crs != wanted.crs:
        xs, ys = _between(own.crs.to_wkt(), wanted.crs.to_wkt()).transform(xs, ys)
        if wanted.crs.geographic:
            # Longitudes are counted as the grid does it: 181° and -179° are one place.
            with np.errstate(invalid="ignore"):  # infinite minus infinite
                xs = xs + _TURN * np.rint((_middle(wanted) - xs) / _TURN)
    i = ~wanted.transform
    with np.errstate(invalid="ignore"):  # infinite times zero
        return np.stack([i.a * xs + i.b * ys + i.c, i.d * xs + i.e * ys + i.f])


def _middle(grid: Grid) -> float:
    """The x in the middle of a grid."""
    x, _ = grid.transform @ (grid.width / 2, grid.height / 2)
    return float(x)


def _turned(own: Grid, wanted: Grid) -> Grid | None:
    """A grid in degrees as many turns on as bring it to `wanted`, or to where GDAL can warp it; None if it is there."""
    assert own.crs is not None  # `place` has asked
    if not own.crs.geographic:
        return None
    if own.crs == wanted.crs:
        turns = round((_middle(wanted) - _middle(own)) / _TURN)
    elif own.bounds.left >= -_TURN / 2 and own.bounds.right <= _TURN / 2:
        return None
    else:
        turns = -math.floor(_middle(own) / _TURN)  # GDAL takes a middle from 0° on
    moved = replace(own, transform=Affine.translation(turns * _TURN, 0) @ own.transform)
    return None if own.crs == wanted.crs and not turns else moved


def _centred(crs: rasterio.crs.CRS, middle: float) -> rasterio.crs.CRS:
    """The system with longitudes within half a turn of `middle`, which GDAL else takes within 180° of Greenwich."""
    wkt = crs.to_wkt(version="WKT1_GDAL")
    return rasterio.crs.CRS.from_wkt(f'{wkt[:-1]},EXTENSION["CENTER_LONG","{middle:.12g}"]]')


def _reached(own: Grid, wanted: Grid) -> Window:
    """The window of `wanted` around all of `own`."""
    steps = np.linspace(0.0, 1.0, _POINTS_PER_SIDE)
    cols, rows = np.meshgrid(steps * own.width, steps * own.height)
    points = _in_pixels(own, wanted, cols.ravel(), rows.ravel())
    points = points[:, np.isfinite(points).all(axis=0)]
    if points.size == 0:
        return Window(0, 0, 0, 0)
    # A footprint that crosses the edge of the map is wider than it looks; GDAL sorts that out when it warps.
    (left, top), (right, bottom) = points.min(axis=1), points.max(axis=1)
    return Window.between(math.floor(top), math.floor(left), math.ceil(bottom), math.ceil(right))


def _trimmed(own: Grid, wanted: Grid, covered: Window) -> Window:
    """`covered` without the rows and columns at its edges in which no pixel of `wanted` has its middle in `own`.

    GDAL gives such pixels nothing, nor those whose middle is on the far edge. A window that was rounded outwards has
    two such lines at each edge at most.
    """
    for _ in range(2):
        row_end, col_end = covered.row_end, covered.col_end
        rows, cols = (
            np.arange(start, end, dtype=np.float64) + 0.5
            for start, end in ((covered.row, row_end), (covered.col, col_end))
        )
        above, below = (_reaches(own, wanted, cols, np.full(cols.size, at)) for at in (rows[0], rows[-1]))
        left, right = (_reaches(own, wanted, np.full(rows.size, at), rows) for at in (cols[0], cols[-1]))
        inner = Window.between(covered.row + (not above), covered.col + (not left), row_end, col_end)
        inner = Window.between(inner.row, inner.col, row_end - (not below), col_end - (not right))
        if min(inner.shape) < 1 or inner == covered:
            return covered
        covered = inner
    return covered


def _reaches(own: Grid, wanted: Grid, cols: NDArray[np.float64], rows: NDArray[np.float64]) -> bool:
    """Whether any of these positions of `wanted` lies in `own`."""
    x, y = _in_pixels(wanted, own, cols, rows)
    with np.errstate(invalid="ignore"):
        inside = (x > -_ROUNDING) & (x < own.width - _TOLERANCE) & (y > -_ROUNDING) & (y < own.height - _TOLERANCE)
    return bool(inside.any())


def _kernel_scales(own: Grid, wanted: Grid, covered: Window) -> tuple[float, float]:
    """Pixels of `wanted` for one of `own`, along its rows and its columns, in the middle of what they share."""
    col, row = covered.col + covered.width / 2, covered.row + covered.height / 2
    points = _in_pixels(wanted, own, np.array([col, col + 1, col]), np.array([row, row, row + 1]))
    if not np.isfinite(points).all():
        return 1.0, 1.0
    along_x = math.hypot(points[0, 1] - points[0, 0], points[0, 2] - points[0, 0])
    along_y = math.hypot(points[1, 1] - points[1, 0], points[1, 2] - points[1, 0])
    return _tidy(1 / along_x), _tidy(1 / along_y)


def _tidy(scale: float) -> float:
    """Scales within 5 % of one are one: the kernel is then the plain one, as fast and sharper."""
    return 1.0 if 0.95 <= scale <= 1.05 else scale


def _corner_text(grid: Grid) -> str:
    box = grid.bounds
    return f"{grid.crs_name} x {box.left:.8g}…{box.right:.8g} y {box.bottom:.8g}…{box.top:.8g}"
