"""The steps of the demo, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from arpent.demo.landcover import Landcover, map_commune
from arpent.demo.outcome import Outcome
from arpent.demo.stage import Stage
from arpent.errors import FileMissing
from arpent.language import say
from arpent.models.shipped import shipped_bundle, shipped_folder

__all__ = ["STEPS", "Course", "Step", "run_course", "take_step", "trained"]


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
        function: that does it; takes the stage and the model.
        model: small one that comes with Arpent.
    """

    module: str
    function: str
    model: str

    def done(self, stage: Stage, model: Path) -> Outcome:
        """Does it."""
        work: Callable[..., Outcome] = getattr(import_module(f"arpent.demo.{self.module}"), self.function)
        return work(stage, model)


STEPS: Mapping[str, Step] = {
    "change": Step("change", "find_change", "change-nano"),
    "forecast": Step("forecast", "foretell_river", "forecast-nano"),
    "describe": Step("parcels", "describe_fields", "describe-nano"),
    "classify": Step("pictures", "label_scenes", "classify-nano"),
}
"""What follows on land cover, by the name of the capability."""


def run_course(stage: Stage, *, train_all: bool = False, small: bool = False) -> Course:
    """Shows every capability on the one commune.

    Args:
        stage: where, and how much.
        train_all: whether the small models that come with Arpent are trained anew, by their recipes.
        small: whether tries will do then that learn next to nothing.

    Raises:
        FileMissing: a model that should come with Arpent is not there.
        RunExists: the folder holds something that no demo made.
    """
    for step in STEPS.values():
        _shipped(step.model)  # what is not there is told before anything is done
    stage.open()
    begun = perf_counter()
    _announce(stage, "landcover")
    mapped = map_commune(stage)
    outcomes = {"landcover": replace(mapped.outcome, seconds=perf_counter() - begun)}
    for name in STEPS:
        outcomes[name] = take_step(stage, name, train_all=train_all, small=small)
    return Course(mapped, outcomes)


def take_step(stage: Stage, name: str, *, train_all: bool = False, small: bool = False) -> Outcome:
    """One of the `STEPS`, with the model that comes with Arpent or with one that is trained for it.

    Args:
        stage: opened.
        name: of the capability.
        train_all: whether that model is trained anew, by its recipe.
        small: whether a try will do then that learns next to nothing.

    Raises:
        FileMissing: the model that should come with Arpent is not there.
    """
    begun = perf_counter()
    _announce(stage, name)
    step = STEPS[name]
    model = _shipped(step.model)
    if train_all:
        model = trained(stage, step.model, model, small=small)
    return replace(step.done(stage, model), seconds=perf_counter() - begun)


def _announce(stage: Stage, name: str) -> None:
    names = ("landcover", *STEPS)
    number = names.index(name) + 1
    stage.tell(say("demo.step", stage.language, number=number, of=len(names), name=say(f"demo.{name}", stage.language)))


def _shipped(name: str) -> Path:
    """The model of that name, as it comes with Arpent."""
    found = shipped_bundle(name)
    if found is None:
        raise FileMissing(
            f"{name}, which comes with Arpent, is not there",
            expected=f"a bundle in {shipped_folder()}",
            cure="Install Arpent again.",
        )
    return found


def trained(stage: Stage, name: str, shipped: Path, *, small: bool = False) -> Path:
    """A small model trained anew by its recipe.

    Args:
        stage: in whose folder it is kept.
        name: of the model.
        shipped: as it comes with Arpent.
        small: whether a try will do that learns next to nothing.
    """
    from arpent.demo.recipes import make_bundle

    stage.tell(say("demo.trains", stage.language, name=name))
    output = stage.folder / "models" / shipped.name
    with TemporaryDirectory() as scratch:  # what it learns from is no part of the commune, nor of its map
        return make_bundle(name, output, Path(scratch), small=small, progress=stage.progress)
