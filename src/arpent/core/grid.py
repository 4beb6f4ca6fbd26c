"""Where pixels lie on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from affine import Affine
from odc.geo.crs import CRS

from arpent.core.window import Window
from arpent.errors import GeoreferenceMissing, InvalidSetting

__all__ = ["Bounds", "Grid"]

_SLIVER = 0.01  # of a pixel that may be left out at an edge


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box in the units of its grid's CRS; x grows to the east, y to the north."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Grid:
    """Rows and columns of pixels, tied to the ground by an affine transform and a CRS.

    `transform` maps (column, row) of a pixel's upper left corner to (x, y). A picture without georeference has
    `crs=None` and, by convention, the identity as its transform.
    """

    height: int
    width: int
    transform: Affine = field(default_factory=Affine.identity)
    crs: CRS | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise InvalidSetting(
                "a grid needs at least one row and one column",
                found=f"{self.width} × {self.height}",
                cure="Check the extent and the resolution asked for.",
            )

    @classmethod
    def north_up(
        cls, left: float, top: float, resolution: float, height: int, width: int, crs: CRS | str | int
    ) -> Grid:
        """A grid of square pixels with its upper left corner at (`left`, `top`)."""
        transform = Affine(resolution, 0.0, left, 0.0, -resolution, top)
        return cls(height, width, transform, CRS(crs))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy has it."""
        return self.height, self.width

    @property
    def window(self) -> Window:
        """All pixels of the grid."""
        return Window(0, 0, self.height, self.width)

    @property
    def georeferenced(self) -> bool:
        """Whether the grid names its place on earth."""
        return self.crs is not None

    @property
    def bounds(self) -> Bounds:
        """The box around all four corners, which matters for rotated grids."""
        corners = [self.transform @ (col, row) for col in (0, self.width) for row in (0, self.height)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return Bounds(min(xs), min(ys), max(xs), max(ys))

    @property
    def pixel_width(self) -> float:
        """Length of a pixel's upper side, in units of the CRS."""
        return math.hypot(self.transform.a, self.transform.d)

    @property
    def pixel_height(self) -> float:
        """Length of a pixel's left side, in units of the CRS."""
        return math.hypot(self.transform.b, self.transform.e)

    @property
    def crs_name(self) -> str:
        """How people call its CRS: "EPSG:32631", else the name that it gives itself; empty without one."""
        if self.crs is None:
            return ""
        return f"EPSG:{self.crs.epsg}" if self.crs.epsg else str(self.crs.proj.name)

    def require_crs(self, what: str) -> CRS:
        """The CRS, or an error that says `what` needs one."""
        if self.crs is None:
            raise GeoreferenceMissing(
                f"{what} has no coordinate reference system",
                cure="Assign one first, for example: gdal_edit.py -a_srs EPSG:2154 FILE.",
            )
        return self.crs

    def crop(self, window: Window) -> Grid:
        """The grid of a window, which may reach outside."""
        shifted = self.transform @ Affine.translation(window.col, window.row)
        return Grid(window.height, window.width, shifted, self.crs)

    def coarsened(self, factor: int) -> Grid:
        """Pixels `factor` times as large from the same corner; the last ones may reach over the edge."""
        if factor == 1:
            return self
        return Grid(
            -(-self.height // factor),
            -(-self.width // factor),
            self.transform @ Affine.scale(factor),
            self.crs,
        )

    def rescaled(self, factor: float) -> Grid:
        """Pixels `factor` times as wide from the same corner; of a last one, a hundredth at least lies inside."""
        height, width = (max(1, math.ceil(side / factor - _SLIVER)) for side in self.shape)
        return Grid(height, width, self.transform @ Affine.scale(factor), self.crs)

    def window_of(self, other: Grid) -> Window:
        """The window of this grid that covers `other`, a grid of the same CRS."""
        inverse = ~self.transform
        box = other.bounds
        corners = [inverse @ (x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
        cols, rows = [c for c, _ in corners], [r for _, r in corners]
        # A thousandth of a pixel forgives the rounding of coordinates kept as decimal text.
        slack = 1e-3
        return Window.between(
            math.floor(min(rows) + slack),
            math.floor(min(cols) + slack),
            math.ceil(max(rows) - slack),
            math.ceil(max(cols) - slack),
        )

    def matches(self, other: Grid, *, tolerance: float = 1e-3) -> bool:
        """Whether both have the same pixels: shape, CRS, and corners within `tolerance` of a pixel."""
        if self.shape != other.shape or self.crs != other.crs:
            return False
        inverse = ~self.transform
        for col, row in ((0, 0), (self.width, 0), (0, self.height), (self.width, self.height)):
            there = inverse @ (other.transform @ (col, row))
            if max(abs(there[0] - col), abs(there[1] - row)) > tolerance:
                return False
        return True
