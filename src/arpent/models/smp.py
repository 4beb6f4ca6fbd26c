"""U-Nets of segmentation-models-pytorch: the layout of IGN's published land-cover models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from arpent.core.settings import Settings
from arpent.errors import UnknownName

__all__ = ["SmpUnetSettings", "build_smp_unet"]


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


def build_smp_unet(settings: SmpUnetSettings) -> nn.Module:
    """The network with random weights: ``(N, channels, H, W)`` to scores ``(N, classes, H, W)``."""
    import segmentation_models_pytorch as smp

    known = smp.encoders.get_encoder_names()
    if settings.encoder not in known and not settings.encoder.startswith("tu-"):
        raise UnknownName.among(settings.encoder, known, "encoder")
    depth = len(settings.decoder_widths)
    network: nn.Module = smp.Unet(
        settings.encoder,
        encoder_depth=depth,
        encoder_weights=None,
        decoder_channels=settings.decoder_widths,
        in_channels=settings.channels,
        classes=settings.classes,
    )
    return network
