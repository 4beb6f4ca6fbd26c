"""Where the answers of a tile go: from tokens to the pixels of a product, by the rules of each profile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting
from arpent.pixels import TokenAxis, Upsampled, nearest_tokens, upsample, upsample_with_zeros, worst_quality
from arpent.tasks.change.settings import Profile

__all__ = ["Placing", "coarse_quality", "pooled_codes"]

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Placing:
    """How the answers of a tile lie on its products.

    Attributes:
        side: of a tile, in pixels.
        patch: of the network, in pixels.
        stride: pixels between answers.
        profile: whose rules.
        full: whether products have the resolution of the image.
    """

    side: int
    patch: int
    stride: int
    profile: Profile = "arpent"
    full: bool = True

    def __post_init__(self) -> None:
        if self.patch % self.stride or self.side < self.patch:
            fractions = ", ".join(str(n) for n in range(self.patch, 0, -1) if self.patch % n == 0)
            raise InvalidSetting(
                f"answers cannot lie {self.stride} px apart in tiles of {self.side} px",
                expected=f"a stride among {fractions}, and tiles of at least {self.patch} px",
                cure="Choose another --stride, or another --tile.",
            )

    @property
    def scale(self) -> int:
        """Pixels of the image per pixel of a product."""
        return 1 if self.full or self.stride == 1 else self.stride

    @property
    def inset(self) -> int:
        """Pixels by which answers begin after their tile: those of the reference lie on single pixels at stride 1."""
        return max(self.patch // 2 - 1, 0) if self._on_pixels else 0

    @property
    def _on_pixels(self) -> bool:
        return self.profile == "planaura" and self.stride == 1 < self.patch

    @property
    def axis(self) -> TokenAxis:
        """The answers along one side of a tile."""
        return TokenAxis.over(self.side, self.stride, self.patch, self.scale)

    def smooth(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> Upsampled:
        """Answers ``(..., rows, cols)`` on the pixels of the product.

        Args:
            values: of the tokens.
            valid: which of them there are, of the same shape or ``(rows, cols)``.
        """
        if self._on_pixels:
            return Upsampled(self._inserted(np.where(valid, values, np.float32(0))), self._inserted(valid))
        if self.scale == self.patch:
            return Upsampled(values, np.broadcast_to(valid, values.shape))
        way = upsample_with_zeros if self.profile == "planaura" else upsample
        return way(values, valid, self.axis, self.axis)

    def nearest(self, codes: NDArray[Number]) -> NDArray[Number]:
        """Codes ``(..., rows, cols)`` of the tokens on the pixels of the product, without anything in between."""
        if self._on_pixels:
            return self._inserted(codes)
        if self.scale == self.patch:
            return codes
        places = nearest_tokens(self.axis)
        return np.asarray(codes[..., places[:, None], places])

    def _inserted(self, values: NDArray[Number]) -> NDArray[Number]:
        """Values of single pixels in a whole tile; 0, or False, around them."""
        size, first = values.shape[-1], self.inset
        whole = np.zeros((*values.shape[:-2], self.side, self.side), values.dtype)
        whole[..., first : first + size, first : first + size] = values
        return whole


def coarse_quality(codes: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """The worst quality in each square of `scale` pixels; ``(..., h, w)`` to ``(..., h / scale, w / scale)``."""
    if scale == 1:
        return codes
    planes = [codes[..., row::scale, col::scale] for row in range(scale) for col in range(scale)]
    return reduce(worst_quality, planes)


def pooled_codes(codes: NDArray[np.uint8], patch: int, stride: int) -> NDArray[np.uint8]:
    """The greatest code in each patch, as the reference has it; ``(..., h, w)`` to one code per token."""
    seen = np.lib.stride_tricks.sliding_window_view(codes, patch, axis=-1)[..., ::stride, :].max(axis=-1)
    return np.asarray(
        np.lib.stride_tricks.sliding_window_view(seen, patch, axis=-2)[..., ::stride, :, :].max(axis=-1), np.uint8
    )
