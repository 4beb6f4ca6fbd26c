"""From patch tokens to parcels: means under a mask, over the whole of a parcel and over the cells of its box.

A token stands for a patch of pixels. A parcel takes of it as much as the patch has valid pixels of the parcel; the box
of a parcel is cut into cells of equal size, and a pixel that lies in several of them gives each its share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window

__all__ = ["ParcelSums", "Part", "Weights", "spread", "visual_tokens"]


@dataclass(frozen=True)
class Weights:
    """How much the patches of a tile count for the cells of a parcel.

    Attributes:
        values: ``(cells², rows, cols)``, in pixels.
        rows: of the tile's patches that they are for.
        cols: likewise.
    """

    values: NDArray[np.float32]
    rows: slice
    cols: slice


def spread(mask: NDArray[np.bool_], window: Window, box: Window, *, patch: int, cells: int, origin: Window) -> Weights:
    """The weights of the patches under a mask.

    Args:
        mask: ``(height, width)`` of the window; the pixels that count.
        window: where they lie.
        box: of the parcel, which is cut into ``cells × cells``.
        patch: side of a patch, in pixels.
        cells: along each side of the box.
        origin: its first row and column are those of the first patch.
    """
    down = _shares(window.row, window.row_end, box.row, box.height, cells)
    across = _shares(window.col, window.col_end, box.col, box.width, cells)
    first_row, row_starts = _patches(window.row - origin.row, window.height, patch)
    first_col, col_starts = _patches(window.col - origin.col, window.width, patch)
    by_rows = np.add.reduceat(down[:, :, None] * mask, row_starts, axis=1)
    both = by_rows[:, None] * across[None, :, None, :]
    values = np.add.reduceat(both, col_starts, axis=3).reshape(cells * cells, len(row_starts), len(col_starts))
    return Weights(
        values.astype(np.float32),
        slice(first_row, first_row + len(row_starts)),
        slice(first_col, first_col + len(col_starts)),
    )


def _shares(start: int, end: int, box_start: int, length: int, cells: int) -> NDArray[np.float64]:
    """Which part of each pixel ``start … end - 1`` lies in each cell of a side of the box, ``(cells, pixels)``."""
    edges = box_start + np.arange(cells + 1) * (length / cells)
    pixels = np.arange(start, end)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.asarray(np.maximum(high - low, 0), np.float64)


def _patches(offset: int, length: int, patch: int) -> tuple[int, NDArray[np.int64]]:
    """The first patch that pixels ``offset … offset + length - 1`` touch, and where each patch begins among them."""
    first = offset // patch
    inner = np.arange((first + 1) * patch, offset + length, patch) - offset
    return first, np.concatenate([[0], inner]).astype(np.int64)


@dataclass(frozen=True)
class Part:
    """What a tile adds to the sums of a parcel.

    Attributes:
        sums: ``(cells², width)``, tokens times their weights.
        weights: ``(cells²,)``, in pixels.
    """

    sums: NDArray[np.float32]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, tokens: NDArray[np.float32], weights: Weights) -> Part:
        """The patches of a tile, ``(rows, cols, width)``."""
        seen = tokens[weights.rows, weights.cols]
        flat = weights.values.reshape(len(weights.values), -1)
        return cls(flat @ seen.reshape(-1, seen.shape[-1]), flat.sum(axis=1, dtype=np.float64))


@dataclass
class ParcelSums:
    """What has been seen of a parcel so far.

    Attributes:
        sums: ``(cells², width)``, tokens times their weights.
        weights: ``(cells²,)``, in pixels.
    """

    sums: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def empty(cls, cells: int, width: int) -> ParcelSums:
        """Nothing yet."""
        return cls(np.zeros((cells * cells, width)), np.zeros(cells * cells))

    def add(self, part: Part) -> None:
        """What a tile adds."""
        self.sums += part.sums
        self.weights += part.weights

    @property
    def pixels(self) -> int:
        """How many valid pixels of the parcel have been seen."""
        return round(float(self.weights.sum()))

    def mean(self) -> NDArray[np.float32]:
        """The mean of its tokens, ``(width,)``; of a parcel that has been seen."""
        return np.asarray(self.sums.sum(axis=0) / self.weights.sum(), np.float32)

    def visual(self) -> NDArray[np.float32]:
        """One token per cell, ``(cells², width)``; a cell without a valid pixel has the mean of the parcel."""
        seen = self.weights > 1e-6
        values = np.empty(self.sums.shape, np.float32)
        values[seen] = self.sums[seen] / self.weights[seen, None]
        values[~seen] = self.mean()
        return values


def visual_tokens(
    tokens: NDArray[np.float32], mask: NDArray[np.bool_], cells: int = 5, *, patch: int = 8
) -> NDArray[np.float32]:
    """Patch tokens pooled to the cells of one image, those of its masked pixels that count alone.

    Args:
        tokens: ``(rows, cols, width)``, one per patch.
        mask: ``(height, width)`` in pixels, with at least one that counts.
        cells: along each side.
        patch: side of a patch, in pixels.

    Returns:
        ``(cells², width)``, row by row.
    """
    whole = Window(0, 0, *mask.shape)
    sums = ParcelSums.empty(cells, tokens.shape[-1])
    sums.add(Part.of(tokens, spread(mask, whole, whole, patch=patch, cells=cells, origin=whole)))
    return sums.visual()
