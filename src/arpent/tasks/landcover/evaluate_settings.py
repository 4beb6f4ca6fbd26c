"""What users can set when a land-cover model is evaluated. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.engine.settings import Precision, RuntimeName

__all__ = ["EvaluateSettings"]


class EvaluateSettings(Settings):
    """How a land-cover model is held against images whose truth is known."""

    split: Literal["auto", "all", "train", "val", "test"] = "auto"
    """Side of the index to judge by; auto takes test where there is one, else val, else all."""
    normalise: Literal["norma-01", "norma-source", "norma-target"] = "norma-source"
    """How pixels are normalised: by their bit depth, as the model was trained, or by these very images."""
    bits: Annotated[int, Field(ge=0, le=16)] | None = None
    """Significant bits of a pixel, for norma-01; those of the sensor if not given, 0 for pixels in [0, 1] already."""
    truth_codes: str = ""
    """Code list of the masks ("hub", "flair", "cosia", "index" …), where it is not that of the model's classes."""
    ignore: tuple[str, ...] = ()
    """Classes that are not judged, by name or number: their true pixels do not count."""
    patch: Annotated[int, Field(ge=8)] = 512
    """Side in pixels of the squares that the network sees."""
    batch_size: Annotated[int, Field(ge=1)] = 2
    """Squares per pass through the network."""
    runtime: RuntimeName = "auto"
    """What runs the network: torch, openvino, or auto for the fastest that is installed."""
    device: str = "auto"
    """Where it runs: auto, cpu, cuda, cuda:0 …"""
    precision: Precision = "f32"
    """Arithmetic of the network: f32, or bf16, which is about twice as fast where the processor has it."""
    draws: Annotated[int, Field(ge=1)] = 2000
    """Draws of the bootstrap that gives the intervals."""
    seed: int = 0
    """Seed of these draws."""
    language: Language = "en"
    """Language of the report: en or fr."""
