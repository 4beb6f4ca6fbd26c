"""The compiled loops of this room: moments, histograms and normalisation in one pass over the pixels each.

They release the interpreter's lock, so reader threads run them side by side.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOAT_BINS", "affine", "bin_of_float", "count_integers", "float_moments", "value_of_bin"]

FLOAT_BINS = 1 << 16
"""Bins of a float histogram: one for each value of the upper 16 bits of a 32-bit float, in ascending order."""


@numba.njit(nogil=True, cache=True)
def count_integers(pixels, valid, offset, histogram):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Adds valid integers ``(n,)`` to a histogram of exact values that begins at `offset`."""
    for i in range(pixels.size):
        if valid[i]:
            # Unsigned, so that no test for Python's negative indices slows the loop down.
            histogram[np.uint64(np.int64(pixels[i]) - offset)] += 1


@numba.njit(nogil=True, cache=True, inline="always")
def bin_of_float(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Bin of a 32-bit float given as its bits: its upper half, turned so that bins ascend with the value."""
    upper = bits >> np.uint32(16)
    if bits > np.uint32(0x80000000):  # below zero; -0 is 0
        return np.int64(0xFFFF - upper)
    return np.int64((upper & np.uint32(0x7FFF)) | np.uint32(0x8000))


def value_of_bin(index: NDArray[np.integer]) -> NDArray[np.float64]:
    """Middle of the values that share a bin; off by at most 0.4 % of the value."""
    upper = np.where(index >= 0x8000, index & 0x7FFF, 0xFFFF - index).astype(np.uint32)
    return ((upper << np.uint32(16)) | np.uint32(0x8000)).view(np.float32).astype(np.float64)


@numba.njit(nogil=True, cache=True)
def float_moments(pixels, bits, valid, histogram, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Adds valid finite floats ``(n,)`` to a histogram; `result` becomes [count, mean, squares about it, min, max].

    Two passes: the mean first, then the squares about it, which loses nothing to cancellation.
    """
    count, total, low, high = 0, 0.0, math.inf, -math.inf
    for i in range(pixels.size):
        value = np.float64(pixels[i])
        if valid[i] and math.isfinite(value):
            count += 1
            total += value
            low, high = min(low, value), max(high, value)
            histogram[bin_of_float(bits[i])] += 1
    mean = total / count if count else 0.0
    spread = 0.0
    for i in range(pixels.size):
        value = np.float64(pixels[i])
        if valid[i] and math.isfinite(value):
            spread += (value - mean) * (value - mean)
    result[0], result[1], result[2], result[3], result[4] = count, mean, spread, low, high


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def affine(pixels, valid, factor, shift, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """``out = pixels × factor + shift`` per band of ``(bands, n)`` as 32-bit floats; 0 where a pixel is not valid."""
    zero = np.float32(0)
    for band in range(pixels.shape[0]):
        f, s = factor[band], shift[band]
        for i in range(pixels.shape[1]):
            value = np.float32(pixels[band, i]) * f + s
            out[band, i] = value if valid[i] else zero
