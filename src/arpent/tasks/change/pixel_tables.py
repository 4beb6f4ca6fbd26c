"""Tables of embeddings with a row for each pixel: what lies between the answers, as images of embeddings have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from arpent.models import INVALID
from arpent.tasks.change.embedding_tables import EmbeddingRows
from arpent.tasks.change.placing import Placing
from arpent.tiling import Span, Tile

__all__ = ["PixelRows"]

_TOGETHER = 32
"""Dimensions brought to the pixels at once: a tile of 768 would take 0.8 GB."""


@dataclass(frozen=True)
class PixelRows:
    """As `EmbeddingRows`, whose patches are pixels here.

    Attributes:
        rows: of a layout of patches of one pixel.
        placing: how answers lie on pixels.
    """

    rows: EmbeddingRows
    placing: Placing

    def of(self, features: NDArray[np.float32], tiles: Sequence[Tile]) -> pa.Table:
        """The rows of a batch.

        Args:
            features: ``(tiles, h, w, dims)`` of one date, one per answer; all -100 where a patch touches no-data.
            tiles: where each entry lies.
        """
        parts = [self._of_tile(entry, tile) for entry, tile in zip(features, tiles, strict=True)]
        return pa.concat_tables(parts) if parts else self.rows.schema.empty_table()

    def _of_tile(self, features: NDArray[np.float32], tile: Tile) -> pa.Table:
        down, across = _core(tile.down), _core(tile.across)
        known = (features != np.float32(INVALID)).any(axis=-1)
        pixels = np.empty((down.end - down.start, across.end - across.start, features.shape[-1]), self.rows.dtype)
        own = tile.core.relative_to(tile.window).slices
        for first in range(0, features.shape[-1], _TOGETHER):
            some = slice(first, first + _TOGETHER)
            placed = self.placing.smooth(np.moveaxis(features[..., some], -1, 0), known[None])
            values = np.where(placed.valid, placed.values, np.float32(INVALID))
            pixels[..., some] = np.moveaxis(values[:, *own], 0, -1)
        return self.rows.of(pixels[None], [replace(tile, down=down, across=across)])


def _core(span: Span) -> Span:
    """The part of a span that is the tile's own."""
    return replace(span, start=span.core_start, end=span.core_end)
