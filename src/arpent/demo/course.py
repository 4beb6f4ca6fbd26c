"""The steps of the demo, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from time import perf_counter

from arpent.demo.landcover import Landcover, map_commune
from arpent.demo.outcome import Outcome
from arpent.demo.stage import Stage
from arpent.language import say
from arpent.models.shipped import shipped_bundle

__all__ = ["Course", "Step", "run_course", "steps"]


@dataclass(frozen=True)
class Course:
    """A finished demo.

    Attributes:
        landcover: the map, with the ground of each class and its scores.
        outcomes: of each capability, in the order in which they were shown.
    """

    landcover: Landcover
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True)
class Step:
    """What follows on land cover.

    Attributes:
        module: of the demo, opened when its turn comes.
        function: that does it; takes the stage and, where there is one, the model.
        model: small one that comes with Arpent; empty where none is needed.
    """

    module: str
    function: str
    model: str = ""

    def done(self, stage: Stage, model: Path | None) -> Outcome:
        """Does it."""
        work: Callable[..., Outcome] = getattr(import_module(f"arpent.demo.{self.module}"), self.function)
        return work(stage) if model is None else work(stage, model)


_STEPS: Mapping[str, Step] = {
    "change": Step("change", "find_change", "change-nano"),
    "describe": Step("parcels", "describe_fields"),
}


def steps() -> Mapping[str, Step]:
    """What follows on land cover, by the name of the capability: all whose model comes with Arpent."""
    return {name: step for name, step in _STEPS.items() if not step.model or shipped_bundle(step.model)}


def run_course(stage: Stage) -> Course:
    """Shows every capability on the one commune.

    Raises:
        RunExists: the folder holds something that no demo made.
    """
    stage.open()
    following = steps()
    begun = perf_counter()
    _announce(stage, "landcover", 1, 1 + len(following))
    mapped = map_commune(stage)
    outcomes = {"landcover": replace(mapped.outcome, seconds=perf_counter() - begun)}
    for number, (name, step) in enumerate(following.items(), start=2):
        begun = perf_counter()
        _announce(stage, name, number, 1 + len(following))
        outcomes[name] = replace(step.done(stage, shipped_bundle(step.model)), seconds=perf_counter() - begun)
    return Course(mapped, outcomes)


def _announce(stage: Stage, name: str, number: int, of: int) -> None:
    stage.tell(say("demo.step", stage.language, number=number, of=of, name=say(f"demo.{name}", stage.language)))
