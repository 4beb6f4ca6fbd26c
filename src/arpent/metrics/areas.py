"""How large each class really is, given a map and a sample of its errors.

Counting the pixels of a map gives the area that the *map* says; a map that misses a class says too little of it. The
estimators here correct the areas by the confusion seen in a sample, and give intervals: P. Olofsson, G. M. Foody,
M. Herold, S. V. Stehman, C. E. Woodcock and M. A. Wulder, "Good practices for estimating area and assessing accuracy
of land change", Remote Sensing of Environment 148 (2014) 42-57, equations 2 to 11, for a sample stratified by the
classes of the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arpent.errors import InvalidSetting
from arpent.metrics.dense import ConfusionMatrix
from arpent.metrics.resampling import Interval

__all__ = ["AdjustedAreas", "Estimate", "adjust_areas"]


@dataclass(frozen=True)
class Estimate:
    """Values with half the width of their intervals, ``(classes,)`` each; NaN where nothing can be said."""

    value: NDArray[np.float64]
    half_width: NDArray[np.float64]

    def interval(self, index: int) -> Interval:
        """The interval of one class."""
        value, half = float(self.value[index]), float(self.half_width[index])
        return Interval(value, value - half, value + half)


@dataclass(frozen=True)
class AdjustedAreas:
    """Areas and accuracies that follow from an error matrix and the mapped areas.

    Attributes:
        mapped: areas by counting the pixels of the map, ``(classes,)``.
        area: error-adjusted areas, in the unit of `mapped`.
        users: user's accuracy (precision), by share of area.
        producers: producer's accuracy (recall), by share of area.
        overall: overall accuracy, by share of area.
        level: confidence level of all intervals.
    """

    mapped: NDArray[np.float64]
    area: Estimate
    users: Estimate
    producers: Estimate
    overall: Interval
    level: float


def adjust_areas(sample: ConfusionMatrix, mapped: ArrayLike, level: float = 0.95) -> AdjustedAreas:
    """Error-adjusted areas.

    Args:
        sample: reference against map at *independent* sample points drawn at random within each class of the map.
            The pixels of a test image are neighbours, not independent points: with those the intervals are a
            lower bound, and the areas still hold.
        mapped: area of each class by counting pixels of the whole map, in any unit, ``(classes,)``.
        level: confidence level of the intervals.
    """
    counts = sample.counts.T.astype(np.float64)  # from here on rows are the map, columns the reference
    areas = np.asarray(mapped, np.float64)
    drawn = counts.sum(1)
    _check(areas, drawn)
    share = areas / areas.sum()
    taken = drawn > 0
    rate = np.divide(counts, drawn[:, None], out=np.zeros_like(counts), where=taken[:, None])
    freedom = np.where(taken, drawn - 1, 1)[:, None]
    spread = rate * (1 - rate) / freedom  # variance of each rate within its stratum

    proportion = share[:, None] * rate  # equation 4: cells of the error matrix as shares of the area
    reference = proportion.sum(0)
    users = np.where(taken, np.diagonal(rate), np.nan)
    right = np.diagonal(proportion)
    producers = np.divide(right, reference, out=np.full_like(right, np.nan), where=reference > 0)

    z = NormalDist().inv_cdf((1 + level) / 2)
    area_error = np.sqrt((share[:, None] ** 2 * spread).sum(0))
    own = np.diagonal(spread)
    overall, overall_error = float(right.sum()), float(np.sqrt((share**2 * own).sum()))
    return AdjustedAreas(
        mapped=areas,
        area=Estimate(areas.sum() * reference, z * areas.sum() * area_error),
        users=Estimate(users, z * np.where(taken, np.sqrt(own), np.nan)),
        producers=Estimate(producers, z * _producers_error(share, spread, producers, reference)),
        overall=Interval(overall, overall - z * overall_error, overall + z * overall_error),
        level=level,
    )


def _producers_error(
    share: NDArray[np.float64],
    spread: NDArray[np.float64],
    producers: NDArray[np.float64],
    reference: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Standard error of producer's accuracy (equation 7), all areas as shares of the whole."""
    weighted = share[:, None] ** 2 * spread
    own = np.diagonal(weighted)
    others = weighted.sum(0) - own
    variance = (1 - producers) ** 2 * own + producers**2 * others
    error = np.sqrt(np.divide(variance, reference**2, out=np.full_like(variance, np.nan), where=reference > 0))
    return np.asarray(error, np.float64)


def _check(areas: NDArray[np.float64], drawn: NDArray[np.float64]) -> None:
    if areas.shape != drawn.shape or (areas < 0).any() or not areas.sum() > 0:
        raise InvalidSetting(
            "the mapped areas do not fit the error matrix",
            found=f"{areas.size} areas, the least {areas.min() if areas.size else 'none'}",
            expected=f"{drawn.size} areas, none below 0",
            cure="Give the mapped area of each class, in the order of the matrix.",
        )
    lacking = np.flatnonzero((areas > 0) & (drawn < 2))
    if lacking.size:
        raise InvalidSetting(
            "an area cannot be adjusted without a sample of each mapped class",
            found=f"fewer than two points in the mapped classes of index {', '.join(map(str, lacking))}",
            expected="at least two points in each class that the map shows",
            cure="Draw more points in these classes, or merge them with others.",
        )
