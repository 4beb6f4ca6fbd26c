"""Lay the answers of overlapping tiles over each other like paint, and let go of each row as soon as it is dry.

Two coats: first every tile as it is, then, on top, the middle of every tile. In each coat the tiles go row by row,
left to right, the later over the earlier, and pixels without an answer are transparent. Nothing is mixed, so each
pixel says what one tile said of it; the middles, which know their surroundings best, have the last word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.tiling.blend import Patch
from arpent.tiling.plan import Span, Tile, TilePlan

__all__ = ["RowPainter", "painted"]

Pixels = NDArray[np.float32]

_BARE, _FIRST, _SECOND = 0.0, 1.0, 2.0
"""Coats of paint that a pixel may carry."""


def painted(plan: TilePlan, *, scale: int = 1, inset: int = 0) -> TilePlan:
    """The plan of a painted product: the same tiles, whose cores are their middles.

    A tile finishes the pixels that no later tile reaches: those from its own start to the start of the next.

    Args:
        plan: of tiles of one size (`TileShape.fixed`).
        scale: pixels of the image per pixel of the product. Where a tile does not begin at a multiple, it is laid
            at the nearest one.
        inset: pixels by which the answer begins after its tile, where a network answers for fewer pixels than it
            sees: its middle is moved by as much.
    """
    height, width = -(-plan.height // scale), -(-plan.width // scale)
    return TilePlan(height, width, _painted(plan.rows, height, scale, inset), _painted(plan.cols, width, scale, inset))


def _painted(spans: tuple[Span, ...], length: int, scale: int, inset: int) -> tuple[Span, ...]:
    size = (spans[0].end - spans[0].start) // scale
    if any(span.end - span.start != size * scale for span in spans):
        raise InvalidSetting(
            "tiles that are painted must all have one size, a multiple of the product's scale",
            found=", ".join(sorted({str(span.end - span.start) for span in spans})),
            expected=f"a multiple of {scale}",
            cure="Plan them with TileShape(fixed=True) and a size that the scale divides.",
        )
    starts = [(span.start + scale // 2) // scale for span in spans]
    # What is finished ends where the next tile begins; the last one finishes the image.
    finals = [*starts[1:], length]
    middle = size // 4 + inset
    return tuple(
        Span(
            start=start,
            end=start + size,
            core_start=start + middle,
            core_end=start + middle + size // 2,
            kept_start=start,
            kept_end=min(start + size, length),
            final_end=final,
            ramp_in=0,
            ramp_out=0,
        )
        for start, final in zip(starts, finals, strict=True)
    )


class RowPainter:
    """Turns tiles into finished patches that partition the product; has the verbs of `RowBlender`.

    Keeps the rows that the tiles of one row reach, across the whole product.

    Args:
        plan: as `painted` makes it.
        channels: of the values.
    """

    def __init__(self, plan: TilePlan, channels: int) -> None:
        self._plan = plan
        self._channels = channels
        self._expected = (0, 0)
        self._first = 0
        self._values = np.zeros((channels, 0, plan.width), np.float32)
        self._coats = np.zeros((0, plan.width), np.float32)
        self._grow(0)

    def _grow(self, row: int) -> None:
        """Lets go of what lies above tile row `row`, and makes room for what it reaches."""
        if row == len(self._plan.rows):
            done, end = len(self._coats), 0
        else:
            span = self._plan.rows[row]
            # On a coarse product the last tile may be laid a pixel before the end of the image.
            done, end = span.kept_start - self._first, max(span.kept_end, span.final_end)
        self._first += done
        more = max(end - self._first - (len(self._coats) - done), 0)
        self._values = np.pad(self._values[:, done:], ((0, 0), (0, more), (0, 0)))
        self._coats = np.pad(self._coats[done:], ((0, more), (0, 0)))

    def add(self, tile: Tile, values: NDArray[np.generic], valid: NDArray[np.bool_]) -> Patch:
        """Takes the answer ``(channels, h, w)`` for a whole tile, and gives the pixels that it finishes.

        `valid` ``(h, w)`` is False where the answer does not count; there it is transparent.
        """
        tile.require_turn(self._expected)
        self._coat(tile, tile.kept, values, valid, _FIRST)
        self._coat(tile, tile.core.intersect(tile.kept), values, valid, _SECOND)
        inside = tile.final.relative_to(Window(self._first, 0, 0, 0)).slices
        patch = Patch(tile.final, self._values[:, *inside].copy(), self._coats[inside] > _BARE)
        self._advance(tile)
        return patch

    def _coat(
        self, tile: Tile, window: Window, values: NDArray[np.generic], valid: NDArray[np.bool_], coat: float
    ) -> None:
        """Paints the pixels of `window` that are valid and carry no later coat."""
        mine = window.relative_to(tile.window).slices
        here = window.relative_to(Window(self._first, 0, 0, 0)).slices
        coats = self._coats[here]
        wet = valid[mine] & (coats <= coat)
        np.copyto(self._values[:, *here], values[:, *mine], where=wet, casting="same_kind")
        coats[wet] = coat

    def _advance(self, tile: Tile) -> None:
        if tile.col + 1 < len(self._plan.cols):
            self._expected = (tile.row, tile.col + 1)
            return
        self._expected = (tile.row + 1, 0)
        self._grow(tile.row + 1)

    def state(self) -> dict[str, Pixels]:
        """All that the next row of tiles needs to know; to be asked for between rows."""
        row = self._expected[0]
        known = 0 if row in (0, len(self._plan.rows)) else max(self._reach(row) - self._first, 0)
        return {"values": self._values[:, :known], "coats": self._coats[:known]}

    def _reach(self, row: int) -> int:
        """The first row of pixels that no tile above tile row `row` has reached."""
        return max(span.kept_end for span in self._plan.rows[:row])

    def restore(self, next_row: int, state: dict[str, Pixels]) -> None:
        """Goes on before tile row `next_row` with the `state` kept there."""
        ended = next_row == len(self._plan.rows)
        self._first = self._plan.height if ended else self._plan.rows[next_row].kept_start
        self._values, self._coats = state["values"], state["coats"]
        self._expected = (next_row, 0)
        self._grow(next_row)
