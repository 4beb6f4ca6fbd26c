"""Intervals over places."""

import numpy as np
import pytest

from arpent.metrics import jackknife


def test_of_a_mean_it_is_students_interval():
    values = np.array([0.01, 0.03, 0.02, 0.06])
    left_out = [float(np.delete(values, at).mean()) for at in range(4)]
    found = jackknife(float(values.mean()), left_out)
    error = values.std(ddof=1) / 2
    assert (found.low, found.value, found.high) == pytest.approx((0.03 - 3.182 * error, 0.03, 0.03 + 3.182 * error))


def test_it_holds_what_it_promises():
    """Nineteen of twenty intervals of the mean of six draws hold the true mean."""
    draws = np.random.default_rng(0).normal(0.02, 0.03, (600, 6))
    inside = 0
    for values in draws:
        found = jackknife(float(values.mean()), [float(np.delete(values, at).mean()) for at in range(6)])
        inside += found.low <= 0.02 <= found.high
    assert 0.93 < inside / len(draws) < 0.97


@pytest.mark.parametrize("left_out", [[], [0.1], [0.1, float("nan")]])
def test_too_little_gives_none(left_out):
    assert jackknife(0.1, left_out) is None


def test_many_groups_come_near_the_normal_interval():
    values = np.random.default_rng(1).normal(size=200)
    found = jackknife(float(values.mean()), [float(np.delete(values, at).mean()) for at in range(200)])
    assert (found.high - found.low) / 2 == pytest.approx(1.972 * values.std(ddof=1) / np.sqrt(200), rel=2e-3)
