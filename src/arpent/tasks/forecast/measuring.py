"""How many looks the speckle of an image has, measured on blocks of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Window
from arpent.pixels import LOOKS_BLOCK, SENTINEL_1_LOOKS, looks_of_blocks, median_looks
from arpent.tasks.forecast.echoes import Powered

__all__ = ["looks_in", "spread_rows"]


def spread_rows(grid: Grid, most: int) -> list[Window]:
    """Rows of blocks, evenly spread over a grid, of about so many pixels at most."""
    rows = list(grid.window.strips(LOOKS_BLOCK))
    step = -(-grid.window.size // most)
    return rows[step // 2 :: step] or rows


def looks_in(image: Powered, bands: Sequence[str], most: int) -> dict[str, float] | None:
    """Equivalent number of looks by band, the median over blocks of 25 × 25 pixels.

    Args:
        image: to be looked at.
        bands: names of what it gives.
        most: pixels that are looked at; all, where these have no data.

    Returns:
        Infinite without speckle, and that of Sentinel-1 where no block is filled well enough to tell; None without
        data.
    """
    for windows in (spread_rows(image.grid, most), list(image.grid.window.strips(LOOKS_BLOCK))):
        blocks: dict[str, list[NDArray[np.float64]]] = {band: [] for band in bands}
        there = False
        for window in windows:
            if window.height < min(LOOKS_BLOCK, image.grid.height):
                continue  # the last rows are no block
            for band, plane in zip(bands, image.power(window).power, strict=True):
                known = np.isfinite(plane)
                there = there or bool(known.any())
                blocks[band].append(looks_of_blocks(plane, known))
        if there:
            found = {band: median_looks(np.concatenate(parts)) for band, parts in blocks.items()}
            return {band: SENTINEL_1_LOOKS if math.isnan(looks) else looks for band, looks in found.items()}
    return None
