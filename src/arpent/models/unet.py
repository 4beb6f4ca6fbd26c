"""Arpent's own U-Net: small, quick on a CPU, and exact about how far it looks."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from arpent.core.settings import Settings
from arpent.errors import InvalidSetting
from arpent.models.explained import Explained
from arpent.models.metadata import MetadataBranch, MetadataSettings
from arpent.models.parts import Parts, numbered
from arpent.models.tiles import TileNeeds

__all__ = ["UNet", "UNetSettings", "unet_parts", "unet_tiles"]

Width = Annotated[int, Field(ge=1)]


class UNetSettings(Settings):
    """Settings of the small U-Net."""

    channels: Annotated[int, Field(ge=1)] = 4
    """Bands of the input."""
    classes: Annotated[int, Field(ge=1)] = 19
    """Maps of the output."""
    widths: Annotated[tuple[Width, ...], Field(min_length=1)] = (16, 32, 64, 96)
    """Feature maps at each level, finest first; each further level halves the resolution."""
    depthwise: bool = False
    """Split every 3 × 3 convolution into one per feature map and one across them."""
    # Group and instance norm are left out: their statistics would make a pixel's answer depend on its tile's size.
    norm: Literal["batch", "none"] = "batch"
    """What follows each convolution."""
    metadata: MetadataSettings | None = None
    """Tells the network place, altitude, camera and date of an image; nothing beside its pixels if not given."""


class UNet(nn.Module):
    """Two convolutions per level on the way down and on the way up, joined level by level.

    The way up widens by repeating pixels, after a 1 × 1 convolution at the coarser level, where it is four times
    cheaper. Every operation commutes with a shift by the stride that `unet_tiles` gives.
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        widths = settings.widths
        sources = (settings.channels, *widths)
        self.encoder = nn.ModuleList(_level(sources[i], widths[i], settings) for i in range(len(widths)))
        self.narrow = nn.ModuleList(nn.Conv2d(deep, fine, 1) for fine, deep in pairwise(widths))
        self.decoder = nn.ModuleList(_level(2 * width, width, settings) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], settings.classes, 1)
        self.metadata = MetadataBranch(settings.metadata, widths[-1]) if settings.metadata else None
        self._stride = unet_tiles(settings).stride

    def forward(self, images: Tensor, metadata: Tensor | None = None) -> Tensor:
        """``(N, channels, H, W)`` to scores ``(N, classes, H, W)``; H and W are multiples of the stride.

        What is known of the images beside their pixels, where the network has a branch for it, is as
        `models.metadata.encode` gives it, ``(N, values)``.
        """
        return self.explained(images, metadata).scores

    def explained(self, images: Tensor, metadata: Tensor | None = None) -> Explained:
        """The scores together with the deepest features that they come from."""
        tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]  # torch leaves it untyped
        if not tracing and not torch.compiler.is_compiling():
            self._check(images)
        levels = []
        features = images
        for depth, level in enumerate(self.encoder):
            features = level(functional.max_pool2d(features, 2) if depth else features)
            levels.append(features)
        if self.metadata is not None:
            features = self.metadata(features, metadata)
        deepest = features
        for depth in reversed(range(len(self.decoder))):
            coarse = functional.interpolate(self.narrow[depth](features), scale_factor=2.0, mode="nearest")
            features = self.decoder[depth](torch.cat((levels[depth], coarse), 1))
        return Explained(deepest, self.head(features))

    def _check(self, images: Tensor) -> None:
        height, width = images.shape[-2:]
        if height % self._stride or width % self._stride:
            raise InvalidSetting(
                "the U-Net cannot take images of this size",
                found=f"{height} × {width} pixels",
                expected=f"multiples of {self._stride}",
                cure="Pad the images, or choose another tile size.",
            )


def _level(inputs: int, outputs: int, settings: UNetSettings) -> nn.Sequential:
    return nn.Sequential(*_convolution(inputs, outputs, settings), *_convolution(outputs, outputs, settings))


def _convolution(inputs: int, outputs: int, settings: UNetSettings) -> list[nn.Module]:
    normalised = settings.norm == "batch"
    if settings.depthwise:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=not normalised),
        ]
    else:
        layers = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=not normalised)]
    if normalised:
        layers.append(nn.BatchNorm2d(outputs))
    return [*layers, nn.ReLU(inplace=True)]


def unet_tiles(settings: UNetSettings) -> TileNeeds:
    """What such a network needs of its tiles: each level below the first halves its input."""
    levels = len(settings.widths)
    return TileNeeds(2 ** (levels - 1), _reach(levels))


def unet_parts(settings: UNetSettings) -> Parts:
    """What it is made of."""
    decoder = ("narrow", "decoder") if len(settings.widths) > 1 else ()
    return Parts(numbered("encoder", range(len(settings.widths))), decoder, ("head",))


def _reach(levels: int) -> int:
    """The largest distance, in pixels, between an output pixel and an input pixel that can change it.

    Follows intervals of pixels backwards: a level's two convolutions widen one by two on each side, pooling
    doubles it, repeating halves it. Where an output pixel lies within its coarsest cell matters, so all are tried.
    """

    def through_encoder(level: int, low: int, high: int) -> tuple[int, int]:
        low, high = low - 2, high + 2
        return through_encoder(level - 1, 2 * low, 2 * high + 1) if level else (low, high)

    def through_decoder(level: int, low: int, high: int) -> tuple[int, int]:
        if level == levels - 1:
            return through_encoder(level, low, high)
        low, high = low - 2, high + 2
        across = through_encoder(level, low, high)
        below = through_decoder(level + 1, low // 2, high // 2)
        return min(across[0], below[0]), max(across[1], below[1])

    reaches = []
    for pixel in range(2 ** (levels - 1)):
        low, high = through_decoder(0, pixel, pixel)
        reaches += [pixel - low, high - pixel]
    return max(reaches)
