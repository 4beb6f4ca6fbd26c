"""What users can set when branches and fusions are held against each other. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.tasks.classify.train_settings import ClassifyTrainSettings

__all__ = ["AblateSettings"]


class AblateSettings(Settings):
    """How branches and fusions are trained and compared."""

    seeds: Annotated[int, Field(ge=1)] = 3
    """How often each is trained, with another seed each time."""
    captions: Literal["both", "open", "masked"] = "both"
    """Captions as they were written (open), without the words that name labels (masked), or both, side by side."""
    training: ClassifyTrainSettings = ClassifyTrainSettings()
    """How each is trained. Branch, fusion and masking are those that are compared; its seed is the first one."""
    draws: Annotated[int, Field(ge=1)] = 1000
    """How often pictures are drawn anew for the intervals."""
    language: Language = "en"
    """Language of the report: en or fr."""
