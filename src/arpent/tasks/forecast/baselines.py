"""What anybody could say of the next dates without a network: the measure of every forecast.

All of them know the truth up to the issue date and nothing after it.

persistence
    Nothing changes: the true mask of the issue date, at every horizon.
linear
    Each pixel goes on as it went: a line through its distance from the edge of each class at the last dates, so that
    a shore goes on at the pace it had there. (Through masks alone a line could say nothing but persistence.)
climatology
    Each pixel is what it mostly was, over all dates of the place up to the issue date.

The fourth, persistence of the *predicted* mask, needs the model's own segmentation of the issue date, and nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.pixels.edges import edge_distance

__all__ = ["Climatology", "Guess", "linear", "persistence"]

_SAME_DAY = 1e-9
"""Square days of spread under which dates lie together and say nothing of a trend."""

_FURTHEST = 32.0
"""Pixels beyond which distances count no more: what comes up far away is no moving shore."""

_TIE = 1e-6
"""What the present class is ahead by where two are equally likely."""


@dataclass(frozen=True)
class Guess:
    """What is said of one horizon.

    Attributes:
        mask: ``(H, W)`` indices of classes; -1 where nothing is known.
        chances: ``(classes, H, W)`` probabilities; None for a mask that is taken at its word.
    """

    mask: NDArray[np.int64]
    chances: NDArray[np.float32] | None = None


def persistence(masks: NDArray[np.integer]) -> Guess:
    """The last of the masks ``(dates, H, W)``."""
    return Guess(masks[-1].astype(np.int64))


def linear(masks: NDArray[np.integer], days: NDArray[np.number], ahead: float, classes: int) -> Guess:
    """A line through the distance of each pixel from the edge of each class, by least squares, followed to a later day.

    Args:
        masks: ``(dates, H, W)`` indices of true classes, -1 where unknown; there, a date counts for nothing.
        days: ``(dates,)`` days since the issue date, ascending; the last is 0.
        ahead: days from the issue date to the horizon.
        classes: how many there are.
    """
    when = np.asarray(days, np.float64)
    known = (masks >= 0).astype(np.float64)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.tensordot(when, known, 1) / count
    spread = np.tensordot(when**2, known, 1) - count * middle**2
    weights = np.empty((classes, *masks.shape[1:]))
    for index in range(classes):
        away = np.stack([np.clip(edge_distance(mask == index), -_FURTHEST, _FURTHEST) for mask in masks]) * known
        level = away.sum(axis=0) / count
        rise = np.tensordot(when, away, 1) - middle * away.sum(axis=0)
        slope = np.divide(rise, spread, out=np.zeros_like(rise), where=spread > _SAME_DAY)
        weights[index] = level + slope * (ahead - middle)
    return Guess(_heaviest(weights, masks[-1]))


class Climatology:
    """How often each pixel was of each class up to now.

    Args:
        classes: how many there are.
        shape: height and width.
    """

    def __init__(self, classes: int, shape: tuple[int, int]) -> None:
        self._counts = np.zeros((classes, *shape), np.int32)

    def add(self, mask: NDArray[np.integer]) -> None:
        """A further date, ``(H, W)`` indices of true classes, -1 where unknown."""
        for index in range(len(self._counts)):
            self._counts[index] += mask == index

    def guess(self, present: NDArray[np.integer]) -> Guess:
        """For any horizon; `present` is the mask of the issue date."""
        return _guess(self._counts.astype(np.float64), present)


def _guess(weights: NDArray[np.float64], present: NDArray[np.integer]) -> Guess:
    """Weights above zero as probabilities, and the mask that they make."""
    total = weights.sum(axis=0)
    chances = np.divide(weights, total, out=np.full_like(weights, 1 / len(weights)), where=total > 0)
    return Guess(_heaviest(chances, present), chances.astype(np.float32))


def _heaviest(weights: NDArray[np.float64], present: NDArray[np.integer]) -> NDArray[np.int64]:
    """The class of greatest weight; of equal ones the present class; -1 where that is unknown."""
    ahead = weights + _TIE * (np.arange(len(weights))[:, None, None] == present)
    return np.where(present >= 0, ahead.argmax(axis=0), -1)
