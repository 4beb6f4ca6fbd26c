"""Synthetic landscapes with exact truth, and strategies, for tests, demos and benchmarks.

`arpent.testing.strategies` (Hypothesis) and `arpent.testing.toys` (torch) are imported by name, so that simulating an
image needs neither.
"""

from arpent.testing.events import EventKind
from arpent.testing.families import FAMILIES
from arpent.testing.sky import Fmask, SceneClass, Sky
from arpent.testing.worlds import Commune, Scene

__all__ = ["FAMILIES", "Commune", "EventKind", "Fmask", "Scene", "SceneClass", "Sky"]
