"""The weight of a tile's answer, from its core to the rim of its blend ring."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from arpent.tiling.plan import Span

__all__ = ["ramp", "weights_along"]


@lru_cache(maxsize=64)
def ramp(length: int) -> NDArray[np.float32]:
    """A rise from 0 to 1 in `length` steps that touches neither: with its mirror image it adds up to 1."""
    steps = (np.arange(length, dtype=np.float32) + np.float32(0.5)) / np.float32(max(length, 1))
    steps.flags.writeable = False
    return steps


def weights_along(span: Span) -> NDArray[np.float32]:
    """The weights of the kept pixels of a span: rising, 1, falling; above zero everywhere."""
    length = span.kept_end - span.kept_start
    weights = np.ones(length, np.float32)
    rise = ramp(span.ramp_in)[:length]
    weights[: rise.size] *= rise
    # The last ramp may be cut short by the image's edge: it is laid from where it begins.
    begin = span.final_end - span.kept_start
    fall = ramp(span.ramp_out)[::-1][: length - begin]
    weights[begin : begin + fall.size] *= fall
    return weights
