"""Curves, calibration and intervals of change, against plain computations over every pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics import BlockCounts, Detection, ScoreHistogram, reliability
from arpent.metrics.curves import bin_of, score_of


def sample(seed, pixels=400, changed=0.3, levels=0):
    """Scores that are higher where there is change; on few levels, so that many are equal, if asked for."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(pixels) < changed).astype(np.uint8) * rng.integers(1, 4, pixels).astype(np.uint8)
    scores = np.clip(rng.normal(0.35 + 0.3 * (truth > 0), 0.2, pixels), 0, 1)
    scores = (np.round(scores * levels) / levels if levels else scores).astype(np.float32)
    return score_of(bin_of(scores)).astype(np.float32), truth  # on the edges of bins, so that nothing is rounded


def counted(scores, truth):
    histogram = ScoreHistogram()
    histogram.update(scores, truth)
    return histogram


@given(st.integers(0, 10_000), st.sampled_from([0, 3, 20]))
@settings(deadline=None, max_examples=40)
def test_curves_equal_those_over_every_pixel(seed, levels):
    scores, truth = sample(seed, levels=levels)
    changed = truth > 0
    curve = counted(scores, truth).curve()
    above = scores[changed][:, None] > scores[~changed][None]
    equal = scores[changed][:, None] == scores[~changed][None]
    assert curve.roc_auc == pytest.approx((above + 0.5 * equal).mean())
    reported = [scores >= score for score in scores[changed]]
    plain = np.mean([(changed & one).sum() / one.sum() for one in reported])
    assert curve.average_precision == pytest.approx(plain)
    best = curve.best()
    f1 = [2 * (changed & (scores >= t)).sum() / (changed.sum() + (scores >= t).sum()) for t in np.unique(scores)]
    assert best.f1 == pytest.approx(max(f1))
    said = scores >= best.threshold
    assert (best.hits, best.alarms) == ((said & changed).sum(), (said & ~changed).sum())
    assert (best.misses, best.quiet) == ((~said & changed).sum(), (~said & ~changed).sum())


@given(*[st.floats(0, 2.0**100, width=32)] * 2)
def test_bins_keep_the_order_and_a_thousandth_of_the_score(one, other):
    first, second = bin_of([one, other])
    assert first <= second if one <= other else first >= second
    assert score_of(first) <= one <= max(score_of(first) * (1 + 1 / 1023), 1e-37)


@given(st.floats(0, 1.2))
@settings(deadline=None)
def test_any_threshold_can_be_asked_for(threshold):
    scores, truth = sample(1)
    found = counted(scores, truth).curve().at(threshold)
    said = scores >= score_of(bin_of([threshold]))[0]
    assert (found.hits, found.alarms) == ((said & (truth > 0)).sum(), (said & (truth == 0)).sum())


def test_histograms_add_up_in_any_order():
    scores, truth = sample(2)
    parts = [counted(scores[k::3], truth[k::3]) for k in (2, 0, 1)]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    whole = counted(scores, truth)
    assert merged.pixels == whole.pixels == 400
    assert merged.curve().average_precision == whole.curve().average_precision
    assert merged.recall_by_kind(0.5) == whole.recall_by_kind(0.5)


def test_recall_of_each_kind():
    scores, truth = sample(3)
    found = counted(scores, truth).recall_by_kind(0.5)
    assert found == {kind: pytest.approx((scores[truth == kind] >= 0.5).mean()) for kind in (1, 2, 3)}


def test_figures_of_a_detection():
    one = Detection(0.5, hits=6, alarms=2, misses=4, quiet=88)
    expected = {"f1": 12 / 18, "iou": 0.5, "precision": 0.75, "recall": 0.6, "threshold": 0.5}
    assert one.summary() == pytest.approx(expected)
    assert Detection(0.5, 0, 0, 0, 9).f1 == 0


def test_calibration_against_a_plain_computation():
    rng = np.random.default_rng(4)
    scores = rng.random(5000).astype(np.float32)
    truth = (rng.random(5000) < scores**2).astype(np.uint8)
    found = reliability(counted(scores, truth), bins=10)
    places = np.minimum((scores * 10).astype(int), 9)
    said = np.array([scores[places == k].mean() for k in range(10)])
    seen = np.array([truth[places == k].mean() for k in range(10)])
    assert np.allclose(found.said, said, atol=2e-3) and np.allclose(found.seen, seen, atol=0.02)
    sizes = np.bincount(places, minlength=10)
    assert found.expected_error == pytest.approx(np.average(np.abs(said - seen), weights=sizes), abs=3e-3)
    assert found.largest_error == pytest.approx(np.abs(said - seen).max(), abs=0.02)


def test_sure_and_right_is_perfectly_calibrated():
    found = reliability(counted(np.array([0.0, 0.0, 1.0], np.float32), np.array([0, 0, 2], np.uint8)))
    assert found.expected_error == pytest.approx(0, abs=1e-30) and found.pixels.sum() == 3


def test_intervals_hold_the_figures_and_widen_with_the_blocks():
    widths = []
    for side in (1, 50):
        scores, truth = sample(5, pixels=4000)
        # Truth that comes in blocks: whole blocks are easy or hard.
        hard = np.repeat(np.random.default_rng(6).random(80) < 0.5, 50)
        scores = np.where(hard, scores[::-1], scores)
        blocks = BlockCounts(np.linspace(0.05, 0.95, 19), 0.5)
        for number in range(4000 // side):
            part = slice(number * side, (number + 1) * side)
            blocks.update(number, scores[part], truth[part] > 0)
        found = blocks.intervals(draws=300)
        said = scores >= 0.5
        f1 = 2 * (said & (truth > 0)).sum() / (said.sum() + (truth > 0).sum())
        assert found["f1"].value == pytest.approx(f1)
        assert all(one.low <= one.value <= one.high for one in found.values())
        widths.append(found["f1"].high - found["f1"].low)
    assert widths[1] > 1.2 * widths[0]


def test_areas_under_coarse_curves_come_near_the_fine_ones():
    scores, truth = sample(7, pixels=4000)
    blocks = BlockCounts(np.linspace(0.01, 0.99, 99), 0.5)
    blocks.update(0, scores, truth > 0)
    found, curve = blocks.intervals(draws=2), counted(scores, truth).curve()
    assert found["roc_auc"].value == pytest.approx(curve.roc_auc, abs=2e-3)
    assert found["average_precision"].value == pytest.approx(curve.average_precision, abs=1e-2)


def test_one_sided_truth():
    curve = counted(np.ones(3, np.float32), np.zeros(3, np.uint8)).curve()
    assert np.isnan(curve.roc_auc) and np.isnan(curve.average_precision) and curve.best().f1 == 0


@pytest.mark.parametrize("bad", [-0.5, np.nan])
def test_scores_that_are_none_are_refused(bad):
    with pytest.raises(InvalidSetting, match="negative or not a number"):
        counted(np.array([0.5, bad], np.float32), np.zeros(2, np.uint8))


def test_misuse_is_refused():
    with pytest.raises(InvalidSetting, match="differ in shape"):
        counted(np.zeros(3, np.float32), np.zeros(2, np.uint8))
    with pytest.raises(DatasetError, match="no pixel"):
        ScoreHistogram().curve()
    with pytest.raises(DatasetError, match="no block"):
        BlockCounts([0.1, 0.2], 0.15).intervals()
