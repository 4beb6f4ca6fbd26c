"""What is to be encoded of a scene: which tiles, and which parcels lie on each of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Self

import shapely

from arpent.core import Grid, Window
from arpent.tasks.describe.parcels import Parcel, Parcels
from arpent.tasks.describe.seen import Seen
from arpent.tiling import Span, Tile, TilePlan, TileShape

__all__ = ["EncodedScene", "Tiling"]


@dataclass(frozen=True)
class Tiling:
    """How scenes are cut, in pixels; sides are rounded up to whole patches.

    Attributes:
        size: side of the tiles that the encoder sees.
        halo: rim of a tile that is context alone.
        cells: visual tokens along each side of a parcel's box.
    """

    size: int = 120
    halo: int = 0
    cells: int = 5

    def plan(self, grid: Grid, patch: int) -> TilePlan:
        """The tiles of a scene. The last ones are moved back inside, so that they see as much as the others."""
        down, across = (_spans(side, self, patch) for side in grid.shape)
        return TilePlan(grid.height, grid.width, down, across)


def _spans(length: int, tiling: Tiling, patch: int) -> tuple[Span, ...]:
    whole, halo = (-(-side // patch) * patch for side in (length, tiling.halo))
    size = -(-max(tiling.size, 2 * halo + patch) // patch) * patch
    if whole <= size:
        size, halo = whole, 0
    return TilePlan.of(length, 1, TileShape(size, 0, halo, patch, patch, fixed=True)).rows


@dataclass(frozen=True)
class EncodedScene:
    """A scene that is to be encoded, once it is known what lies on it.

    Attributes:
        source: what the user pointed at.
        name: of the image.
        place: where it was taken.
        taken: the day.
        grid: its pixels.
        parcels: on them.
        tiles: those of the plan that a parcel touches, each with the numbers of these parcels.
    """

    source: str
    name: str
    place: str
    taken: dt.date | None
    grid: Grid
    parcels: tuple[Parcel, ...]
    tiles: tuple[tuple[Tile, tuple[int, ...]], ...]

    @classmethod
    def of(cls, scene: Seen, parcels: Parcels, tiling: Tiling, patch: int) -> Self:
        """The plan for an open scene."""
        plan = tiling.plan(scene.grid, patch)
        windows = [parcel.window for parcel in parcels.items]
        tree = shapely.STRtree([_box(window) for window in windows])
        tiles = []
        for tile in plan:
            near = sorted(int(number) for number in tree.query(_box(tile.core)))
            here = tuple(number for number in near if windows[number].intersect(tile.core).size)
            if here:
                tiles.append((tile, here))
        source, place = str(getattr(scene, "source", scene.name)), str(getattr(scene, "place", ""))
        return cls(source, scene.name, place, scene.taken, scene.grid, parcels.items, tuple(tiles))

    @property
    def whole(self) -> bool:
        """Whether its one parcel is the scene itself."""
        return len(self.parcels) == 1 and self.parcels[0].outline is None and self.parcels[0].window == self.grid.window


def _box(window: Window) -> shapely.Polygon:
    return shapely.box(window.col, window.row, window.col_end, window.row_end)
