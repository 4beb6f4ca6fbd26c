"""What users can set when labels are explained. Opens without torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from arpent.core import Language, Settings

__all__ = ["ExplainSettings"]


class ExplainSettings(Settings):
    """Which labels are explained."""

    labels: tuple[str, ...] = ()
    """Labels to explain, given or not; those that are given, or else the likeliest one, if not named."""
    most: Annotated[int, Field(ge=1)] = 3
    """How many of those that are given are explained, the likeliest first."""
    language: Language = "en"
    """Language of the figures: en or fr."""
