"""Which pair each pixel of a mosaic is taken from, folded pair by pair: no more than two of them are in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window
from arpent.pixels import SEVERITY, usable
from arpent.tasks.change.mosaic_layers import Layer
from arpent.tasks.change.mosaic_readers import Piece, Rasters
from arpent.tasks.change.settings import Profile

__all__ = ["NOBODY", "Choice", "Exclusion", "chosen_pieces"]

NOBODY = -1
"""Number of the winner where no pair has data."""

_MOST = int(np.iinfo(np.uint16).max)
_RANKS = np.full(256, -1.0, np.float32)
_RANKS[[int(quality) for quality in SEVERITY]] = np.arange(len(SEVERITY), dtype=np.float32)

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Exclusion:
    """Pixels that may not win, by the quality layer of their pair.

    Attributes:
        quality: the layers, on the grid of the mosaic.
        names: of the qualities that are dropped.
        reach: by pair, how many pixels around a dropped one are dropped too: those into which resampling mixes it.
    """

    quality: Rasters
    names: Collection[str]
    reach: Mapping[int, int]

    def applied(self, piece: Piece, window: Window) -> NDArray[np.bool_]:
        """Which pixels of a piece of `window` are left; all of them for a pair without a quality layer.

        A pixel of unknown quality is dropped as well: nothing says that it is clear.
        """
        reach = self.reach.get(piece.index)
        if reach is None:
            return piece.valid
        wider = window.padded(reach)
        bad, known = np.zeros(wider.shape, bool), np.zeros(wider.shape, bool)
        found = self.quality.read(piece.index, wider)
        if found is not None:
            bad[found.inside] = ~usable(np.asarray(found.values[0], np.uint8), self.names) & found.valid
            known[found.inside] = found.valid
        inner = Window(reach, reach, *window.shape).slices
        return piece.valid & (~_spread(bad, reach) & known)[inner][piece.inside]


def _spread(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """A mask grown by `reach` pixels to all sides, corners included."""
    for axis in (0, 1):
        grown = mask.copy()
        for step in range(1, reach + 1):
            ahead, behind = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            grown[tuple(ahead)] |= mask[tuple(behind)]
            grown[tuple(behind)] |= mask[tuple(ahead)]
        mask = grown
    return mask


class Choice:
    """Chooses for a window, from the layer that leads.

    Args:
        rasters: that layer of every pair that has it, on the grid of the mosaic.
        layer: which one.
        profile: "planaura" leaves a pixel that no pair can give to the first pair, as the reference does.
        threshold: cosine below which a pair says that the ground has changed; None where the layer is no cosine.
        exclusion: pixels that may not win.
    """

    def __init__(
        self,
        rasters: Rasters,
        layer: Layer,
        profile: Profile,
        *,
        threshold: float | None = None,
        exclusion: Exclusion | None = None,
    ) -> None:
        self._rasters = rasters
        self._layer = layer
        self._by_rank = layer.kind == "code" and profile == "arpent"
        self._default = NOBODY if profile == "arpent" else 0
        self._threshold = threshold
        self._exclusion = exclusion

    def __call__(self, window: Window) -> Arrays:
        """Maps ``(1, height, width)`` of a window.

        ``winner``: number of the pair, -1 for none. ``value``: what the layer says there, NaN for nothing.
        ``persistence``: how many pairs have data. ``agreement``: how many of them are on the winner's side of the
        threshold. The first of equal pairs wins.
        """
        best = np.full(window.shape, -np.inf, np.float32)
        winner = np.full(window.shape, self._default, np.int32)
        count = np.zeros(window.shape, np.uint32)
        changed = np.zeros(window.shape, np.uint32)
        for number in self._rasters.touching(window):
            piece = self._rasters.read(number, window)
            if piece is None:
                continue
            valid = piece.valid if self._exclusion is None else self._exclusion.applied(piece, window)
            at, score = piece.inside, self._score(piece)
            count[at] += valid
            if self._threshold is not None:
                changed[at] += valid & (score < self._threshold)
            better = valid & (score > best[at])
            np.copyto(best[at], score, where=better)
            np.copyto(winner[at], np.int32(number), where=better)
        value = np.where(count > 0, best if self._layer.highest else -best, np.float32(np.nan))
        maps: dict[str, NDArray[np.generic]] = {"winner": winner, "value": value, "persistence": _counted(count)}
        if self._threshold is not None:
            maps["agreement"] = _counted(np.where(best < self._threshold, changed, count - changed))
        return {name: pixels[None] for name, pixels in maps.items()}

    def _score(self, piece: Piece) -> NDArray[np.float32]:
        """What is to be highest."""
        values = piece.values[0]
        if self._by_rank:
            return np.asarray(_RANKS[np.asarray(values, np.uint8)])
        score = np.asarray(values, np.float32)
        return score if self._layer.highest else -score


def _counted(count: NDArray[np.uint32]) -> NDArray[np.uint16]:
    return np.asarray(np.clip(count, 0, _MOST), np.uint16)


def chosen_pieces(rasters: Rasters, winner: NDArray[np.int32], window: Window) -> Iterator[Piece]:
    """What the winners have of a window, one by one; a piece is valid where its raster has won and has data.

    Args:
        rasters: one layer of the pairs; those that lack it give nothing.
        winner: ``(height, width)`` of the window, as `Choice` gives it.
        window: of the mosaic.
    """
    for number in np.flatnonzero(np.bincount(winner.ravel() - NOBODY)) + NOBODY:
        won = winner == number
        rows, cols = np.flatnonzero(won.any(axis=1)), np.flatnonzero(won.any(axis=0))
        part = Window.between(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
        piece = rasters.read(int(number), Window(window.row + part.row, window.col + part.col, *part.shape))
        if piece is not None:
            there = tuple(
                slice(start + own.start, start + own.stop)
                for start, own in zip((part.row, part.col), piece.inside, strict=True)
            )
            yield Piece(piece.index, (there[0], there[1]), piece.values, piece.valid & won[there])
