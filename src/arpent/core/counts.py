"""Counts in the words of errors."""

from __future__ import annotations

__all__ = ["band_count"]


def band_count(count: int) -> str:
    """How many bands there are: "1 band", "4 bands"."""
    return f"{count} band" if count == 1 else f"{count} bands"
