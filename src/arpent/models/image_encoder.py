"""Image encoders of timm: MobileNetV2, ResNet and their kin."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from arpent.core.settings import Settings
from arpent.errors import UnknownName

__all__ = ["ImageEncoderSettings", "build_image_encoder"]


class ImageEncoderSettings(Settings):
    """Settings of an image encoder."""

    name: str = "mobilenetv2_100"
    """The name that timm gives it."""
    channels: Annotated[int, Field(ge=1)] = 3
    """Bands of the input."""
    classes: Annotated[int, Field(ge=0)] = 0
    """Scores of the output; 0 gives the pooled features instead."""


def build_image_encoder(settings: ImageEncoderSettings) -> nn.Module:
    """The network with random weights: ``(N, channels, H, W)`` to ``(N, features or classes)``."""
    import timm

    if not timm.is_model(settings.name):
        raise UnknownName.among(settings.name, timm.list_models(), "image encoder of timm")
    network: nn.Module = timm.create_model(
        settings.name, pretrained=False, in_chans=settings.channels, num_classes=settings.classes
    )
    return network
