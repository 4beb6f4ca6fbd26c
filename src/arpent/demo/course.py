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

__all__ = ["STEPS", "Course", "Step", "run_course", "trained"]


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


def run_course(stage: Stage, *, train_all: bool = False) -> Course:
    """Shows every capability on the one commune.

    Args:
        stage: where, and how much.
        train_all: whether the small models that come with Arpent are trained anew, by their recipes.

    Raises:
        FileMissing: a model that should come with Arpent is not there.
        RunExists: the folder holds something that no demo made.
    """
    models = {name: _shipped(step.model) for name, step in STEPS.items()}
    stage.open()
    begun = perf_counter()
    _announce(stage, "landcover", 1, 1 + len(STEPS))
    mapped = map_commune(stage)
    outcomes = {"landcover": replace(mapped.outcome, seconds=perf_counter() - begun)}
    for number, (name, step) in enumerate(STEPS.items(), start=2):
        begun = perf_counter()
        _announce(stage, name, number, 1 + len(STEPS))
        model = trained(stage, step.model, models[name]) if train_all else models[name]
        outcomes[name] = replace(step.done(stage, model), seconds=perf_counter() - begun)
    return Course(mapped, outcomes)


def _announce(stage: Stage, name: str, number: int, of: int) -> None:
    stage.tell(say("demo.step", stage.language, number=number, of=of, name=say(f"demo.{name}", stage.language)))


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
