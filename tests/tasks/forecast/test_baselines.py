"""Baselines, pixel by pixel, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.tasks.forecast.baselines import Climatology, linear, persistence


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_lines_equal_a_fit_of_each_pixel(seed, dates):
    rng = np.random.default_rng(seed)
    masks = rng.integers(-1, 3, (dates, 3, 4))
    days = np.sort(rng.choice(np.arange(-40, 0), dates - 1, replace=False)).tolist()
    days = np.array([*days, 0])
    found = linear(masks, days, 9.0, 3)
    for row, col in np.ndindex(3, 4):
        pixel = masks[:, row, col]
        if pixel[-1] < 0:
            assert found.mask[row, col] == -1
            continue
        there = pixel >= 0
        weights = []
        for index in range(3):
            degree = 1 if there.sum() > 1 else 0
            line = np.polyfit(days[there], (pixel[there] == index).astype(float), degree)
            weights.append(max(np.polyval(line, 9.0), 0))
        chances = np.array(weights) / sum(weights)
        assert found.chances[:, row, col] == pytest.approx(chances, abs=1e-5)
        best = np.flatnonzero(chances > chances.max() - 1e-7)
        assert found.mask[row, col] == (pixel[-1] if pixel[-1] in best else best[0])


def test_a_pixel_goes_on_as_it_went():
    masks = np.array([[[1, 0, 1]], [[1, 1, 0]], [[0, 1, 0]]])  # just flooded, just dry, flooded for long
    found = linear(masks, np.array([-12, -6, 0]), 6, 2)
    assert found.mask.tolist() == [[0, 1, 0]]
    assert found.chances[0, 0, 0] == 1.0  # beyond 1 is cut off


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
