"""What users can set when pictures get labels. Opens without torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from arpent.core import Language, Settings
from arpent.engine.settings import Precision, RuntimeName

__all__ = ["LabelSettings"]


class LabelSettings(Settings):
    """How pictures and captions get labels; none of this changes what the model has learnt."""

    batch_size: Annotated[int, Field(ge=1)] = 8
    """Pictures per pass through the network, which waits for the first ones to be read."""
    read_threads: Annotated[int, Field(ge=1)] = 2
    """Threads that read pictures ahead."""
    runtime: RuntimeName = "auto"
    """What runs the network: torch, openvino, or auto for the fastest that is installed."""
    device: str = "auto"
    """Where it runs: auto, cpu, cuda, cuda:0 …"""
    precision: Precision = "f32"
    """Arithmetic of the network: f32, or bf16, which is about twice as fast where the processor has it."""
    figures: Annotated[int, Field(ge=0)] = 8
    """How many pictures get a figure with their labels as title and their chances as bars: the first ones."""
    bars: Annotated[int, Field(ge=1)] = 12
    """Labels on a figure, the likeliest ones; those that are given stand first."""
    language: Language = "en"
    """Language of figures and notes: en or fr."""
