"""Pictures as an image encoder takes them: squares of one size, whatever the shape of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from arpent.core import Contract, Normalisation, Window
from arpent.data import Normaliser
from arpent.errors import UnreadableFile
from arpent.io import MOST_PIXELS, open_image, read_picture
from arpent.tasks.classify.train_settings import RGB

__all__ = ["Squares", "measured"]

F32 = NDArray[np.float32]
_Pixels = NDArray[Any]


@dataclass(frozen=True)
class Squares:
    """Reads pictures into squares.

    Attributes:
        side: of a square, in pixels.
        rule: how numbers become network input; None leaves them as they are.
        bands: red, green and blue of any picture, or bands of satellite images by name.
        sensor: what took those, where the names of their bands do not tell.
    """

    side: int
    rule: Normalisation | None
    bands: tuple[str, ...] = RGB
    sensor: str | None = None
    _normaliser: Normaliser | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_normaliser", None if self.rule is None else Normaliser(self.rule))

    @classmethod
    def of(cls, contract: Contract, side: int) -> Squares:
        """As a model wants them."""
        sensor = contract.recipe.get("sensor")
        return cls(side, contract.normalisation, contract.band_names, str(sensor) if sensor else None)

    @property
    def colours(self) -> bool:
        """Whether any picture will do: they are read as people see them."""
        return self.bands == RGB

    def read(self, path: Path) -> F32:
        """A picture as ``(bands, side, side)``.

        Raises:
            FileMissing, UnreadableFile: the picture.
            BandMismatch: it has not all of the bands.
        """
        if self.colours:
            return self.of_picture(read_picture(path, side=self.side))
        with open_image(path, bands=self.bands, sensor=self.sensor) as reader:
            height, width = reader.grid.shape
            if height * width > MOST_PIXELS:
                raise UnreadableFile(
                    f"{path} is too large to be looked at as one picture",
                    found=f"{width} × {height} pixels",
                    expected=f"at most {MOST_PIXELS:,} pixels",
                    cure="Cut it into pictures first.",
                )
            raster = reader.read(Window(0, 0, height, width))
        pixels = np.moveaxis(raster.pixels.astype(np.float32), 0, -1)
        shares = raster.valid.astype(np.float32)
        # What has no data weighs nothing in the mean of the pixels around it.
        known = self._squared(shares)
        there = self._squared(np.where(raster.valid[..., None], pixels, np.float32(0)))
        small = there / np.maximum(known, np.float32(1e-6))[..., None]
        return self._scaled(small.astype(np.float32), known > 0.5)

    def of_picture(self, pixels: NDArray[np.uint8]) -> F32:
        """Pixels ``(H, W, 3)`` as `io.read_picture` gives them, as ``(3, side, side)``."""
        small = self._squared(pixels)
        return self._scaled(small, np.ones(small.shape[:2], np.bool_))

    def _squared(self, pixels: _Pixels) -> _Pixels:
        """The whole picture, pressed into the square."""
        height, width = pixels.shape[:2]
        if (height, width) == (self.side, self.side):
            return pixels
        smaller = min(height, width) > self.side
        way = cv2.INTER_AREA if smaller or pixels.dtype != np.uint8 else cv2.INTER_CUBIC
        size = self.side, self.side
        if pixels.ndim == 2 or pixels.shape[2] == len(RGB):
            return _resized(pixels, size, way)
        planes = (np.ascontiguousarray(pixels[..., band]) for band in range(pixels.shape[2]))
        return np.stack([_resized(plane, size, way) for plane in planes], axis=-1)

    def _scaled(self, pixels: _Pixels, valid: NDArray[np.bool_]) -> F32:
        planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        return planes.astype(np.float32) if self._normaliser is None else self._normaliser(planes, valid)


def _resized(pixels: _Pixels, size: tuple[int, int], way: int) -> _Pixels:
    return np.asarray(cv2.resize(pixels, size, interpolation=way), pixels.dtype)


def measured(squares: Squares, paths: Sequence[Path], origin: str) -> Normalisation:
    """The normalisation that brings pictures to mean 0 and deviation 1, band by band."""
    total = np.zeros((2, len(squares.bands)))
    for path in paths:
        planes = squares.read(path).astype(np.float64)
        total += planes.mean(axis=(1, 2)), np.square(planes).mean(axis=(1, 2))
    mean, square = total / len(paths)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return Normalisation(origin=origin, mean=tuple(mean.tolist()), std=tuple(np.where(spread > 0, spread, 1).tolist()))
