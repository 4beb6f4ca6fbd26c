from __future__ import annotations

import numpy as np
import pytest

from arpent.errors import InvalidSetting
from arpent.metrics import ConfusionMatrix, adjust_areas

# Olofsson et al. 2014, table 8: rows are the map, columns the reference, in the order deforestation, forest gain,
# stable forest, stable non-forest; mapped areas are in Landsat pixels of 30 m.
TABLE_8 = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARES = PIXELS * 0.09


@pytest.fixture
def published():
    return adjust_areas(ConfusionMatrix(4, np.array(TABLE_8).T), HECTARES)


def test_areas_of_the_published_example(published):
    # Section 5.2 prints 21,158 ± 6158; 11,686 ± 3756; 285,770 ± 15,510; 581,386 ± 16,282 ha.
    assert published.area.value == pytest.approx([21_158, 11_686, 285_770, 581_386], abs=1)
    assert published.area.half_width == pytest.approx([6_158, 3_756, 15_510, 16_282], abs=1.5)


def test_accuracies_of_the_published_example(published):
    # Section 5.1 prints two decimals.
    assert published.users.value == pytest.approx([0.88, 0.73, 0.93, 0.96], abs=0.006)
    assert published.users.half_width == pytest.approx([0.07, 0.10, 0.04, 0.02], abs=0.006)
    assert published.producers.value == pytest.approx([0.75, 0.85, 0.93, 0.96], abs=0.006)
    assert published.overall.value == pytest.approx(0.95, abs=0.005)
    assert published.overall.high - published.overall.value == pytest.approx(0.02, abs=0.005)


def test_intervals_of_producers_accuracy_match_repeated_sampling(published):
    rng = np.random.default_rng(2014)
    rates = np.array(TABLE_8) / np.sum(TABLE_8, axis=1, keepdims=True)
    drawn = np.stack([rng.multinomial(sum(row), rate, 20_000) for row, rate in zip(TABLE_8, rates, strict=True)], 1)
    cells = drawn / np.sum(TABLE_8, axis=1)[:, None] * (PIXELS / PIXELS.sum())[:, None]
    producers = np.diagonal(cells, axis1=1, axis2=2) / cells.sum(1)
    # The formula is a first-order expansion, so rare classes agree less well than common ones.
    assert published.producers.half_width == pytest.approx(1.96 * producers.std(0), rel=0.12)


def test_areas_add_up_and_the_interval_is_around_the_value(published):
    assert published.area.value.sum() == pytest.approx(HECTARES.sum())
    gain = published.area.interval(1)
    assert gain.low < gain.value < gain.high
    assert gain.value - gain.low == pytest.approx(gain.high - gain.value)


def test_a_perfect_map_needs_no_adjustment():
    areas = adjust_areas(ConfusionMatrix(3, np.diag([50, 50, 50])), [1.0, 2.0, 7.0])
    assert areas.area.value == pytest.approx([1, 2, 7])
    assert areas.area.half_width == pytest.approx([0, 0, 0])


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    truth = rng.choice(3, size=200_000, p=[0.1, 0.3, 0.6])
    slips = rng.random(truth.size) < 0.2
    shown = np.where(slips, rng.choice(3, size=truth.size), truth)
    mapped = np.bincount(shown, minlength=3)
    by_class = [np.flatnonzero(shown == k) for k in range(3)]
    covered = np.zeros(3)
    rounds = 400
    for _ in range(rounds):
        points = np.concatenate([rng.choice(members, 80, replace=False) for members in by_class])
        sample = ConfusionMatrix(3)
        sample.update(truth[points], shown[points])
        areas = adjust_areas(sample, mapped)
        covered += np.abs(areas.area.value - np.bincount(truth, minlength=3)) <= areas.area.half_width
    assert np.all(covered / rounds > 0.91)
    assert np.all(covered / rounds < 0.985)


def test_a_class_that_the_map_never_shows_has_no_user_accuracy():
    areas = adjust_areas(ConfusionMatrix(3, np.array([[9, 1, 0], [1, 9, 0], [0, 0, 0]])), [5.0, 5.0, 0.0])
    assert np.isnan(areas.users.value[2])
    assert np.isnan(areas.producers.value[2])
    assert areas.area.value[2] == 0


@pytest.mark.parametrize("areas", [[1.0, 2.0], [1.0, -1.0, 2.0], [0.0, 0.0, 0.0]])
def test_mapped_areas_that_do_not_fit_are_refused(areas):
    with pytest.raises(InvalidSetting, match="mapped areas do not fit"):
        adjust_areas(ConfusionMatrix(3, np.full((3, 3), 5)), areas)


def test_a_mapped_class_without_sample_points_is_named():
    with pytest.raises(InvalidSetting, match="classes of index 1"):
        adjust_areas(ConfusionMatrix(2, np.diag([50, 1])), [3.0, 4.0])
