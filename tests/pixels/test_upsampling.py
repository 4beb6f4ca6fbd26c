import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from arpent.errors import InvalidSetting
from arpent.pixels import TokenAxis, nearest_tokens, upsample, upsample_with_zeros, upsampling_matrix

sides = st.integers(1, 34)
patches = st.sampled_from([1, 2, 4, 16])


@st.composite
def axes(draw):
    patch = draw(patches)
    return TokenAxis(draw(sides), draw(st.integers(1, patch)), patch, draw(st.sampled_from([1, 1, 2, 3])))


def zoomed(values, factor, order=3):
    return ndimage.zoom(np.asarray(values, np.float64), factor, order=order, mode="nearest", grid_mode=True)


def whole(values):
    return np.ones(values.shape, bool)


@settings(deadline=None, max_examples=30)
@given(rows=sides, cols=sides, patch=patches, seed=st.integers(0, 99))
def test_side_by_side_patches_are_upsampled_as_published_figures_were(rows, cols, patch, seed):
    values = np.random.default_rng(seed).uniform(-1, 1, (rows, cols)).astype(np.float32)
    answer = upsample(values, whole(values), TokenAxis(rows, patch, patch), TokenAxis(cols, patch, patch))
    np.testing.assert_allclose(answer.values, zoomed(values, patch), atol=1e-6)
    assert answer.valid.all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), share=st.floats(0, 1), patch=patches)
def test_holes_that_count_as_zero_are_those_of_the_published_figures(seed, share, patch):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (9, 12)).astype(np.float32)
    valid = rng.random(values.shape) >= share
    values[~valid] = np.nan
    answer = upsample_with_zeros(values, valid, TokenAxis(9, patch, patch), TokenAxis(12, patch, patch))
    weight = zoomed(valid, patch)
    clear = np.abs(weight - 0.9) > 1e-6  # at the bound itself, single and double precision may differ
    assert (answer.valid == (weight > 0.9))[clear].all()
    expected = zoomed(np.where(valid, values, 0), patch)
    np.testing.assert_allclose(answer.values[answer.valid], expected[answer.valid], atol=1e-6)
    assert (answer.values[~answer.valid] == 0).all()


def test_a_hole_pulls_its_surroundings_down_only_where_holes_count_as_zero():
    values = np.full((8, 8), 0.9, np.float32)
    valid = whole(values)
    valid[3, 4] = False
    axis = TokenAxis(8, 16, 16)
    published = upsample_with_zeros(values, valid, axis, axis)
    assert published.values[published.valid].min() < 0.82
    ours = upsample(values, valid, axis, axis)
    assert (ours.valid == np.kron(valid, np.ones((16, 16), bool))).all()
    np.testing.assert_allclose(ours.values[ours.valid], 0.9, atol=3e-7)


@settings(deadline=None, max_examples=40)
@given(down=axes(), across=axes(), seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_a_constant_stays_constant_beside_any_hole_at_any_stride(down, across, seed, share):
    valid = np.random.default_rng(seed).random((down.tokens, across.tokens)) >= share
    values = np.where(valid, np.float32(-0.37), np.nan)[None].repeat(2, axis=0)
    answer = upsample(values, valid, down, across)
    assert answer.values.shape == (2, down.length, across.length)
    assert answer.valid.shape == (down.length, across.length)
    np.testing.assert_allclose(answer.values[:, answer.valid], -0.37, atol=1e-6)
    assert (answer.values[:, ~answer.valid] == 0).all()


@settings(deadline=None, max_examples=40)
@given(axis=axes())
def test_each_answer_stays_at_the_middle_of_what_its_token_looks_at(axis):
    """A straight slope over the image is given back exactly, away from the ends where answers go on as they are."""
    matrix = upsampling_matrix(axis).astype(float)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    middles = np.arange(axis.tokens) * axis.stride + (axis.patch - 1) / 2
    places = np.arange(axis.length) * axis.step + (axis.step - 1) / 2
    inner = (axis.places > 10) & (axis.places < axis.tokens - 11)
    np.testing.assert_allclose((matrix @ middles)[inner], places[inner], atol=2e-3)
    nearest = nearest_tokens(axis)
    distance = np.abs(middles[:, None] - places)
    assert (distance[nearest, np.arange(axis.length)] == distance.min(axis=0)).all()


def test_tokens_pass_through_the_middles_of_odd_patches():
    axis = TokenAxis(11, 3, 3)
    values = np.random.default_rng(0).normal(size=11).astype(np.float32)
    np.testing.assert_allclose((upsampling_matrix(axis) @ values)[1::3], values, atol=1e-6)


def test_a_tile_knows_its_tokens():
    assert TokenAxis.over(512, 16, 16) == TokenAxis(32, 16, 16)
    assert TokenAxis.over(512, 1, 16).tokens == 497
    assert TokenAxis.over(512, 8, 16, 8).length == 64
    assert (nearest_tokens(TokenAxis(32, 16, 16)) == np.arange(512) // 16).all()


def test_codes_are_upsampled_as_the_published_ones():
    codes = np.random.default_rng(1).integers(0, 7, (5, 6))
    rows, cols = nearest_tokens(TokenAxis(5, 16, 16)), nearest_tokens(TokenAxis(6, 16, 16))
    assert (codes[rows[:, None], cols] == zoomed(codes, 16, order=0)).all()


def test_filling_from_the_rim_is_nearer_to_the_truth_than_dividing_by_the_weight():
    """Why `upsample` fills: a cubic weight can be near zero or negative beside scattered holes."""
    rng = np.random.default_rng(3)
    axis = TokenAxis(32, 16, 16)
    matrix = upsampling_matrix(axis)
    values = ndimage.gaussian_filter(rng.normal(size=(32, 32)), 2).astype(np.float32)
    values /= values.std()
    valid = rng.random(values.shape) > 0.3
    truth = matrix @ values @ matrix.T
    ours = upsample(values, valid, axis, axis)
    divided = (matrix @ (values * valid) @ matrix.T) / (matrix @ valid.astype(np.float32) @ matrix.T)
    worst = np.abs(ours.values - truth)[ours.valid].max()
    assert worst < 1
    assert np.abs(divided - truth)[ours.valid].max() > 10 * worst


def test_wrong_axes_are_refused():
    with pytest.raises(InvalidSetting, match="does not fit its axes"):
        upsample(np.zeros((3, 4)), np.ones((3, 4), bool), TokenAxis(3, 2, 2), TokenAxis(5, 2, 2))
    with pytest.raises(InvalidSetting, match="stride no longer than the patch"):
        TokenAxis(3, 17, 16)
    with pytest.raises(InvalidSetting, match="at least one"):
        TokenAxis(0, 1, 1)
