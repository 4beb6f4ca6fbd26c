"""The demo: one invented commune seen by every sensor, each capability at work on it, and how good each is.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand

if TYPE_CHECKING:
    from arpent.demo.course import Course, run_course
    from arpent.demo.outcome import Figure, Outcome
    from arpent.demo.own import Own, run_on
    from arpent.demo.scale import FAST, FULL, Scale
    from arpent.demo.stage import Stage

__all__ = ["FAST", "FULL", "Course", "Figure", "Outcome", "Own", "Scale", "Stage", "run_course", "run_on"]

__getattr__ = on_demand(
    __name__,
    {
        "course": ("Course", "run_course"),
        "outcome": ("Figure", "Outcome"),
        "own": ("Own", "run_on"),
        "scale": ("FAST", "FULL", "Scale"),
        "stage": ("Stage",),
    },
)
