"""Plan tiles, taper their edges, blend them into rows. Numpy only."""

from arpent.tiling.blend import Patch, RowBlender
from arpent.tiling.pad import pad_by_reflection
from arpent.tiling.paint import RowPainter, painted
from arpent.tiling.plan import Span, Tile, TilePlan, TileShape, larger_tile
from arpent.tiling.shards import Shard, shards_of
from arpent.tiling.taper import ramp, weights_along

__all__ = [
    "Patch",
    "RowBlender",
    "RowPainter",
    "Shard",
    "Span",
    "Tile",
    "TilePlan",
    "TileShape",
    "larger_tile",
    "pad_by_reflection",
    "painted",
    "ramp",
    "shards_of",
    "weights_along",
]
