"""Toy images, sinks, networks and bundles for tests and benchmarks. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from arpent.core import Contract, Grid, Normalisation, Raster, Strip, Window, nomenclature, sensor
from arpent.models import UNetSettings, build, save_bundle
from arpent.version import __version__

__all__ = ["ArrayImage", "ArraySink", "Blur", "as_floats", "toy_bundle"]


@dataclass(frozen=True)
class ArrayImage:
    """An image in memory that reads like a file: pixels ``(C, H, W)``, mask ``(H, W)``."""

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]
    source: str = "toy image"

    @property
    def grid(self) -> Grid:
        """A grid without a place."""
        return Grid(*self.valid.shape)

    def read(self, window: Window) -> Raster:
        """The pixels of a window."""
        bands = tuple(f"band_{number + 1}" for number in range(len(self.pixels)))
        pixels = self.pixels[:, *window.slices]
        return Raster(pixels, self.valid[window.slices], self.grid.crop(window), bands)


@dataclass
class ArraySink:
    """Collects strips; `close` gives a path that holds nothing."""

    strips: list[Strip] = field(default_factory=list)

    def write(self, item: Strip) -> None:
        """Keeps the strip."""
        assert item.row == (self.strips[-1].row_end if self.strips else 0)
        self.strips.append(item)

    def checkpoint(self) -> dict[str, Any]:
        """Nothing is durable here."""
        return {}

    def suspend(self) -> None:
        """Holds no file."""

    def close(self) -> Path:
        """A path, for form's sake."""
        return Path("nowhere")

    @property
    def result(self) -> NDArray[np.generic]:
        """All rows, ``(bands, H, W)``."""
        return np.concatenate([strip.values for strip in self.strips], axis=1)


def as_floats(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels as they are, and 0 where there is none."""
    return np.where(valid, pixels, 0).astype(np.float32)


class Blur(nn.Module):
    """A stack of 3 × 3 convolutions with fixed weights: sees `depth` pixels far, and zeros beyond the edge.

    Its first layer pools and its last one repeats, so that it has a stride of 2 and tiles must start on even pixels.
    """

    def __init__(self, channels: int = 1, depth: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 3
        self.stride, self.receptive_field = 2, 2 * depth + 2

    def forward(self, image: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        features = functional.avg_pool2d(image, 2)
        for layer in self.layers:
            features = torch.tanh(layer(features))
        return functional.interpolate(features, scale_factor=2.0, mode="nearest")


def toy_bundle(
    path: Path,
    *,
    widths: tuple[int, ...] = (8, 16),
    gsd: float | None = None,
    dtype: Literal["uint8", "uint16", "int16", "float32"] | None = None,
) -> Path:
    """Saves a land-cover model with random weights, which are the same each time.

    Args:
        path: of the bundle.
        widths: of the U-Net.
        gsd: metres per pixel that it demands, if any.
        dtype: type of the pixels that it demands, if any.
    """
    bands, classes = sensor("bd-ortho").bands, nomenclature("commune")
    settings = UNetSettings(channels=len(bands), classes=len(classes), widths=widths)
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=settings.model_dump(mode="json"),
        bands=bands,
        gsd=gsd,
        dtype=dtype,
        normalisation=Normalisation(origin="toy", mean=(128.0,) * len(bands), std=(60.0,) * len(bands)),
        classes=classes,
        arpent=__version__,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = build("unet", settings)
    return save_bundle(path, network, contract)
