"""Folds of ground: whole blocks, near to equal, and nothing learnt too near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.data.folds import block_folds, near
from arpent.errors import EmptySplit, InvalidSetting

METRE = 1 / 111_195.0  # degrees of latitude


def scattered(count, seed=0, lat=44.0):
    """Points in a square of ten kilometres."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 10_000, (count, 2))
    return np.array([1.4, lat]) + xy * METRE / [np.cos(np.radians(lat)), 1.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(200, 800), st.integers(2, 6), st.integers(0, 9), st.floats(-70, 70))
def test_blocks_stay_whole_and_folds_are_even(count, folds, seed, lat):
    places = scattered(count, seed, lat)
    found = block_folds(places, side=1_000, folds=folds, seed=seed)
    for block in range(found.blocks):
        assert len(set(found.fold[found.block == block])) == 1
    sizes = np.bincount(found.fold, minlength=folds)
    assert sizes.max() - sizes.min() <= np.bincount(found.block).max()
    # The block of a point does not depend on the others.
    some = block_folds(places[::2], side=1_000, folds=folds, seed=seed)
    together = found.block[::2]
    assert len(set(zip(together, some.block, strict=True))) == some.blocks


@settings(max_examples=30, deadline=None)
@given(st.floats(10, 3_000), st.integers(0, 9))
def test_near_is_what_every_distance_says(metres, seed):
    places, others = scattered(150, seed), scattered(20, seed + 100)
    shrink = np.cos(np.radians(others[:, 1].mean()))
    away = (places[:, None] - others[None]) / METRE * [shrink, 1.0]
    least = np.hypot(*np.moveaxis(away, 2, 0)).min(axis=1)
    clear = np.abs(least - metres) > 1
    np.testing.assert_array_equal(near(places, others, metres)[clear], (least < metres)[clear])


def test_nothing_is_near_to_nothing():
    places = scattered(5)
    assert not near(places, places[:0], 100).any()
    assert not near(places, places, 0).any()


def test_too_few_blocks_and_senseless_numbers_are_refused():
    with pytest.raises(EmptySplit, match="smaller blocks"):
        block_folds(scattered(50), side=1e6, folds=3)
    for side, folds in ((0, 3), (100, 1)):
        with pytest.raises(InvalidSetting):
            block_folds(scattered(50), side=side, folds=folds)
