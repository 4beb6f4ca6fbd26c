"""Image encoders of timm: MobileNetV2, ResNet and their kin."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from torch import nn

from arpent.core.settings import Settings
from arpent.errors import InvalidSetting, UnknownName
from arpent.models.labelling_settings import EncoderPadding

__all__ = ["ImageEncoderSettings", "build_image_encoder", "feature_width"]


class ImageEncoderSettings(Settings):
    """Settings of an image encoder."""

    name: str = "mobilenetv2_100"
    """The name that timm gives it."""
    channels: Annotated[int, Field(ge=1)] = 3
    """Bands of the input."""
    classes: Annotated[int, Field(ge=0)] = 0
    """Scores of the output; 0 gives the pooled features instead."""
    padding: EncoderPadding = "symmetric"
    """Rims of the convolutions: symmetric, or same (right and below), with which TensorFlow trained its MobileNets."""


def build_image_encoder(settings: ImageEncoderSettings) -> nn.Module:
    """The network with random weights: ``(N, channels, H, W)`` to ``(N, features or classes)``."""
    import timm

    if not timm.is_model(settings.name):
        raise UnknownName.among(settings.name, timm.list_models(), "image encoder of timm")
    more: dict[str, Any] = {"pad_type": "same"} if settings.padding == "same" else {}
    try:
        network: nn.Module = timm.create_model(
            settings.name, pretrained=False, in_chans=settings.channels, num_classes=settings.classes, **more
        )
    except TypeError as error:
        if not more:
            raise
        raise InvalidSetting(
            f"the encoder '{settings.name}' knows no padding but its own",
            found="padding 'same'",
            expected="'symmetric', or an encoder of the MobileNet and EfficientNet kinds",
            cure="Leave 'padding' as it is.",
        ) from error
    return network


def feature_width(encoder: nn.Module) -> int:
    """How many pooled features an encoder without classes gives."""
    return int(getattr(encoder, "head_hidden_size", None) or encoder.num_features)  # type: ignore[arg-type]
