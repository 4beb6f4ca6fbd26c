"""What must be said when weights are imported, since files of weights leave it out. No torch here."""

from __future__ import annotations

from typing import Literal

from arpent.core.settings import Settings

__all__ = ["ImportSettings", "LayoutSettings"]


class LayoutSettings(Settings):
    """What the tensors of a file cannot tell."""

    encoder: str | None = None
    """Name of the encoder, where the file is not of a ResNet or of MobileNetV2."""
    head: Literal["keep", "drop"] = "drop"
    """Whether an image encoder keeps its last layer, which names the classes it was trained on."""
    metadata: Literal["refuse", "drop"] = "refuse"
    """FLAIR: what to do with a branch for place and camera, without which the model predicts otherwise."""
    frames: int | None = None
    """Planaura: dates that the stored positions cover."""
    heads: int | None = None
    """Planaura: heads of the encoder's attention, where they are not the published ones."""
    decoder_heads: int | None = None
    """Planaura: heads of the decoder's attention, where they are not the published ones."""


class ImportSettings(LayoutSettings):
    """What weights say nothing about: the images they were made for. Left out, it is taken from the catalog."""

    like: str | None = None
    """A model of the catalog whose images these weights expect."""
    bands: tuple[str, ...] | None = None
    """Names of the input channels, in order."""
    gsd: float | None = None
    """Metres per pixel the weights were made for."""
    normalise: Literal["imagenet", "symmetric", "unit"] | None = None
    """How bytes become input: ImageNet's statistics, -1 to 1 (byte ÷ 127.5 - 1), or 0 to 1 (byte ÷ 255)."""
    nomenclature: str | None = None
    """What the output maps mean."""
    task: str | None = None
    """The task that will use the model."""
    licence: str | None = None
    """Licence of the weights."""
