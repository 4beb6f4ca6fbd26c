"""Masks beside one another in the colours of their classes, for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap

__all__ = ["EXAMPLES", "mask_table"]

EXAMPLES = 4
"""Samples that a picture shows."""

_GAP = 4
_NOTHING = 235
"""Grey of pixels whose class is not known."""


def mask_table(rows: Sequence[Sequence[NDArray[np.integer]]], classes: ClassMap) -> NDArray[np.uint8]:
    """Masks of one size in rows and columns, ``(3, height, width)``.

    Args:
        rows: of the table, each with as many masks ``(H, W)`` of class indices, -1 where unknown.
        classes: give the colours.
    """
    height, width = rows[0][0].shape
    across = max(len(row) for row in rows)
    table = np.full(
        (len(rows) * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP, 3),
        255,
        np.uint8,
    )
    colours = np.concatenate([classes.palette[classes.ids][:, :3], np.full((1, 3), _NOTHING, np.uint8)])
    for down, row in enumerate(rows):
        for right, mask in enumerate(row):
            top, left = down * (height + _GAP), right * (width + _GAP)
            table[top : top + height, left : left + width] = colours[mask]  # -1 is the last one
    return np.ascontiguousarray(table.transpose(2, 0, 1))
