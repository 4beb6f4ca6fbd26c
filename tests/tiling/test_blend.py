import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting
from arpent.testing.tile_shapes import tile_shapes
from arpent.tiling import RowBlender, TilePlan, TileShape, pad_by_reflection

sides = st.integers(1, 200)


def tiles_of(image, valid, plan):
    """What an identity model sees and answers, tile by tile."""
    for tile in plan:
        inside = tile.window.intersect(type(tile.window)(0, 0, plan.height, plan.width))
        seen = pad_by_reflection(image[:, *inside.slices], inside, tile.window)
        counts = np.zeros(tile.window.shape, bool)
        counts[: inside.height, : inside.width] = valid[inside.slices]
        yield tile, seen, counts


def blended(image, valid, plan, blender=None):
    blender = blender or RowBlender(plan, len(image))
    result = np.full(image.shape, np.nan, np.float32)
    known = np.zeros(valid.shape, bool)
    for tile, seen, counts in tiles_of(image, valid, plan):
        patch = blender.add(tile, seen, counts)
        result[:, *patch.window.slices] = patch.values
        known[patch.window.slices] = patch.valid
    return result, known


@settings(max_examples=150)
@given(height=sides, width=sides, shape=tile_shapes(), seed=st.integers(0, 2**32 - 1))
def test_an_identity_model_gives_back_its_input(height, width, shape, seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 100, (2, height, width)).astype(np.float32)
    valid = rng.random((height, width)) > 0.2
    image[:, ~valid] = np.nan
    result, known = blended(image, valid, TilePlan.of(height, width, shape))
    assert (known == valid).all()
    np.testing.assert_allclose(result[:, valid], image[:, valid], rtol=3e-6)
    assert (result[:, ~valid] == 0).all()


@pytest.mark.parametrize("size", range(1, 201))
def test_identity_for_every_size(size):
    rng = np.random.default_rng(size)
    shape = TileShape(size=48, ring=4, halo=4, align=8)
    image = rng.integers(0, 2**16, (1, size, 201 - size)).astype(np.uint16)
    result, known = blended(image, np.ones(image.shape[1:], bool), TilePlan.of(*image.shape[1:], shape))
    assert known.all()
    assert (np.rint(result).astype(np.uint16) == image).all()


@given(height=sides, width=sides, shape=tile_shapes())
def test_a_constant_model_leaves_no_seam(height, width, shape):
    image = np.full((1, height, width), 0.3, np.float32)
    result, _ = blended(image, np.ones((height, width), bool), TilePlan.of(height, width, shape))
    assert np.abs(result - np.float32(0.3)).max() <= 3e-7  # weights of up to four tiles, each rounded


@given(height=sides, width=sides, shape=tile_shapes(), seed=st.integers(0, 99))
def test_disagreeing_tiles_are_mixed_by_the_documented_weights(height, width, shape, seed):
    """Against a straightforward blend of the whole image in float64."""
    from arpent.tiling import weights_along

    plan = TilePlan.of(height, width, shape)
    rng = np.random.default_rng(seed)
    total, weight = np.zeros((height, width)), np.zeros((height, width))
    result = np.zeros((height, width), np.float32)
    blender = RowBlender(plan, 1)
    for tile in plan:
        answer = rng.normal(size=(1, *tile.window.shape)).astype(np.float32)
        patch = blender.add(tile, answer, np.ones(tile.window.shape, bool))
        result[patch.window.slices] = patch.values[0]
        weights = np.outer(weights_along(tile.down), weights_along(tile.across)).astype(float)
        total[tile.kept.slices] += weights * answer[0, tile.down.kept, tile.across.kept]
        weight[tile.kept.slices] += weights
    np.testing.assert_allclose(result, total / weight, atol=1e-5)


@given(height=st.integers(40, 160), shape=tile_shapes(), data=st.data())
def test_a_blender_restored_between_two_rows_goes_on_as_if_nothing_had_happened(height, shape, data):
    plan = TilePlan.of(height, 60, shape)
    stop = data.draw(st.integers(0, len(plan.rows)))
    rng = np.random.default_rng(height)
    answers = {(t.row, t.col): rng.normal(size=(2, *t.window.shape)).astype(np.float32) for t in plan}

    def run(blender, first, last):
        for row in range(first, last):
            for tile in plan.row_of_tiles(row):
                answer = answers[tile.row, tile.col]
                patch = blender.add(tile, answer, np.ones(tile.window.shape, bool))
                yield patch.values.tobytes()

    whole = list(run(RowBlender(plan, 2), 0, len(plan.rows)))
    first = RowBlender(plan, 2)
    before = list(run(first, 0, stop))
    second = RowBlender(plan, 2)
    second.restore(stop, {name: array.copy() for name, array in first.state().items()})
    assert before + list(run(second, stop, len(plan.rows))) == whole


def test_the_blender_keeps_one_seam_not_one_row_of_tiles():
    plan = TilePlan.of(2048, 20_000, TileShape(size=512, ring=16, halo=16))
    blender = RowBlender(plan, 19)
    for tile in plan.row_of_tiles(0):
        blender.add(tile, np.zeros((19, 512, 512), np.float32), np.ones((512, 512), bool))
    assert sum(array.nbytes for array in blender.state().values()) <= 20 * 32 * 20_000 * 4


def test_tiles_out_of_order_are_refused():
    plan = TilePlan.of(100, 100, TileShape(size=64, ring=4, halo=4, align=8))
    second = list(plan)[1]
    with pytest.raises(InvalidSetting, match="row by row"):
        RowBlender(plan, 1).add(second, np.zeros((1, 64, 64)), np.ones((64, 64), bool))
