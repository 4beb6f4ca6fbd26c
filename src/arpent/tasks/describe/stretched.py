"""A scene as a whole, brought to the size that an encoder has learnt: small chips, as XVision shows them to CROMA."""

from __future__ import annotations

import datetime as dt

import numpy as np
import torch
from affine import Affine
from torch.nn import functional

from arpent.core import Grid, Raster, Window
from arpent.errors import InvalidSetting
from arpent.tasks.describe.seen import Seen

__all__ = ["Stretched"]

_LARGEST = 1024
"""Side in pixels of the largest scene that is brought to another size: it is read as a whole."""


class Stretched:
    """A scene whose pixels lie between those of another, bilinearly, and whose place on the ground is the same.

    Pixels without data take no part; where none is near, there is none here either.

    Args:
        scene: as it is.
        side: in pixels, of both its sides.

    Raises:
        InvalidSetting: the scene is too large.
    """

    def __init__(self, scene: Seen, side: int) -> None:
        if max(scene.grid.shape) > _LARGEST:
            raise InvalidSetting(
                f"{scene.name} is too large to be brought to {side} pixels",
                found=f"{scene.grid.width} × {scene.grid.height}",
                expected=f"at most {_LARGEST} × {_LARGEST}, such as a chip",
                cure="Leave out --resize; images of any size are encoded tile by tile.",
            )
        self._scene = scene
        self.name: str = scene.name
        self.source, self.place = str(getattr(scene, "source", scene.name)), str(getattr(scene, "place", ""))
        self.taken: dt.date | None = scene.taken
        self.bands: tuple[str, ...] = scene.bands
        height, width = scene.grid.shape
        transform = scene.grid.transform @ Affine.scale(width / side, height / side)
        self.grid = Grid(side, side, transform, scene.grid.crs)

    def read(self, window: Window) -> Raster:
        """Reflectance × 10 000 between the pixels of the scene."""
        raster = self._scene.read(self._scene.grid.window)
        known = torch.from_numpy(raster.valid.astype(np.float32))[None, None]
        pixels = torch.from_numpy(np.where(raster.valid, raster.pixels, 0).astype(np.float32))[None]
        weight = functional.interpolate(known, self.grid.shape, mode="bilinear")
        values = functional.interpolate(pixels, self.grid.shape, mode="bilinear") / weight.clamp(min=1e-6)
        rows, cols = window.slices
        return Raster(
            np.ascontiguousarray(values[0].numpy()[:, rows, cols]),
            weight[0, 0].numpy()[rows, cols] >= 0.5,
            self.grid.crop(window),
            self.bands,
        )
