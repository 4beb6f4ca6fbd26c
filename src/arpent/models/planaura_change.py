"""Planaura with a head that was taught what change is, and says for each pixel how likely it is.

The encoder sees a place in patches; events on the ground are often narrower. So the head looks at the pixels of both
dates through a few kernels, and asks the tokens around them what kind of place it is.
"""

from __future__ import annotations

from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from arpent.models.planaura import Planaura, PlanauraSettings
from arpent.models.planaura_answer import INVALID

__all__ = ["ChangeHead", "PlanauraChangeSettings", "build_planaura_change"]

_SUREST = 30.0
"""Log-odds beyond which nothing is gained, and which no one takes for `INVALID`."""
_RARE = -2.0
"""Log-odds of change that an untaught head starts from: most ground stays as it is."""


class PlanauraChangeSettings(PlanauraSettings):
    """The shape of a Planaura network with a change head."""

    head_width: Annotated[int, Field(ge=4)] = 32
    """Channels of the head's kernels."""


class ChangeHead(nn.Module):
    """From the pixels and tokens of several dates to the log-odds that the last differs from all those before it.

    Its kernels see five pixels to each side; what lies farther away comes through the tokens. Nothing in it depends on
    the size of the tile.

    Args:
        settings: of the network that it belongs to.
    """

    def __init__(self, settings: PlanauraChangeSettings) -> None:
        super().__init__()
        width = settings.head_width
        self.patch = settings.patch
        self.pixels = nn.Sequential(_kernel(settings.channels, width), nn.GELU(), _kernel(width, width))
        self.tokens = nn.Linear(settings.width, width)
        self.first = _kernel(3 * width, width)
        self.second = _kernel(width, width, apart=2)
        self.odds = nn.Conv2d(width, 1, 1)
        nn.init.constant_(cast(Tensor, self.odds.bias), _RARE)

    def forward(self, pixels: Tensor, tokens: Tensor, missing: Tensor) -> Tensor:
        """Log-odds of change.

        Args:
            pixels: (B, C, T, H, W), at least two dates.
            tokens: (B, T, h, w, D), attended; those of whole patches, from the upper left corner on.
            missing: (B, H, W), pixels without data at any date.

        Returns:
            (B, H, W) float32, `INVALID` at missing pixels. Of several dates before, the one most like the last counts.
        """
        seen = [self._look(pixels[:, :, date], tokens[:, date]) for date in range(pixels.shape[2])]
        after = seen[-1]
        odds = torch.stack([self._compare(before, after) for before in seen[:-1]]).amin(dim=0)
        return odds.float().clamp(-_SUREST, _SUREST).masked_fill(missing, INVALID)

    def _look(self, pixels: Tensor, tokens: Tensor) -> Tensor:
        """One date, (B, width, H, W)."""
        height, width = pixels.shape[-2:]
        around = functional.interpolate(
            self.tokens(tokens).movedim(-1, 1), scale_factor=self.patch, mode="bilinear", align_corners=False
        )
        # Rows and columns beyond the last whole patch have no token of their own: the nearest one speaks for them.
        rest = (0, width - around.shape[-1], 0, height - around.shape[-2])
        return cast(Tensor, self.pixels(pixels) + functional.pad(around, rest, mode="replicate"))

    def _compare(self, before: Tensor, after: Tensor) -> Tensor:
        """Two dates, (B, H, W)."""
        both = torch.cat([before, after, (after - before).abs()], dim=1)
        mixed = functional.gelu(self.first(functional.gelu(both)))
        mixed = mixed + functional.gelu(self.second(mixed))
        return cast(Tensor, self.odds(mixed))[:, 0]


def build_planaura_change(settings: PlanauraChangeSettings) -> Planaura:
    """The network with random weights."""
    return Planaura(settings, ChangeHead(settings))


def _kernel(before: int, after: int, apart: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=apart, dilation=apart, padding_mode="replicate")
