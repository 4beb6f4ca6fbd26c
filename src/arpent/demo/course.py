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
from arpent.language import say
from arpent.models.shipped import shipped_bundle

__all__ = ["Course", "Step", "run_course", "steps", "trained"]


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
    "forecast": Step("forecast", "foretell_river", "forecast-nano"),
    "describe": Step("parcels", "describe_fields", "describe-nano"),
    "classify": Step("pictures", "label_scenes", "classify-nano"),
}


def steps() -> Mapping[str, Step]:
    """What follows on land cover, by the name of the capability: all whose model comes with Arpent."""
    return {name: step for name, step in _STEPS.items() if not step.model or shipped_bundle(step.model)}


def run_course(stage: Stage, *, train_all: bool = False) -> Course:
    """Shows every capability on the one commune.

    Args:
        stage: where, and how much.
        train_all: whether the small models that come with Arpent are trained anew, by their recipes.

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
        model = _model(stage, step.model, train_all=train_all)
        outcomes[name] = replace(step.done(stage, model), seconds=perf_counter() - begun)
    return Course(mapped, outcomes)


def _announce(stage: Stage, name: str, number: int, of: int) -> None:
    stage.tell(say("demo.step", stage.language, number=number, of=of, name=say(f"demo.{name}", stage.language)))


def _model(stage: Stage, name: str, *, train_all: bool) -> Path | None:
    """The model of that name: as it comes with Arpent, or trained anew."""
    shipped = shipped_bundle(name)
    return trained(stage, name, shipped) if shipped is not None and train_all else shipped


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
