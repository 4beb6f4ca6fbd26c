"""Power and decibels; bytes are `core.ByteScale`, since models keep theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["decibels_to_linear", "linear_to_decibels"]

FLOOR_DB = -50.0
"""The weakest echo that `linear_to_decibels` gives: below a Sentinel-1 noise floor by far, and finite."""


def decibels_to_linear(decibels: NDArray[np.floating]) -> NDArray[np.float32]:
    """Power from decibels: ``10 ** (dB / 10)``."""
    return np.asarray(np.exp(decibels.astype(np.float32) * np.float32(np.log(10) / 10)), np.float32)


def linear_to_decibels(power: NDArray[np.floating]) -> NDArray[np.float32]:
    """Decibels from power: ``10 log10``; power of 0 or below gives -50 dB, NaN stays NaN."""
    least = np.float32(10 ** (FLOOR_DB / 10))
    return np.float32(10) * np.log10(np.maximum(power.astype(np.float32), least))
