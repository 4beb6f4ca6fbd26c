"""What users can set when a forecasting model is judged. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.engine.settings import Precision, RuntimeName

__all__ = ["EvaluateSettings"]


class EvaluateSettings(Settings):
    """How forecasts are held against what came true."""

    split: Literal["auto", "train", "val", "test", "all"] = "auto"
    """Side whose dates are foretold; auto for test, else val, else all."""
    patch: Annotated[int, Field(ge=8)] = 512
    """Side in pixels of the squares that the network sees."""
    examples: Annotated[int, Field(ge=0, le=12)] = 3
    """Forecasts that the page shows as maps: of water that rises, falls and stays, as far as there are such."""
    runtime: RuntimeName = "torch"
    """What runs the network: torch, openvino, or auto for the fastest that is installed."""
    device: str = "auto"
    """Where it runs: auto, cpu, cuda, cuda:0 …"""
    precision: Precision = "f32"
    """Arithmetic of the network: f32, or bf16, which is about twice as fast where the processor has it."""
    language: Language = "en"
    """Language of the report: en or fr."""
