"""Scores made into probabilities that mean what they say, by one temperature for each horizon (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arpent.errors import DatasetError, InvalidSetting

__all__ = ["calibrate"]

_COLDEST, _HOTTEST = 0.05, 20.0
_MOST_PIXELS = 200_000
"""Pixels of a horizon that are looked at, evenly spread: one number needs no more."""
_GOLDEN = (np.sqrt(5) - 1) / 2
_ROUNDS = 40


def calibrate(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """The temperature of each horizon: by it scores are divided before they become probabilities.

    It is the one under which the truth is likeliest; it changes no most likely class. A horizon without truth keeps 1.

    Args:
        logits: ``(N, horizons, classes, …)`` scores of forecasts that nothing was learnt from.
        truth: ``(N, horizons, …)`` indices of the true classes, -1 where unknown.

    Returns:
        ``(horizons,)``.

    Raises:
        InvalidSetting: their shapes do not fit.
        DatasetError: a score is not a finite number.
    """
    if logits.ndim < 3 or truth.shape != (*logits.shape[:2], *logits.shape[3:]):
        raise InvalidSetting(
            "scores and truth do not fit each other",
            found=f"{logits.shape} and {truth.shape}",
            expected="(N, horizons, classes, …) and (N, horizons, …)",
            cure="Give one true class for each pixel of the scores.",
        )
    return np.array([_temperature(logits[:, step], truth[:, step]) for step in range(logits.shape[1])])


def _temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Of scores ``(N, classes, …)``."""
    known = np.flatnonzero(truth.ravel() >= 0)
    if not known.size:
        return 1.0
    known = known[:: -(-known.size // _MOST_PIXELS)]
    scores = np.moveaxis(logits, 1, -1).reshape(-1, logits.shape[1])[known].astype(np.float64)
    if not np.isfinite(scores).all():
        raise DatasetError("a score to calibrate is not a finite number", cure="Train again with a lower rate.")
    scores -= scores.max(axis=1, keepdims=True)
    true = scores[np.arange(known.size), truth.ravel()[known]]

    def surprise(log: float) -> float:
        """Mean negative log-likelihood at the temperature of that logarithm; it has one valley."""
        sharp = np.exp(-log)
        return float((np.log(np.exp(scores * sharp).sum(axis=1)) - true * sharp).mean())

    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = surprise(left), surprise(right)
    for _ in range(_ROUNDS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = surprise(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = surprise(right)
    return float(np.exp((low + high) / 2))
