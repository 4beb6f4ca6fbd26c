"""Distances from the edge of a mask, against a search over all pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.pixels.edges import edge_distance


@given(st.integers(0, 10_000), st.integers(1, 14), st.integers(1, 14), st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=30)
def test_distances_are_within_five_per_cent_of_true_ones(seed, rows, cols, share):
    mask = np.random.default_rng(seed).random((rows, cols)) < share
    found = edge_distance(mask)
    assert found.dtype == np.float32
    if mask.all() or not mask.any():
        assert (np.abs(found) > 1e5).all()
        return
    here = np.argwhere(np.ones_like(mask))
    for row, col in here:
        others = np.argwhere(mask != mask[row, col])
        true = np.hypot(*(others - (row, col)).T).min() - 0.5
        sign = 1 if mask[row, col] else -1
        assert sign * found[row, col] == pytest.approx(true, abs=0.06 * (true + 0.5))


def test_a_mask_and_its_opposite_are_as_far_from_their_edge():
    mask = np.random.default_rng(1).random((20, 30)) < 0.3
    np.testing.assert_array_equal(edge_distance(mask), -edge_distance(~mask))
