"""The steps of the demo, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from arpent.demo.change import find_change
from arpent.demo.landcover import Landcover, map_commune
from arpent.demo.outcome import Outcome
from arpent.demo.parcels import describe_fields
from arpent.demo.stage import Stage
from arpent.language import say

__all__ = ["STEPS", "Course", "run_course"]


@dataclass(frozen=True)
class Course:
    """A finished demo.

    Attributes:
        landcover: the map, with the ground of each class and its scores.
        outcomes: of each capability, in the order in which they were shown.
    """

    landcover: Landcover
    outcomes: Mapping[str, Outcome]

    @property
    def seconds(self) -> float:
        """All steps together."""
        return sum(one.seconds for one in self.outcomes.values())


STEPS: Mapping[str, Callable[[Stage], Outcome]] = {"change": find_change, "describe": describe_fields}
"""What follows on land cover, by the name of the capability."""


def run_course(stage: Stage) -> Course:
    """Shows every capability on the one commune.

    Raises:
        RunExists: the folder holds something that no demo made.
    """
    stage.open()
    begun = perf_counter()
    _announce(stage, "landcover", 1)
    mapped = map_commune(stage)
    outcomes = {"landcover": replace(mapped.outcome, seconds=perf_counter() - begun)}
    for number, (name, step) in enumerate(STEPS.items(), start=2):
        begun = perf_counter()
        _announce(stage, name, number)
        outcomes[name] = replace(step(stage), seconds=perf_counter() - begun)
    return Course(mapped, outcomes)


def _announce(stage: Stage, name: str, number: int) -> None:
    language = stage.language
    stage.tell(say("demo.step", language, number=number, of=1 + len(STEPS), name=say(f"demo.{name}", language)))
