"""How far the changes that a forecast says are worth believing: one share for each horizon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting

__all__ = ["believed"]

_SHARES = np.linspace(0, 1, 21)


def believed(
    kept: NDArray[np.floating], changes: NDArray[np.floating], truth: NDArray[np.integer], *, watched: int = 0
) -> NDArray[np.float64]:
    """The share of the changes of each horizon by which the watched class is mapped best.

    None is above 1: changes are never made larger than they were foretold, for a place that stays is harmed by that.
    Of equally good shares it is the smallest. A horizon at which the class neither is nor is foretold keeps 1.

    Args:
        kept: ``(N, classes)`` scores of the issue date at pixels that nothing was learnt from.
        changes: ``(N, horizons, classes)`` what is added to them at each horizon.
        truth: ``(N, horizons)`` indices of the true classes, -1 where unknown.
        watched: index of the class whose IoU decides.

    Raises:
        InvalidSetting: their shapes do not fit.
    """
    if changes.ndim != 3 or kept.shape != changes[:, 0].shape or truth.shape != changes.shape[:2]:
        raise InvalidSetting(
            "scores, changes and truth do not fit each other",
            found=f"{kept.shape}, {changes.shape} and {truth.shape}",
            expected="(N, classes), (N, horizons, classes) and (N, horizons)",
            cure="Give one true class for each pixel and horizon.",
        )
    return np.array([_share(kept, changes[:, step], truth[:, step], watched) for step in range(changes.shape[1])])


def _share(
    kept: NDArray[np.floating], changes: NDArray[np.floating], truth: NDArray[np.integer], watched: int
) -> float:
    """Of one horizon."""
    known = truth >= 0
    now, moved, true = kept[known], changes[known], truth[known] == watched
    best, found = -1.0, 1.0
    for share in _SHARES:
        said = (now + share * moved).argmax(axis=1) == watched
        either = int((said | true).sum())
        iou = int((said & true).sum()) / either if either else -1.0
        if iou > best:
            best, found = iou, float(share)
    return found
