"""Scores of forecasts against plain computations over every pixel, and temperatures against a plain search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics import ForecastTally, Shares, calibrate, regime_of, reliability


def forecast(seed, classes=3, shape=(6, 7)):
    """Truth at the issue date and at the horizon, probabilities and the mask they make; some truth is unknown."""
    rng = np.random.default_rng(seed)
    before = rng.integers(0, classes, shape)
    truth = np.where(rng.random(shape) < 0.7, before, rng.integers(0, classes, shape))
    truth[rng.random(shape) < 0.1] = -1
    before[rng.random(shape) < 0.1] = -1
    scores = rng.normal(size=(classes, *shape))
    chances = np.exp(scores) / np.exp(scores).sum(axis=0)
    return truth, before, chances.argmax(axis=0), chances.astype(np.float32)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_scores_equal_those_over_every_pixel_and_parts_add_up(seed):
    windows = {f"place {number}": forecast(seed + number) for number in range(3)}
    whole, upper, lower = ForecastTally(3, 1), ForecastTally(3, 1), ForecastTally(3, 1)
    for name, (truth, before, guess, chances) in windows.items():
        whole.update(name, 1, truth, before, guess, chances)
        for tally, rows in ((upper, slice(0, 2)), (lower, slice(2, None))):
            tally.update(name, 1, truth[rows], before[rows], guess[rows], chances[:, rows])
    found, merged = whole.scores()[0], lower.merge(upper).scores()[0]

    kept = [(t >= 0) & (b >= 0) for t, b, _, _ in windows.values()]
    truth, before, guess = (
        np.concatenate([w[part][k] for w, k in zip(windows.values(), kept, strict=True)]) for part in range(3)
    )
    chances = np.concatenate([w[3][:, k] for w, k in zip(windows.values(), kept, strict=True)], axis=1)
    water, said = truth == 0, guess == 0
    assert found.iou == pytest.approx((water & said).sum() / (water | said).sum())
    assert found.scores.accuracy == pytest.approx((truth == guess).mean())
    assert found.changed_accuracy == pytest.approx((truth == guess)[truth != before].mean())
    assert found.brier == pytest.approx(((chances - np.eye(3)[truth].T) ** 2).sum(axis=0).mean())
    errors = [(w[2][k] == 0).mean() - (w[0][k] == 0).mean() for w, k in zip(windows.values(), kept, strict=True)]
    assert found.fraction_rmse[0] == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert (found.windows, found.pixels) == (3, truth.size)
    assert merged.summary() == pytest.approx(found.summary())
    one, other = (reliability(tally.histogram(1)) for tally in (whole, lower))
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_mask_is_taken_at_its_word():
    truth, before, guess, _ = forecast(3)
    sure, plain = ForecastTally(3, 1), ForecastTally(3, 1)
    sure.update("a", 1, truth, before, guess, np.eye(3)[guess].transpose(2, 0, 1))
    plain.update("a", 1, truth, before, guess)
    assert plain.scores()[0].brier == pytest.approx(sure.scores()[0].brier)
    assert plain.histogram(1) is None


def test_regimes_follow_from_whole_windows_however_they_are_cut():
    def window(before, after, total=100):
        was, now = np.ones(total, int), np.ones(total, int)
        was[:before] = 0
        now[:after] = 0
        return now, was

    tally = ForecastTally(2, 1)
    for name, (before, after) in {"rise": (20, 40), "fall": (40, 20), "stay": (40, 41), "dry": (0, 0)}.items():
        now, was = window(before, after)
        for part in (slice(0, 30), slice(30, None)):  # the first part alone would say otherwise
            tally.update(name, 1, now[part], was[part], was[part])
    regimes = tally.by_regime()
    assert {name: regimes[name][0].windows for name in regimes} == {"rising": 1, "falling": 1, "steady": 2}
    assert regimes["rising"][0].iou == pytest.approx(0.5)
    assert regimes["falling"][0].changed_accuracy == 0
    assert tally.shares(1)["fall"] == Shares(0.4, 0.2, 0.4, "falling")
    assert regime_of(0, 0) == "steady"
    assert regime_of(0, 1) == "rising"


def test_a_regime_that_never_happens_has_no_scores_and_a_horizon_without_truth_is_said():
    tally = ForecastTally(2, 2)
    tally.update("a", 1, np.zeros(4, int), np.zeros(4, int), np.zeros(4, int))
    assert tally.by_regime()["rising"] == (None, None)
    with pytest.raises(DatasetError, match="2 steps ahead has a known truth"):
        tally.scores()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda t: t.update("a", 3, np.zeros(1, int), np.zeros(1, int), np.zeros(1, int)), "not judged"),
        (lambda t: t.update("a", 1, np.zeros(2, int), np.zeros(1, int), np.zeros(2, int)), "differ in size"),
        (lambda t: t.update("a", 1, *[np.zeros(2, int)] * 3, np.zeros((3, 2))), "differ in size"),
        (lambda t: t.merge(ForecastTally(3, 2)), "different kinds"),
        (lambda t: ForecastTally(2, 0), "needs classes"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, words):
    with pytest.raises(InvalidSetting, match=words):
        wrong(ForecastTally(2, 2))


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_scores_too_sure_is_found_again(heat):
    rng = np.random.default_rng(5)
    honest = rng.normal(size=(4, 2, 3, 60, 60)) * 2
    odds = np.exp(honest) / np.exp(honest).sum(axis=2, keepdims=True)
    truth = (rng.random((4, 2, 1, 60, 60)) > odds.cumsum(axis=2)).sum(axis=2)
    truth[:, 0, :5] = -1
    found = calibrate((honest * heat).astype(np.float32), truth)
    assert found == pytest.approx([heat, heat], rel=0.05)


def test_a_horizon_without_truth_keeps_its_scores():
    logits = np.random.default_rng(0).normal(size=(2, 2, 2, 4, 4))
    truth = np.stack([np.full((2, 4, 4), -1), np.zeros((2, 4, 4), int)], axis=1)
    assert calibrate(logits, truth)[0] == 1.0


def test_scores_that_cannot_be_calibrated_are_refused():
    with pytest.raises(InvalidSetting, match="do not fit"):
        calibrate(np.zeros((2, 3, 4, 5, 5)), np.zeros((2, 3, 5, 4), int))
    with pytest.raises(DatasetError, match="not a finite number"):
        calibrate(np.full((1, 1, 2, 2), np.nan), np.zeros((1, 1, 2), int))
