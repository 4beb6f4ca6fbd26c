"""What users can set when measurements are put into words. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings

__all__ = ["CaptionSettings"]


class CaptionSettings(Settings):
    """In which language, in how many wordings, and by whose thresholds."""

    lang: Language | Literal["both"] | None = None
    """Language of the texts: fr, en or both; both if not given, and fr in the xvision profile."""
    profile: Literal["arpent", "xvision"] = "arpent"
    """Whose axes, thresholds and file names: Arpent's, or those that XVision published."""
    per_parcel: Annotated[int, Field(ge=1, le=1000)] = 1
    """Texts of each parcel, date and language."""
    changes: bool = False
    """Tell also how the vegetation has moved since the date before, where the table has several dates."""
    wordings: Annotated[int, Field(ge=1)] | None = None
    """Ways of saying the same; any if not given. Few are learnt sooner by a small model, and make dull reading."""
    number_first: bool = False
    """Say each number before the word of the class that follows from it, in words that nothing measured changes; a
    small model learns that sooner."""
    days: bool = True
    """Name the day; a small model is slow to learn to copy it."""
    seed: int = 0
    """Chooses the wordings; the same seed writes the same texts."""
    language: Language = "en"
    """Language of what is told: en or fr."""
