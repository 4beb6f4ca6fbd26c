"""Mix the answers of overlapping tiles, and let go of each pixel as soon as it is finished.

Tiles arrive row by row, left to right. Only two things are kept between them: what the last tile knows about
pixels that the next one in its row will also speak of (the *carry*), and what a row of tiles knows about pixels of
the next row (the *seam*). Memory is therefore one seam across the image, not one row of tiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window
from arpent.tiling.plan import Tile, TilePlan
from arpent.tiling.taper import weights_along

__all__ = ["Patch", "RowBlender"]

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """Finished pixels.

    Attributes:
        window: where they lie in the product.
        values: ``(channels, height, width)``; 0 where nothing is known.
        valid: ``(height, width)``; False where no valid pixel contributed.
    """

    window: Window
    values: Pixels
    valid: NDArray[np.bool_]


@dataclass
class _Sums:
    """Weighted values ``(channels, h, w)`` and weights ``(h, w)``, not yet divided."""

    values: Pixels
    weights: Pixels

    @classmethod
    def zeros(cls, channels: int, height: int, width: int) -> _Sums:
        return cls(np.zeros((channels, height, width), np.float32), np.zeros((height, width), np.float32))

    def at(self, rows: slice, cols: slice) -> _Sums:
        return _Sums(self.values[:, rows, cols], self.weights[rows, cols])

    def copy(self) -> _Sums:
        return _Sums(self.values.copy(), self.weights.copy())

    def add(self, other: _Sums) -> None:
        self.values += other.values
        self.weights += other.weights

    def put(self, other: _Sums) -> None:
        self.values[...] = other.values
        self.weights[...] = other.weights


class RowBlender:
    """Turns tiles into finished patches that partition the product.

    Args:
        plan: of the product (a coarsened plan for a coarser product).
        channels: of the values to mix.
    """

    def __init__(self, plan: TilePlan, channels: int) -> None:
        self._plan = plan
        self._channels = channels
        self._expected = (0, 0)
        self._carry = _Sums.zeros(channels, 0, 0)
        self._seam_above = _Sums.zeros(channels, 0, plan.width)
        self._seam_below = self._new_seam(0)

    def _new_seam(self, row: int) -> _Sums:
        """Room for what tile row `row` knows about the next one; none behind the last row."""
        if row == len(self._plan.rows):
            return _Sums.zeros(self._channels, 0, self._plan.width)
        span = self._plan.rows[row]
        return _Sums.zeros(self._channels, span.kept_end - span.final_end, self._plan.width)

    def add(self, tile: Tile, values: NDArray[np.generic], valid: NDArray[np.bool_]) -> Patch:
        """Takes the answer ``(channels, h, w)`` for a whole tile, and gives the pixels that it finishes.

        `valid` ``(h, w)`` is False where the answer does not count; such pixels carry no weight.
        """
        tile.require_turn(self._expected)
        sums = self._weighted(tile, values, valid)
        known = self._carry.weights.shape[1]
        if known:
            sums.at(slice(None), slice(known)).add(self._carry)
        above = self._seam_above
        new = slice(tile.across.kept_start + known, tile.across.kept_end)
        sums.at(slice(above.weights.shape[0]), slice(known, None)).add(above.at(slice(None), new))

        done_rows = tile.down.final_end - tile.down.kept_start
        done_cols = tile.across.final_end - tile.across.kept_start
        self._carry = sums.at(slice(None), slice(done_cols, None)).copy()
        below = self._seam_below.at(slice(None), slice(tile.across.kept_start, tile.across.final_end))
        below.put(sums.at(slice(done_rows, None), slice(done_cols)))
        self._advance(tile)
        return _finished(tile.final, sums.at(slice(done_rows), slice(done_cols)))

    def _weighted(self, tile: Tile, values: NDArray[np.generic], valid: NDArray[np.bool_]) -> _Sums:
        rows, cols = tile.down.kept, tile.across.kept
        counts = valid[rows, cols]
        weights = weights_along(tile.down)[:, None] * weights_along(tile.across)[None, :]
        if counts.all():
            return _Sums(np.multiply(values[:, rows, cols], weights, dtype=np.float32), weights)
        weights *= counts
        # Where a pixel does not count its value may be NaN, which no weight of zero would silence.
        kept = np.where(counts, values[:, rows, cols], 0).astype(np.float32, copy=False)
        return _Sums(kept * weights, weights)

    def _advance(self, tile: Tile) -> None:
        if tile.col + 1 < len(self._plan.cols):
            self._expected = (tile.row, tile.col + 1)
            return
        self._expected = (tile.row + 1, 0)
        self._carry = _Sums.zeros(self._channels, 0, 0)
        self._seam_above = self._seam_below
        self._seam_below = self._new_seam(tile.row + 1)

    def state(self) -> dict[str, Pixels]:
        """All that the next row of tiles needs to know; to be asked for between rows."""
        return {"values": self._seam_above.values, "weights": self._seam_above.weights}

    def restore(self, next_row: int, state: dict[str, Pixels]) -> None:
        """Goes on before tile row `next_row` with the `state` kept there."""
        self._seam_above = _Sums(state["values"], state["weights"])
        self._seam_below = self._new_seam(next_row)
        self._carry = _Sums.zeros(self._channels, 0, 0)
        self._expected = (next_row, 0)


def _finished(window: Window, sums: _Sums) -> Patch:
    valid = sums.weights > 0
    if (sums.weights == 1).all():
        return Patch(window, sums.values, valid)
    values = np.divide(sums.values, np.where(valid, sums.weights, 1), dtype=np.float32)
    return Patch(window, values, valid)
