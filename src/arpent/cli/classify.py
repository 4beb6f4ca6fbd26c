"""``arpent classify``: labels for pictures and their captions. Each command has a file of its own beside this one."""

from __future__ import annotations

from arpent.cli import classify_prepare
from arpent.cli.groups import grouped

__all__ = ["app"]

app = grouped("Labels for pictures and their captions, and what fusing both is worth.", classify_prepare)
