"""What the compiled loops of the speckle filters are told, and the room they work in."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan", "Rows", "halves", "no_pattern", "quarter"]


class Plan(NamedTuple):
    """What a filter does.

    Attributes:
        rule: one of those in `speckle_kernels`.
        reach: half a window; windows have ``2 reach + 1`` pixels on a side.
        looks: equivalent number of looks of the speckle.
        damping: of the rules that weigh by an exponential.
        pattern: pixels of the window that are looked at one by one: `quarter`, `halves` or `no_pattern`.
    """

    rule: int
    reach: int
    looks: float
    damping: float
    pattern: NDArray[np.int64]


class Rows(NamedTuple):
    """Room for one piece of a row and what its windows reach.

    Attributes:
        ring: ``(window, piece + 2 reach)`` of float32; row r of the image stands in row r modulo window.
        seen: the same, 1 where something is known and 0 elsewhere; of no width where nobody asks.
        down: ``(3, piece + 2 reach)`` of float64, sums over columns: of values, squares and counts.
        total: ``(piece,)`` of float64, sums over windows.
        squares: the same, of squared values.
        count: the same, pixels that are known.
    """

    ring: Any
    seen: Any
    down: Any
    total: Any
    squares: Any
    count: Any


@lru_cache(maxsize=16)
def quarter(reach: int) -> NDArray[np.int64]:
    """The lower right quarter of a window, nearest first: ``(1, pixels, 3)``, rows, columns, squared distance."""
    down, across = np.divmod(np.arange((reach + 1) ** 2), reach + 1)
    squared = down**2 + across**2
    order = np.argsort(squared, kind="stable")
    return _fixed(np.stack([down, across, squared], axis=-1)[None, order])


@lru_cache(maxsize=16)
def halves(reach: int) -> NDArray[np.int64]:
    """The eight halves of a window, each with the middle: ``(8, pixels, 3)``, as `quarter`.

    Two for each direction of edge: left and right, above and below, above left and below right, above right and
    below left.
    """
    side = np.arange(-reach, reach + 1)
    down, across = (part.ravel() for part in np.meshgrid(side, side, indexing="ij"))
    window = np.stack([down, across, down**2 + across**2], axis=-1)
    edges = (across, down, down + across, down - across)
    return _fixed(np.stack([window[sign * edge <= 0] for edge in edges for sign in (1, -1)]))


@lru_cache(maxsize=1)
def no_pattern() -> NDArray[np.int64]:
    """Nothing, for rules that need no more than sums."""
    return _fixed(np.empty((0, 0, 3), np.int64))


def _fixed(pattern: NDArray[np.int64]) -> NDArray[np.int64]:
    made = np.ascontiguousarray(pattern, np.int64)
    made.setflags(write=False)
    return made
