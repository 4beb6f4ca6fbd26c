"""What can be set of a describer: its adapter, LoRA, and a language model made here. Opens without torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from arpent.core.settings import Settings

__all__ = ["PROJECTIONS", "DescriberSettings", "LoraSettings", "SmallModelSettings"]

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj")
"""The seven projections of a block that LoRA is put beside."""


class LoraSettings(Settings):
    """How a frozen language model is bent: a product of two thin matrices beside each projection."""

    rank: Annotated[int, Field(ge=1)] = 32
    """Width of the thin matrices."""
    alpha: Annotated[int, Field(gt=0)] = 64
    """What they count: alpha over rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of their inputs that is dropped in training."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = PROJECTIONS
    """Projections that are bent."""


class DescriberSettings(Settings):
    """The shape of what stands between encoder and language model."""

    width: Annotated[int, Field(ge=1)] = 1024
    """Numbers per visual token, as the encoder gives them."""
    hidden: Annotated[int, Field(ge=1)] = 1536
    """Numbers between the two layers of the adapter."""
    words: Annotated[int, Field(ge=1)] = 1536
    """Numbers per word of the language model."""
    cells: Annotated[int, Field(ge=1)] = 25
    """Visual tokens per parcel: 25 or 64, or any other square."""
    lora: LoraSettings = LoraSettings()
    """How the language model is bent."""


class SmallModelSettings(Settings):
    """A language model small enough to learn on a CPU in a minute; of the same kind as Qwen2."""

    width: Annotated[int, Field(ge=8)] = 128
    """Numbers per word."""
    layers: Annotated[int, Field(ge=1)] = 3
    """Blocks."""
    heads: Annotated[int, Field(ge=1)] = 4
    """Of every attention."""
    hidden: Annotated[int, Field(ge=8)] = 384
    """Numbers inside a block's feed-forward part."""
    vocabulary: Annotated[int, Field(ge=300)] = 2048
    """Words and pieces of words that its tokenizer learns at most."""
