"""Where the tokens of Planaura lie: the grid of patches, its shifted parts, and the position of each token.

At the patch's own stride an image becomes one grid of tokens. At a finer stride the grid is denser than the network
was trained on, so it is taken apart: every ``step``-th token, from each of ``step × step`` starting points, makes a
`SubGrid` as coarse as the training grid. The tokens of such a part are the patches of the image shifted by a few
pixels, so a part can be embedded, attended and written back without the rest of the dense grid ever existing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "ComputedPositions",
    "Positions",
    "ResampledPositions",
    "SubGrid",
    "TokenGrid",
    "resample_table",
    "resampling_weights",
    "sin_cos_table",
    "sub_grids",
    "unfold_table",
]


class TokenGrid(NamedTuple):
    """The tokens of one sample: frames (dates), rows and columns."""

    frames: int
    rows: int
    cols: int

    @property
    def tokens(self) -> int:
        """How many there are."""
        return self.frames * self.rows * self.cols


@dataclass(frozen=True, slots=True)
class SubGrid:
    """Every `step`-th row and column of a token grid, from (`row`, `col`) on."""

    row: int
    col: int
    step: int

    @property
    def rows(self) -> slice:
        """The rows of the full grid that belong to the part."""
        return slice(self.row, None, self.step)

    @property
    def cols(self) -> slice:
        """The columns of the full grid that belong to the part."""
        return slice(self.col, None, self.step)

    def of(self, grid: TokenGrid) -> TokenGrid:
        """The part's own grid."""
        return TokenGrid(
            grid.frames, len(range(*self.rows.indices(grid.rows))), len(range(*self.cols.indices(grid.cols)))
        )


def sub_grids(grid: TokenGrid, step: int) -> list[SubGrid]:
    """The parts that partition `grid`: none empty, the longest first."""
    return [SubGrid(row, col, step) for row in range(min(step, grid.rows)) for col in range(min(step, grid.cols))]


class Positions(Protocol):
    """Position vectors of the tokens of one grid."""

    def at(self, part: SubGrid) -> Tensor:
        """Those of one part, (T, rows, cols, D)."""
        ...


class ResampledPositions:
    """A stored table stretched or shrunk to `grid`, as linear interpolation with antialiasing does.

    Interpolation is linear in the table and separable, hence two small matrices: any part of a dense grid costs two
    products of its own size, and the dense table (1.5 GB for a 512 px image at stride 1) is never made.

    Args:
        table: (T, side, side, D), at least as many frames as `grid`.
        grid: to stretch it to.
    """

    def __init__(self, table: Tensor, grid: TokenGrid) -> None:
        self._table = table[: grid.frames]
        self._down = resampling_weights(table.shape[1], grid.rows).to(table)
        self._across = resampling_weights(table.shape[2], grid.cols).to(table)

    def at(self, part: SubGrid) -> Tensor:
        """Those of one part, (T, rows, cols, D)."""
        rows = self._down[part.rows] @ self._table.flatten(2)
        return self._across[part.cols] @ rows.reshape(*rows.shape[:2], *self._table.shape[2:])


class ComputedPositions:
    """Sines and cosines of the tokens' own indices, for grids that no stored table describes.

    Args:
        grid: of the tokens.
        like: gives the width (its last axis), type and device.
    """

    def __init__(self, grid: TokenGrid, like: Tensor) -> None:
        self._grid = grid
        self._like = like

    def at(self, part: SubGrid) -> Tensor:
        """Those of one part, (T, rows, cols, D)."""
        device = self._like.device
        frames, rows, cols = (torch.arange(count, device=device, dtype=torch.float32) for count in self._grid)
        return sin_cos_table(frames, rows[part.rows], cols[part.cols], self._like.shape[-1]).to(self._like)


def resampling_weights(source: int, target: int) -> Tensor:
    """Matrix (target, source) of antialiased linear interpolation along one axis, pixel centres aligned.

    Each row is a triangle around its place in the source, as wide as the coarser of the two spacings, scaled to 1.
    """
    # In numpy, so that a traced network holds the finished matrix: OpenVINO 2026.4 never ends on its construction.
    spacing = source / target
    places = (np.arange(target) + 0.5) * spacing - 0.5
    away = np.abs(np.arange(source) - places[:, None])
    triangles = np.maximum(0.0, 1.0 - away / max(spacing, 1.0))
    return torch.from_numpy((triangles / triangles.sum(axis=1, keepdims=True)).astype(np.float32))


def resample_table(table: Tensor, grid: TokenGrid, source_frames: int) -> Tensor:
    """A stored position table, first row for the class token, for another grid of tokens.

    Args:
        table: (1, 1 + source_frames · side², D).
        grid: to fit; at most `source_frames` frames, the first ones are kept.
        source_frames: frames of `table`.

    Returns:
        (1, 1 + grid.tokens, D).
    """
    stored = unfold_table(table, source_frames)
    rows = ResampledPositions(stored, grid).at(SubGrid(0, 0, 1)).flatten(0, 2)
    return torch.cat([table[0, :1], rows])[None]


def unfold_table(table: Tensor, frames: int) -> Tensor:
    """(1, 1 + T·side², D) without its first row, as (T, side, side, D)."""
    side = isqrt((table.shape[1] - 1) // frames)
    return table[0, 1:].reshape(frames, side, side, -1)


def sin_cos_table(frames: Tensor, rows: Tensor, cols: Tensor, width: int) -> Tensor:
    """Positions as sines and cosines: 6/16 of the width tell the column, 6/16 the row, 4/16 the frame.

    Args:
        frames: (T,) float32 indices.
        rows: (h,) float32 indices.
        cols: (w,) float32 indices.
        width: of a position vector; a multiple of 16 whose parts are even.

    Returns:
        (T, h, w, width).
    """
    shape = (len(frames), len(rows), len(cols), -1)
    across = _waves(cols, 6 * width // 16)[None, None].expand(shape)
    down = _waves(rows, 6 * width // 16)[None, :, None].expand(shape)
    through = _waves(frames, 4 * width // 16)[:, None, None].expand(shape)
    return torch.cat([across, down, through], dim=-1)


def _waves(indices: Tensor, width: int) -> Tensor:
    powers = torch.arange(width // 2, device=indices.device, dtype=torch.float32) / (width / 2)
    angles = indices[:, None] * 10_000.0**-powers
    return torch.cat([angles.sin(), angles.cos()], dim=1)
