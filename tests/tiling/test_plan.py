from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.testing.tile_shapes import tile_shapes
from arpent.tiling import TilePlan, TileShape, larger_tile, weights_along

sides = st.integers(1, 300)


@given(height=sides, width=sides, shape=tile_shapes())
def test_cores_cover_every_pixel_exactly_once(height, width, shape):
    count = np.zeros((height, width), np.int32)
    for tile in TilePlan.of(height, width, shape):
        count[tile.core.slices] += 1
    assert (count == 1).all()


@given(height=sides, width=sides, shape=tile_shapes())
def test_final_windows_partition_the_image(height, width, shape):
    count = np.zeros((height, width), np.int32)
    for tile in TilePlan.of(height, width, shape):
        assert tile.final.height > 0
        assert tile.final.width > 0
        count[tile.final.slices] += 1
    assert (count == 1).all()


@given(length=sides, shape=tile_shapes())
def test_every_kept_pixel_inside_the_image_has_its_halo(length, shape):
    plan = TilePlan.of(length, length, shape)
    for span in plan.rows:
        assert span.start % shape.align == 0
        assert span.end - span.start == shape.size or not shape.fixed
        assert span.start <= span.kept_start <= span.core_start < span.core_end <= span.kept_end <= span.end
        if span.start > 0:
            assert span.kept_start - span.start >= shape.halo
        if span.end < length:
            assert span.end - span.kept_end >= shape.halo


@given(length=sides, shape=tile_shapes())
def test_weights_are_positive_and_two_neighbours_add_up_to_one(length, shape):
    total = np.zeros(length)
    count = np.zeros(length, int)
    for span in TilePlan.of(length, 1, shape).rows:
        weights = weights_along(span)
        assert weights.size == span.kept_end - span.kept_start
        assert (weights > 0).all()
        total[span.kept_start : span.kept_end] += weights
        count[span.kept_start : span.kept_end] += 1
    assert (count >= 1).all()
    # Where three tiles meet, which happens beside a last tile that was moved back, the blender's division decides.
    assert np.allclose(total[count <= 2], 1, atol=1e-6)


@given(height=sides, width=sides, shape=tile_shapes())
def test_a_coarser_plan_partitions_the_coarser_product(height, width, shape):
    plan = TilePlan.of(height, width, shape).coarsened(shape.quantum)
    count = np.zeros((plan.height, plan.width), np.int32)
    for tile in plan:
        count[tile.core.slices] += 1
    assert (count == 1).all()


def test_a_small_image_is_one_tile_no_larger_than_needed():
    plan = TilePlan.of(70, 30, TileShape(size=512, align=32))
    assert [tile.window for tile in plan] == [Window(0, 0, 96, 32)]


def test_the_default_overlap_reads_at_most_1_35_times_the_image():
    for side in (4096, 5000, 8192, 10_980, 25_000):
        assert TilePlan.of(side, side, TileShape()).cost <= 1.35


def test_a_network_of_one_size_gets_that_size():
    shape = TileShape(size=64, ring=8, halo=8, align=16, fixed=True)
    assert [tile.window for tile in TilePlan.of(70, 30, shape)] == [Window(0, 0, 64, 64), Window(16, 0, 64, 64)]


@settings(max_examples=20)
@given(st.integers(1, 10**6))
def test_a_plan_of_any_height_is_quick_to_make(height):
    plan = TilePlan.of(height, 10**5, TileShape())
    assert plan.rows[-1].core_end == height


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        ({"size": 500}, "Use 512"),
        ({"size": 64, "ring": 16, "halo": 16}, "larger tiles"),
        ({"ring": -1}, "at least one pixel"),
        ({"ring": 6, "quantum": 4}, "Use 8"),
    ],
)
def test_a_shape_that_cannot_work_is_refused_with_a_cure(wrong, cure):
    with pytest.raises(InvalidSetting, match=cure):
        TileShape(**wrong)


@given(tile_shapes(), st.integers(1, 3000), st.integers(1, 3000))
def test_a_larger_tile_is_advised_only_where_it_spares_work(shape, height, width):
    seen = TilePlan.of(height, width, shape).cost
    larger = larger_tile(height, width, shape)
    if larger is None:
        twice = TilePlan.of(height, width, replace(shape, size=2 * shape.size)).cost
        assert shape.fixed or seen < 2 or 2 * shape.size > 1024 or twice > seen / 1.25
        return
    assert seen >= 2
    assert larger.size <= 1024
    assert larger.size % shape.size == 0
    assert (larger.ring, larger.halo) == (shape.ring, shape.halo)
    assert TilePlan.of(height, width, larger).cost <= seen / 1.25


def test_tiles_of_64_pixels_with_the_usual_overlap_are_too_small():
    shape = TileShape(size=96, ring=16, halo=16, align=32)
    assert larger_tile(600, 600, shape).size == 384
    assert larger_tile(600, 600, replace(shape, fixed=True)) is None
    assert larger_tile(90, 90, shape) is None, "one tile has no overlap"
    assert larger_tile(9000, 9000, TileShape()) is None


def test_no_tile_beyond_1024_pixels_is_advised():
    wide = {"ring": 128, "halo": 128}
    assert larger_tile(9000, 9000, TileShape(size=768, **wide)) is None
    assert larger_tile(9000, 9000, TileShape(size=640, **wide)) is None
    assert larger_tile(9000, 9000, TileShape(size=544, **wide)) is None
    assert larger_tile(9000, 9000, TileShape(size=512, ring=112, halo=80)).size == 1024
