"""Points of ground dealt into folds, whole blocks at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from arpent.data.split import METRES_PER_DEGREE
from arpent.errors import EmptySplit, InvalidSetting

__all__ = ["BlockFolds", "block_folds", "near"]


@dataclass(frozen=True)
class BlockFolds:
    """Where each of n points stands.

    Attributes:
        fold: ``(n,)``, from 0 on.
        block: ``(n,)``, the number of its block.
    """

    fold: NDArray[np.int64]
    block: NDArray[np.int64]

    @property
    def blocks(self) -> int:
        """How many blocks hold points."""
        return int(self.block.max()) + 1


def block_folds(places: NDArray[np.float64], *, side: float, folds: int, seed: int = 0) -> BlockFolds:
    """Deals square blocks of ground into folds of about equal numbers of points.

    The blocks are those of `split_by_block`: cells of an equal-area grid of the whole globe, so that the block of a
    point does not depend on the other points.

    Args:
        places: ``(n, 2)`` of longitude and latitude in degrees.
        side: of a block, in metres.
        folds: how many.
        seed: of the order in which blocks are dealt.

    Raises:
        EmptySplit: fewer blocks than folds.
    """
    if side <= 0 or folds < 2:
        raise InvalidSetting(
            "points are dealt in blocks with a side above 0 m, into two folds at least",
            found=f"{side:g} m, {folds} folds",
            cure="Take blocks several times as large as what is told apart.",
        )
    rows = np.floor(places[:, 1] * METRES_PER_DEGREE / side)
    shrink = np.maximum(np.cos(np.radians((rows + 0.5) * side / METRES_PER_DEGREE)), 1e-6)
    cols = np.floor(places[:, 0] * shrink * METRES_PER_DEGREE / side)
    _, block, counts = np.unique(np.stack([rows, cols], axis=1), axis=0, return_inverse=True, return_counts=True)
    if len(counts) < folds:
        raise EmptySplit(
            f"{len(counts)} blocks of {side:g} m cannot fill {folds} folds", cure="Take smaller blocks or fewer folds."
        )
    numbers = block.ravel().astype(np.int64)
    return BlockFolds(_dealt(counts, folds, seed)[numbers], numbers)


def _dealt(counts: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each block: large blocks first, each to the fold that holds least, ties by chance."""
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    fold_of, filled = np.empty(len(counts), np.int64), np.zeros(folds)
    for block in order:
        fold_of[block] = filled.argmin()
        filled[fold_of[block]] += counts[block]
    return fold_of


def near(places: NDArray[np.float64], others: NDArray[np.float64], metres: float) -> NDArray[np.bool_]:
    """Which of the places ``(n, 2)`` of longitude and latitude have one of the others nearer than that; ``(n,)``."""
    found = np.zeros(len(places), bool)
    if not len(others) or metres <= 0:
        return found
    # A local map on which lengths are metres to a few parts in a thousand.
    shrink = max(float(np.cos(np.radians(others[:, 1].mean()))), 1e-6)
    local = METRES_PER_DEGREE * np.array([shrink, 1.0])
    tree = shapely.STRtree(shapely.points(others * local))
    # The last millimetre forgives the rounding of coordinates.
    pairs = tree.query(shapely.points(places * local), predicate="dwithin", distance=metres - 1e-3)
    found[pairs[0]] = True
    return found
