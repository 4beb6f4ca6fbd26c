"""What users can set of a series. Opens without torch and without the image reader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["SeriesSettings"]


class SeriesSettings(SceneSettings):
    """How the seasons of parcels are told."""

    crops: Path | None = None
    """Labelled series, a table of 'describe indices' with crops, that crops are learnt from; none are named without."""
    confidence: Annotated[float, Field(gt=0.5, le=1)] = 0.8
    """Least probability at which a learnt crop is named, and least share of such names that must be right on held-out
    ground for any to be."""
    charts: Annotated[int, Field(ge=0, le=500)] = 24
    """Parcels, the first ones, whose season is also drawn."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the choice of words, and of what is held out."""
