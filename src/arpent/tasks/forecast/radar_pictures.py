"""Radar as people look at it: decibels in three bands, whose colours say how the ground scatters."""

from __future__ import annotations

import numpy as np

from arpent.core import Raster
from arpent.pixels import linear_to_decibels

__all__ = ["as_picture"]


def as_picture(raster: Raster) -> Raster:
    """Linear power as a picture of three bands in decibels.

    VV in red, VH in green and their ratio in blue, as is usual for Sentinel-1: water is dark blue, forest green,
    towns yellow to white. Of one band alone, grey.
    """
    power = np.where(raster.valid, raster.pixels.astype(np.float64), 1.0)
    levels = linear_to_decibels(np.maximum(power, 1e-6)).astype(np.float32)
    bands = (levels[0], levels[1], levels[0] - levels[1]) if len(levels) > 1 else (levels[0],) * 3
    return Raster(np.stack(bands), raster.valid, raster.grid, ("red", "green", "blue"))
