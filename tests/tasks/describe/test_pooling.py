"""Means under a mask, held against loops over pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.tasks.describe.pooling import ParcelSums, Part, spread, visual_tokens


def plainly(tokens, mask, box, cells, patch=8):
    """The same, pixel by pixel and cell by cell; tokens are of patches from (0, 0) on."""
    sums, weights = np.zeros((cells, cells, tokens.shape[-1])), np.zeros((cells, cells))
    for row, col in zip(*np.nonzero(mask), strict=True):
        for i in range(cells):
            top, bottom = box.row + i * box.height / cells, box.row + (i + 1) * box.height / cells
            down = max(0.0, min(row + 1, bottom) - max(row, top))
            for j in range(cells):
                left, right = box.col + j * box.width / cells, box.col + (j + 1) * box.width / cells
                share = down * max(0.0, min(col + 1, right) - max(col, left))
                sums[i, j] += share * tokens[row // patch, col // patch]
                weights[i, j] += share
    return sums.reshape(cells * cells, -1), weights.ravel()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_pooling_is_what_a_loop_over_pixels_gives(height, width, cells, seed):
    rng = np.random.default_rng(seed)
    tokens = rng.normal(size=(-(-height // 8), -(-width // 8), 3)).astype(np.float32)
    mask = rng.random((height, width)) < 0.6
    mask[rng.integers(height), rng.integers(width)] = True
    sums, weights = plainly(tokens, mask, Window(0, 0, height, width), cells)
    mean = sums.sum(0) / mask.sum()
    expected = np.where(weights[:, None] > 1e-6, sums / np.maximum(weights, 1e-9)[:, None], mean)
    assert visual_tokens(tokens, mask, cells) == pytest.approx(expected, abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_a_parcel_in_several_tiles_is_that_of_one(row, col, height, width, seed):
    """Tiles of 16 px; the box of the parcel lies anywhere across them."""
    rng = np.random.default_rng(seed)
    tokens = rng.normal(size=(8, 8, 2)).astype(np.float32)
    mask, box = np.zeros((64, 64), bool), Window(row, col, height, width)
    mask[box.slices] = rng.random(box.shape) < 0.7
    mask[row, col] = True
    sums = ParcelSums.empty(5, 2)
    for down in range(0, 64, 16):
        for across in range(0, 64, 16):
            tile = Window(down, across, 16, 16)
            shared = box.intersect(tile)
            if shared.size and mask[shared.slices].any():
                weights = spread(mask[shared.slices], shared, box, patch=8, cells=5, origin=tile)
                sums.add(Part.of(tokens[down // 8 : down // 8 + 2, across // 8 : across // 8 + 2], weights))
    expected, weights = plainly(tokens, mask, box, 5)
    assert sums.sums == pytest.approx(expected, abs=1e-3)
    assert sums.weights == pytest.approx(weights, abs=1e-3)
    assert sums.pixels == mask.sum()
    assert sums.mean() == pytest.approx(expected.sum(0) / mask.sum(), abs=1e-4)


def test_a_cell_without_pixels_has_the_mean_of_the_parcel():
    tokens = np.arange(4, dtype=np.float32).reshape(2, 2, 1)
    mask = np.zeros((16, 16), bool)
    mask[:8] = True
    pooled = visual_tokens(tokens, mask, 2).ravel()
    assert pooled.tolist() == [0, 1, 0.5, 0.5]
