"""What Planaura answers: features of each date, how alike the dates are, and where neither can be known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from arpent.models.planaura_tokens import SubGrid, TokenGrid

__all__ = ["INVALID", "MISSING", "Canvas", "PlanauraOutput", "likeness", "missing_pixels"]

MISSING = 0.0001
"""Input value of a pixel without data, after normalisation."""

INVALID = -100.0
"""Output value where there is no answer."""


class PlanauraOutput(NamedTuple):
    """What the network says of a batch; h and w count tokens, `INVALID` marks those that touch no data.

    Attributes:
        features: (B, T, h, w, chosen dims), float32.
        cosine: (B, h, w) in [-1, 1], float32: likeness of the last date and the earlier one most like it; None for
            one date.
        which_before: (B, h, w), int16: that earlier date's index; None for one date.
        reconstruction: (B, C, T, H, W), float32, `MISSING` at missing pixels; None unless asked for.
        change: (B, H, W), float32: log-odds that a pixel changed, `INVALID` at missing ones; None for one date, or for
            a network without a change head.
    """

    features: Tensor
    cosine: Tensor | None
    which_before: Tensor | None
    reconstruction: Tensor | None
    change: Tensor | None = None


class Canvas:
    """The dense answer, filled part by part so that nothing else of its size is ever held.

    Args:
        grid: of the tokens.
        invalid: (B, h, w), tokens that touch pixels without data.
        dims: feature dimensions to keep; None keeps all.
        width: how many there are.
    """

    def __init__(self, grid: TokenGrid, invalid: Tensor, dims: list[int] | None, width: int) -> None:
        self._invalid = invalid
        self._dims = dims
        kept = width if dims is None else len(dims)
        self.features = torch.empty(invalid.shape[0], *grid, kept, device=invalid.device)
        self.cosine: Tensor | None = None
        self.which_before: Tensor | None = None
        if grid.frames > 1:
            self.cosine = torch.empty(invalid.shape, device=invalid.device)
            self.which_before = torch.empty(invalid.shape, device=invalid.device, dtype=torch.int16)

    def fill(self, parts: Iterable[tuple[SubGrid, Tensor]]) -> None:
        """Write attended tokens (B, T, rows, cols, width) of each part where they belong."""
        for part, attended in parts:
            here = (..., part.rows, part.cols)
            tokens, invalid = attended.float(), self._invalid[here]
            kept = tokens if self._dims is None else tokens[..., self._dims]
            self.features[:, :, part.rows, part.cols] = _marked(kept, invalid[:, None, :, :, None])
            if self.cosine is not None and self.which_before is not None:
                cosine, which = likeness(tokens)
                self.cosine[here] = _marked(cosine, invalid)
                self.which_before[here] = which.masked_fill(invalid, int(INVALID)).to(torch.int16)


def likeness(features: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine of the last date with the earlier date that is most like it, and that date's index.

    Args:
        features: (B, T, h, w, D), at least two dates.

    Returns:
        Cosine (B, h, w), and index among the earlier dates (B, h, w).
    """
    before, after = features[:, :-1], features[:, -1:]
    cosines = (before * after).sum(-1) / (before.norm(dim=-1) * after.norm(dim=-1))
    best = cosines.max(dim=1)
    return best.values, best.indices


def _marked(values: Tensor, invalid: Tensor) -> Tensor:
    return values.masked_fill(invalid | ~torch.isfinite(values), INVALID)


def missing_pixels(x: Tensor) -> Tensor:
    """Pixels (B, H, W) without data in any band of any date of (B, C, T, H, W)."""
    return ((x == MISSING) | ~torch.isfinite(x)).flatten(1, 2).any(dim=1)
