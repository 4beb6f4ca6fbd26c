"""What users can set when descriptions are judged. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["EvaluateSettings"]


class EvaluateSettings(SceneSettings):
    """How descriptions are held against the pixels. How images are read is set for bundles only: runs know it."""

    training: str | None = None
    """Table of measurements that the model was trained on: tells what is held out, and gives the constant caption. That
    of the run that trained the model if not given."""
    embeddings: tuple[str, ...] = ()
    """Runs of 'describe embed' of the training parcels and of those judged: give nearest neighbour and linear probe."""
    mode: Literal["blind", "grounded"] = "blind"
    """For bundles: whether the model sees the image alone (blind) or is told what was measured (grounded)."""
    lang: Literal["fr", "en", "both"] = "both"
    """For bundles: language of the texts that are judged."""
    counterfactual: bool = True
    """For bundles: also scale B08 by 0.7 to 1.3, and see whether the NDVI that is stated follows the true one."""
    changed: Annotated[int, Field(ge=1)] = 24
    """Parcels whose B08 is scaled, at most."""
    draws: Annotated[int, Field(ge=1)] = 1000
    """How often parcels are drawn anew for the intervals."""
    seed: int = 0
    """Of the draws, of the texts of other images, and of the grammar's captions."""
    encoder: str | None = None
    """For bundles: encoder that the describer was trained with; that, by its name, if not given."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """For bundles: texts that are written side by side."""
    device: str = "auto"
    """For bundles: where the describer computes: auto, cpu, cuda …"""
    language: Language = "en"
    """Language of the report: en or fr."""
