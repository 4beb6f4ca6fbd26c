"""Scores of several labels per image, held against plain loops that know no sorting and no cumulated sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics import Labelled, bootstrap, label_curve, label_reliability, score_labels


def made(
    seed: int, images: int = 40, labels: int = 5, ties: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    truth = (random.random((images, labels)) < 0.3).astype(np.uint8)
    chances = np.clip(0.35 * truth + 0.65 * random.random((images, labels)), 0, 1)
    return (np.round(chances, 1) if ties else chances), truth


def plain_average_precision(
    chances: NDArray[np.float64], truth: NDArray[np.uint8], weights: NDArray[np.float64]
) -> float:
    """For each image that bears the label: of those given as much or more, the share that bears it."""
    total = bearing = 0.0
    for chance, true, weight in zip(chances, truth, weights, strict=True):
        if true and weight:
            above = [(w, t) for c, t, w in zip(chances, truth, weights, strict=True) if c >= chance]
            total += weight * sum(w for w, t in above if t) / sum(w for w, _ in above)
            bearing += weight
    return total / bearing if bearing else math.nan


def plain_roc(chances: NDArray[np.float64], truth: NDArray[np.uint8]) -> float:
    """Every bearer against every other image."""
    ours, theirs = chances[truth == 1], chances[truth == 0]
    if not len(ours) or not len(theirs):
        return math.nan
    return float(np.mean([(a > b) + 0.5 * (a == b) for a in ours for b in theirs]))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 25), st.booleans())
def test_ranking_figures_are_those_of_plain_loops(seed: int, images: int, ties: bool) -> None:
    chances, truth = made(seed, images, 3, ties)
    weights = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images)).astype(float)
    labelled = Labelled(chances, truth)
    for counted in (None, weights):
        plain = np.ones(images) if counted is None else counted
        expected = [plain_average_precision(chances[:, n], truth[:, n], plain) for n in range(3)]
        np.testing.assert_allclose(labelled.average_precisions(counted), expected, atol=1e-12)
    scores = score_labels(labelled, "abc")
    np.testing.assert_allclose(
        [one.roc_auc for one in scores.labels], [plain_roc(chances[:, n], truth[:, n]) for n in range(3)], atol=1e-12
    )


def test_figures_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chances, truth = made(3, 60, 6)
    thresholds = np.linspace(0.3, 0.6, 6)
    said = chances >= thresholds
    scores = score_labels(Labelled(chances, truth, thresholds), "abcdef")
    for name, average in (("micro_f1", "micro"), ("macro_f1", "macro"), ("sample_f1", "samples")):
        expected = metrics.f1_score(truth, said, average=average, zero_division=1.0)
        assert scores.summary()[name] == pytest.approx(expected), name
    assert scores.micro.precision == pytest.approx(metrics.precision_score(truth, said, average="micro"))
    assert scores.micro.recall == pytest.approx(metrics.recall_score(truth, said, average="micro"))
    assert scores.mean_average_precision == pytest.approx(metrics.average_precision_score(truth, chances))
    assert scores.roc_auc == pytest.approx(metrics.roc_auc_score(truth, chances))
    assert scores.accuracy == pytest.approx((truth == said).mean())
    assert scores.always_no == pytest.approx((truth == 0).mean())
    each = score_labels(Labelled(chances, truth, np.tile(thresholds, (60, 1))), "abcdef")
    assert each == scores, "thresholds may be given for every image"


def test_a_label_that_no_image_bears_is_named_and_left_out_of_the_means() -> None:
    chances, truth = made(1, 30, 4)
    truth[:, 2] = 0
    with_it = score_labels(Labelled(chances, truth), ["a", "b", "lake", "d"])
    kept = [0, 1, 3]
    without = score_labels(Labelled(chances[:, kept], truth[:, kept]), ["a", "b", "d"])
    assert with_it.left_out == ("lake",)
    assert with_it.mean_average_precision == pytest.approx(without.mean_average_precision)
    assert with_it.macro_f1 == pytest.approx(without.macro_f1)
    assert with_it.roc_auc == pytest.approx(without.roc_auc)
    assert math.isnan(with_it.labels[2].average_precision)
    assert with_it.micro.alarms > without.micro.alarms, "what is said of it wrongly still counts"


def test_an_image_without_labels_that_is_given_none_is_right() -> None:
    labelled = Labelled(np.array([[0.1, 0.2], [0.9, 0.1]]), np.array([[0, 0], [1, 1]]))
    assert labelled.sample_f1() == pytest.approx((1 + 2 / 3) / 2)
    silent = Labelled(np.zeros((2, 2)), np.zeros((2, 2)))
    assert math.isnan(silent.micro_f1())
    assert math.isnan(score_labels(silent, "ab").mean_average_precision)


def test_the_curve_and_the_diagram_are_exact() -> None:
    chances = np.array([0.9, 0.9, 0.4, 0.2])
    truth = np.array([1, 0, 1, 0])
    curve = label_curve(chances, truth)
    assert curve.thresholds.tolist() == [0.9, 0.4, 0.2]
    assert curve.hits.tolist() == [1, 2, 2]
    assert curve.alarms.tolist() == [1, 1, 2]
    assert curve.average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)
    shown = label_reliability(chances, truth, bins=2)
    assert shown.pixels.tolist() == [2, 2]
    assert shown.expected_error == pytest.approx((abs(0.3 - 0.5) + abs(0.9 - 0.5)) / 2)
    assert label_reliability(np.ones(3), np.ones(3)).expected_error == 0.0, "certainty lies in the last bin"


def test_chances_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="do not fit"):
        Labelled(np.zeros((3, 2)), np.zeros((2, 3)))
    with pytest.raises(DatasetError, match="no image"):
        Labelled(np.zeros((0, 2)), np.zeros((0, 2)))
    for wrong in (math.nan, 1.5, -0.1):
        with pytest.raises(DatasetError, match="not a probability"):
            Labelled(np.array([[0.5], [wrong]]), np.zeros((2, 1)))
    with pytest.raises(InvalidSetting, match="3 names for 2"):
        score_labels(Labelled(np.zeros((3, 2)), np.zeros((3, 2))), "abc")


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(0).normal(size=400)

    def mean(weights: NDArray[np.float64] | None) -> float:
        return float(np.average(values, weights=weights))

    found = bootstrap(mean, 400, draws=2000, seed=1)
    reach = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * reach, rel=0.08)
    assert found == bootstrap(mean, 400, draws=2000, seed=1)
    assert found != bootstrap(mean, 400, draws=2000, seed=2)


def test_a_difference_over_the_same_images_is_surer_than_its_sides() -> None:
    chances, truth = made(5, 120, 4)
    better = Labelled(np.clip(chances + 0.05 * truth, 0, 1), truth)
    other = Labelled(chances, truth)
    side = bootstrap(other.mean_average_precision, 120, draws=300)
    gain = bootstrap(lambda w: better.mean_average_precision(w) - other.mean_average_precision(w), 120, draws=300)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < 0.5 * (side.high - side.low)
    flat = bootstrap(better.micro_f1, 120, draws=300)
    assert flat.low < flat.value < flat.high


def test_an_interval_that_no_draw_knows_is_unknown() -> None:
    nothing = bootstrap(lambda weights: math.nan, 3, draws=4)
    assert math.isnan(nothing.low) and math.isnan(nothing.high)
    with pytest.raises(InvalidSetting, match="images and draws"):
        bootstrap(lambda weights: 0.0, 0)
