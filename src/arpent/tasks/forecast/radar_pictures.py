"""Radar as people look at it: decibels in three bands, whose colours say how the ground scatters.

VV in red, VH in green and their ratio in blue, as is usual for Sentinel-1: water is dark blue, forest green, towns
light. Of one band alone, grey. Pictures that are to be held against each other are toned between the same decibels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arpent.core import Raster
from arpent.pixels import linear_to_decibels

__all__ = ["as_pictures", "ends_of", "levels_of", "toned"]

Levels = NDArray[np.float32]
"""``(1 or 3, height, width)`` decibels; NaN where there is no data."""

_CUT = 1.0  # per cent at each end of the tone
_COLOUR = 0.55  # the rest is grey: pure composites of radar are garish, and hide what changes
_NARROWEST = 1e-3  # decibels between the ends of a tone


def levels_of(power: NDArray[np.floating]) -> Levels:
    """Decibels of the one band of linear power ``(bands, height, width)``, or of the first two and of their ratio."""
    levels = linear_to_decibels(np.asarray(power[:2], np.float32))
    return levels if len(levels) == 1 else np.stack([levels[0], levels[1], levels[0] - levels[1]])


def ends_of(pictures: Sequence[Levels]) -> NDArray[np.float64]:
    """``(2, bands)``; the decibels of each band between which almost all of some pictures lie."""
    every = np.concatenate([one[:, ::2, ::2].reshape(len(one), -1) for one in pictures], axis=1)
    known = every[:, np.isfinite(every).all(axis=0)]
    if not known.size:
        return np.stack([np.zeros(len(every)), np.ones(len(every))])
    return np.percentile(known.astype(np.float64), [_CUT, 100 - _CUT], axis=1)


def toned(levels: Levels, ends: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bytes ``(3, height, width)``, in colours that are half grey; white where there is no data."""
    low, high = ends[:, :, None, None]
    shares = (levels - low) / np.maximum(high - low, _NARROWEST)
    if len(shares) == 1:
        shares = np.repeat(shares, 3, axis=0)
    paper = ~np.isfinite(shares).all(axis=0)
    shares = np.clip(np.where(paper, 1.0, shares), 0, 1)
    shares = _COLOUR * shares + (1 - _COLOUR) * shares[:2].mean(axis=0)
    return np.asarray(np.rint(255 * shares), np.uint8)


def as_pictures(rasters: Sequence[Raster]) -> list[Raster]:
    """Linear power of several dates as pictures in one tone."""
    levels = [levels_of(np.where(raster.valid, raster.pixels, np.nan)) for raster in rasters]
    ends = ends_of(levels)
    return [
        Raster(toned(one, ends), raster.valid, raster.grid, ("red", "green", "blue"))
        for one, raster in zip(levels, rasters, strict=True)
    ]
