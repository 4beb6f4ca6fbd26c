"""Give a network a whole tile where the image ends before it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window

__all__ = ["pad_by_reflection"]

Pixel = TypeVar("Pixel", bound=np.generic)


def pad_by_reflection(pixels: NDArray[Pixel], inside: Window, window: Window) -> NDArray[Pixel]:
    """`pixels` of the window `inside`, grown to `window` by mirroring at the edges.

    The last two axes are rows and columns. Mirroring does not repeat the edge, and goes on back and forth when
    the image is smaller than what is missing.
    """
    if inside == window:
        return pixels
    sides = (
        (inside.row - window.row, window.row_end - inside.row_end),
        (inside.col - window.col, window.col_end - inside.col_end),
    )
    return np.pad(pixels, ((0, 0),) * (pixels.ndim - 2) + sides, mode="reflect")
