"""Pixels together with where they lie and which of them count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core.grid import Grid
from arpent.errors import InvalidSetting

__all__ = ["Raster", "Strip"]


@dataclass(frozen=True)
class Raster:
    """An image in memory.

    Attributes:
        pixels: ``(bands, height, width)``, in the units of the file.
        valid: ``(height, width)`` of bool; False where any band has no data.
        grid: where the pixels lie.
        bands: one name per band.
    """

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]
    grid: Grid
    bands: tuple[str, ...]

    def __post_init__(self) -> None:
        wanted = (len(self.bands), *self.grid.shape)
        if self.pixels.shape != wanted or self.valid.shape != self.grid.shape:
            raise InvalidSetting(
                "pixels, mask, grid and band names of a raster disagree",
                found=f"pixels {self.pixels.shape}, mask {self.valid.shape}",
                expected=f"pixels {wanted}, mask {self.grid.shape}",
                cure="Give one name per band and a mask of the image's size.",
            )

    def band(self, name: str) -> NDArray[np.generic]:
        """The pixels ``(height, width)`` of one band."""
        pixels: NDArray[np.generic] = self.pixels[self.bands.index(name)]
        return pixels


@dataclass(frozen=True)
class Strip:
    """Finished rows of a product, from `row` on; what a raster sink is fed with, from top to bottom.

    Attributes:
        row: the first row, counted from the top of the product.
        values: ``(bands, rows, width of the product)``.
    """

    row: int
    values: NDArray[np.generic]

    @property
    def row_end(self) -> int:
        """The first row below the strip."""
        return self.row + int(self.values.shape[1])
