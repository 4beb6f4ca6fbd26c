"""Which of several maps is highest, pixel by pixel."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["highest"]


def highest(scores: NDArray[np.float32]) -> NDArray[np.integer]:
    """The number ``(height, width)`` of the highest of maps ``(maps, height, width)``; the first on a tie.

    Numpy's own arg-max over the first axis walks through memory the wrong way and takes some thirty times longer; it
    is left to those with more maps than a byte can number.
    """
    if len(scores) > 256:
        return np.asarray(scores.argmax(axis=0))
    return np.asarray(_highest(np.ascontiguousarray(scores, np.float32)))


@numba.njit(cache=True, nogil=True)
def _highest(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    maps, height, width = scores.shape
    chosen = np.zeros((height, width), np.uint8)
    best = np.empty(width, np.float32)
    for row in range(height):
        best[:] = scores[0, row]
        for number in range(1, maps):
            for col in range(width):
                value = scores[number, row, col]
                chosen[row, col] = number if value > best[col] else chosen[row, col]
                best[col] = max(value, best[col])
    return chosen
