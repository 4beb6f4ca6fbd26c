"""Baselines, pixel by pixel, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.pixels.edges import edge_distance
from arpent.tasks.forecast.baselines import Climatology, linear, persistence


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(deadline=None, max_examples=20)
def test_lines_equal_a_fit_of_each_pixel(seed, dates):
    rng = np.random.default_rng(seed)
    masks = rng.integers(-1, 3, (dates, 3, 4))
    days = np.sort(rng.choice(np.arange(-40, 0), dates - 1, replace=False)).tolist()
    days = np.array([*days, 0])
    found = linear(masks, days, 9.0, 3)
    away = np.clip([[edge_distance(mask == index) for mask in masks] for index in range(3)], -32, 32)
    for row, col in np.ndindex(3, 4):
        pixel = masks[:, row, col]
        if pixel[-1] < 0:
            assert found.mask[row, col] == -1
            continue
        there = pixel >= 0
        degree = 1 if there.sum() > 1 else 0
        lines = [np.polyfit(days[there], away[index, there, row, col], degree) for index in range(3)]
        weights = np.array([np.polyval(line, 9.0) for line in lines])
        best = np.flatnonzero(weights > weights.max() - 1e-4)
        assert found.mask[row, col] in best


def shore(*columns):
    """Masks of water (0) up to a column, and land (1) beyond it."""
    return np.array([[(np.arange(20) >= column).astype(int)] * 3 for column in columns])


@pytest.mark.parametrize(("columns", "then"), [((5, 7, 9), 11), ((14, 11, 8), 5), ((9, 9, 9), 9)])
def test_a_shore_goes_on_at_its_pace(columns, then):
    found = linear(shore(*columns), np.array([-12, -6, 0]), 6, 2)
    np.testing.assert_array_equal(found.mask, shore(then)[0])
    assert found.chances is None


def test_climatology_is_what_a_pixel_mostly_was_and_the_present_decides_ties():
    climate = Climatology(2, (1, 3))
    for mask in ([[0, 0, -1]], [[0, 1, 1]], [[1, 1, 1]], [[1, 1, -1]]):
        climate.add(np.array(mask))
    present = np.array([[1, 1, -1]])
    found = climate.guess(present)
    assert found.mask.tolist() == [[1, 1, -1]]
    assert found.chances[0].tolist() == [[0.5, 0.25, 0.0]]


def test_persistence_says_that_nothing_changes():
    masks = np.array([[[0, 1]], [[1, -1]]], np.int16)
    assert persistence(masks).mask.tolist() == [[1, -1]]
    assert persistence(masks).chances is None
