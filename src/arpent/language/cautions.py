"""Warnings in front of people: each begins with the word for one, once."""

from __future__ import annotations

import re

from arpent.core import Language
from arpent.language.lexicon import say

__all__ = ["warned"]

_BEGUN = re.compile(r"(?:warning|attention)\s*:", re.IGNORECASE)
"""Many warnings say themselves that they are one; others are lines of their own."""


def warned(text: str, language: Language) -> str:
    """The text with "warning: " or "attention : " before it, unless it begins so already.

    Args:
        text: a warning as a run keeps it.
        language: that it is written in.
    """
    return text if _BEGUN.match(text) else say("runs.warning", language, text=text)
