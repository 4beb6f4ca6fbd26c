"""Change: two dates of a place, and what really changed.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from arpent.tasks.change.frames import Frame, Pair
from arpent.tasks.change.settings import ChangeSettings

__all__ = ["ChangeSettings", "Frame", "Pair"]
