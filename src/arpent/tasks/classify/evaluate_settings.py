"""What users can set when a labeller is judged. Opens without torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from arpent.core import Language, Settings
from arpent.data import Split
from arpent.engine.settings import Precision, RuntimeName

__all__ = ["LabelEvaluationSettings"]


class LabelEvaluationSettings(Settings):
    """How a labeller is held against the labels of a DATASET."""

    split: Split = "test"
    """Side of the DATASET that is judged: train, val or test. Nothing is chosen on it."""
    mask_labels: bool = False
    """Take the words that name labels out of the captions first."""
    draws: Annotated[int, Field(ge=1)] = 1000
    """How often pictures are drawn anew for the intervals."""
    seed: int = 0
    """Of the draws."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Pictures per pass through the network."""
    read_threads: Annotated[int, Field(ge=1)] = 2
    """Threads that read pictures ahead."""
    runtime: RuntimeName = "auto"
    """What runs the network: torch, openvino, or auto for the fastest that is installed."""
    device: str = "auto"
    """Where it runs: auto, cpu, cuda, cuda:0 …"""
    precision: Precision = "f32"
    """Arithmetic of the network: f32 or bf16."""
    language: Language = "en"
    """Language of the report: en or fr."""
