"""Some embeddings and the cells that they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.models.planaura_answer import INVALID

__all__ = ["Vectors", "known_vectors"]


@dataclass(frozen=True)
class Vectors:
    """Some embeddings.

    Attributes:
        values: ``(n, dims)``.
        rows: ``(n,)``, of the cells of the grid that they belong to.
        cols: ``(n,)``, likewise.
    """

    values: NDArray[np.float32]
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]


def known_vectors(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which embeddings ``(n, dims)`` are numbers and not all -100."""
    return np.asarray((values != np.float32(INVALID)).any(axis=1) & np.isfinite(values).all(axis=1))
