"""Shards: every pixel is one's own, and every tile is the one that it would have been."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.errors import InvalidSetting
from arpent.tiling import TilePlan, TileShape, shards_of

SHAPE = TileShape(size=64, ring=4, halo=4, align=16)


@st.composite
def shared(draw):
    plan = TilePlan.of(draw(st.integers(1, 400)), draw(st.integers(1, 400)), SHAPE)
    return plan, draw(st.integers(1, min(12, len(plan))))


@given(shared())
def test_the_cores_of_shards_partition_the_image(one):
    plan, count = one
    seen = np.zeros((plan.height, plan.width), int)
    shards = shards_of(plan, count)
    for shard in shards:
        seen[shard.core.slices] += 1
        assert shard.core in shard.window
    assert (seen == 1).all()
    assert [shard.number for shard in shards] == list(range(1, count + 1))
    assert sum(shard.tiles for shard in shards) == len(plan)


@given(shared())
def test_a_shard_by_itself_has_the_tiles_that_it_has_in_the_whole(one):
    plan, count = one
    whole = {(tile.window.row, tile.window.col, tile.window.shape) for tile in plan}
    for shard in shards_of(plan, count):
        own = TilePlan.of(*shard.window.shape, SHAPE)
        assert len(own) == shard.tiles
        assert shard.seen == sum(tile.window.size for tile in own)
        row, col = shard.window.row, shard.window.col
        assert {(tile.window.row + row, tile.window.col + col, tile.window.shape) for tile in own} <= whole


def test_shards_are_about_square_and_even():
    shards = shards_of(TilePlan.of(4000, 8000, SHAPE), 8)
    assert {(shard.core.height, shard.core.width) for shard in shards} <= {
        (h, w) for h in range(1900, 2101) for w in range(1900, 2101)
    }
    assert max(shard.tiles for shard in shards) <= 1.1 * min(shard.tiles for shard in shards)


@pytest.mark.parametrize("count", [0, 5])
def test_a_shard_without_a_tile_is_refused(count):
    with pytest.raises(InvalidSetting, match="each shard needs a tile"):
        shards_of(TilePlan.of(100, 100, SHAPE), count)
