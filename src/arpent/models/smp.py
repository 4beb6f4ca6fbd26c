"""U-Nets of segmentation-models-pytorch: the layout of IGN's published land-cover models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from arpent.core.settings import Settings
from arpent.errors import UnknownName
from arpent.models.metadata import MetadataBranch, MetadataSettings
from arpent.models.parts import Parts, numbered

__all__ = ["SmpUnetSettings", "build_smp_unet", "smp_unet_parts"]


class SmpUnetSettings(Settings):
    """Settings of a U-Net with an encoder made for photographs."""

    encoder: str = "resnet34"
    """Name of the encoder in segmentation-models-pytorch; "tu-NAME" for one of timm."""
    channels: Annotated[int, Field(ge=1)] = 4
    """Bands of the input."""
    classes: Annotated[int, Field(ge=1)] = 19
    """Maps of the output."""
    decoder_widths: Annotated[tuple[int, ...], Field(min_length=3, max_length=5)] = (256, 128, 64, 32, 16)
    """Feature maps on the way up, coarsest first; as many as the encoder has levels."""
    metadata: MetadataSettings | None = None
    """Tells the network place, altitude, camera and date of an image; nothing beside its pixels if not given."""


def build_smp_unet(settings: SmpUnetSettings) -> nn.Module:
    """The network with random weights: ``(N, channels, H, W)`` to scores ``(N, classes, H, W)``."""
    import segmentation_models_pytorch as smp

    known = smp.encoders.get_encoder_names()
    if settings.encoder not in known and not settings.encoder.startswith("tu-"):
        raise UnknownName.among(settings.encoder, known, "encoder")
    depth = len(settings.decoder_widths)
    made_by = smp.Unet if settings.metadata is None else _told_unet()
    network = made_by(
        settings.encoder,
        encoder_depth=depth,
        encoder_weights=None,
        decoder_channels=settings.decoder_widths,
        in_channels=settings.channels,
        classes=settings.classes,
    )
    if settings.metadata is not None:
        network.metadata = MetadataBranch(settings.metadata, network.encoder.out_channels[-1])
    made: nn.Module = network
    return made


@cache
def _told_unet() -> Any:  # noqa: ANN401 - the library publishes no types
    """A U-Net with a second input, which is added to the deepest of its features; its tensors keep their names."""
    import segmentation_models_pytorch as smp

    class ToldUnet(smp.Unet):  # type: ignore[misc]  # the library publishes no types
        def forward(self, images: Tensor, metadata: Tensor | None = None) -> Tensor:
            features = list(self.encoder(images))
            features[-1] = self.metadata(features[-1], metadata)
            scores: Tensor = self.segmentation_head(self.decoder(features))
            return scores

    return ToldUnet


def smp_unet_parts(settings: SmpUnetSettings) -> Parts:
    """What it is made of; the levels of a ResNet are its stem and its four stages, those of others their children."""
    decoder, head = ("decoder",), ("segmentation_head",)
    if re.fullmatch(r"res(net|next)\d+.*", settings.encoder):
        stem = ("encoder.conv1", "encoder.bn1")
        return Parts((stem, *numbered("encoder", [f"layer{stage}" for stage in range(1, 5)])), decoder, head)
    # Without memory for its weights: only the names are wanted.
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        encoder = build_smp_unet(settings).get_submodule("encoder")
    return Parts(tuple(_levels(encoder, "encoder")), decoder, head)


def _levels(module: nn.Module, prefix: str) -> Iterator[tuple[str, ...]]:
    """The children of the first module that has several; norms belong to what they follow."""
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]
    if len(children) == 1:
        yield from _levels(children[0][1], f"{prefix}.{children[0][0]}")
        return
    level: tuple[str, ...] = ()
    for name, child in children:
        if isinstance(child, nn.ModuleList) and len(child) > 1:
            if level:
                yield level
            yield from numbered(f"{prefix}.{name}", range(len(child) - 1))
            level = (f"{prefix}.{name}.{len(child) - 1}",)
            continue
        if level and any(parameter.ndim > 1 for parameter in child.parameters()):
            yield level
            level = ()
        level = (*level, f"{prefix}.{name}")
    yield level or (prefix,)
