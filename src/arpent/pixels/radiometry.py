"""Digital numbers, reflectance and decibels; bytes are `core.ByteScale`, since models keep theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["decibels_to_linear", "linear_to_decibels", "to_numbers", "to_reflectance"]

FLOOR_DB = -50.0
"""The weakest echo that `linear_to_decibels` gives: below a Sentinel-1 noise floor by far, and finite."""


def to_reflectance(numbers: NDArray[np.generic], scale: float, offset: float = 0.0) -> NDArray[np.float32]:
    """``numbers × scale + offset`` as 32-bit floats, of any shape."""
    result = numbers.astype(np.float32)
    result *= np.float32(scale)
    if offset:
        result += np.float32(offset)
    return result


def to_numbers(
    reflectance: NDArray[np.floating], scale: float, offset: float = 0.0, dtype: str = "uint16"
) -> NDArray[np.generic]:
    """The digital numbers of reflectances: rounded, and kept within the range of an integer `dtype`."""
    numbers = (reflectance.astype(np.float64) - offset) / scale
    kind = np.dtype(dtype)
    if not np.issubdtype(kind, np.integer):
        return numbers.astype(kind)
    ends = np.iinfo(kind)
    return np.clip(np.rint(numbers), ends.min, ends.max).astype(kind)


def decibels_to_linear(decibels: NDArray[np.floating]) -> NDArray[np.float32]:
    """Power from decibels: ``10 ** (dB / 10)``."""
    return np.asarray(np.exp(decibels.astype(np.float32) * np.float32(np.log(10) / 10)), np.float32)


def linear_to_decibels(power: NDArray[np.floating]) -> NDArray[np.float32]:
    """Decibels from power: ``10 log10``; power of 0 or below gives -50 dB, NaN stays NaN."""
    least = np.float32(10 ** (FLOOR_DB / 10))
    return np.float32(10) * np.log10(np.maximum(power.astype(np.float32), least))
