"""Land cover: learnt from an aerial image of one commune, carried to a satellite's image of another, and mapped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from arpent.data import Augment, SampleIndex, Split, cut_blocks, split_by_block
from arpent.demo.outcome import Figure, Outcome
from arpent.demo.stage import LEARNT, Stage
from arpent.engine import FitSettings, OptimiserSettings
from arpent.language import say
from arpent.store import Run
from arpent.tasks.landcover import (
    FinetuneSettings,
    LandcoverMap,
    LandcoverSettings,
    MapSettings,
    TrainSettings,
    finetune,
    map_image,
    train,
)
from arpent.testing.simulation import Simulated

__all__ = ["Landcover", "map_commune"]

ORTHO, NEO = "bd-ortho", "pleiades-neo"
BANDS = ("red", "green", "blue", "nir", "rededge", "deepblue")
"""Of the satellite; the aerial camera has the first four."""
_METRES = 0.3
"""Of a pixel of the satellite."""
NEIGHBOUR = 44
"""Seed of the commune that is labelled: of the same kind as the one that is mapped, and elsewhere.

Its middle shows each thing that the landscape has, water, conifers and vines too: whoever labels ground for others to
be mapped by chooses such a place, since what is not labelled is not found.
"""
_VALIDATION = 0.2
_SMALLEST = 20.0
"""Square metres of a polygon."""


@dataclass(frozen=True)
class Landcover:
    """The map with its scores, and the step of the demo that it is.

    Attributes:
        made: the map.
        outcome: of the step.
    """

    made: LandcoverMap
    outcome: Outcome


def map_commune(stage: Stage) -> Landcover:
    """Trains on the aerial image, fine-tunes on a small labelled satellite image, and maps a large one."""
    scale = stage.scale
    learnt = _learn(stage)
    moved = _carry(stage, learnt)
    scene = stage.simulated("commune", sensor=(NEO,), size=scale.mapped)[0]
    made = map_image(
        str(scene.image),
        moved.file("model"),
        stage.place("landcover"),
        MapSettings(vector=True, min_area=_SMALLEST, language=stage.language),
        truth=scene.mask,
        progress=stage.progress,
    )
    before = _before(stage, learnt, scene)
    assert made.scores is not None and before.scores is not None  # the truth was given
    figure = Figure("miou", made.scores.miou, "untransferred", before.scores.miou)
    ground, mapped = (scale.labelled * _METRES) ** 2, (scale.mapped * _METRES) ** 2
    done = say("demo.done_landcover", stage.language, ground=ground, mapped=mapped)
    facts = {"accuracy": made.scores.accuracy, "model": moved.file("model")}
    runs = (learnt.path, moved.path, before.run.path, made.run.path)
    return Landcover(made, Outcome(done, made.run.path / "preview.png", runs, figure, facts=facts))


def _learn(stage: Stage) -> Run:
    """A small network that has seen the aerial image of another commune, another kind of landscape."""
    scale = stage.scale
    stage.simulated("ortho", sensor=(ORTHO,), family="bocage", seed=LEARNT, size=scale.ortho)
    settings = TrainSettings(
        index=str(_sides(stage.images("ortho"), scale.block)),
        name="ortho",
        patch=128,
        patches=scale.patches,
        batch_size=8,
        augment=Augment(gain=0.15, bias=0.2),  # communes differ in light and soil
        fit=FitSettings(epochs=scale.epochs, best="miou", optimiser=OptimiserSettings(rate=4e-3)),
        language=stage.language,
    )
    return train(settings, stage.place("landcover-ortho"), progress=stage.progress)


def _carry(stage: Stage, learnt: Run) -> Run:
    """The network with the satellite's bands, pixels and light, from the labelled ground of a neighbour."""
    scale = stage.scale
    stage.simulated("labelled", sensor=(NEO,), seed=NEIGHBOUR, size=scale.labelled)
    settings = FinetuneSettings(
        index=str(_sides(stage.images("labelled"), scale.block)),
        name="pleiades-neo",
        start=str(learnt.file("model")),
        strategy="ft-initialisation",
        task=LandcoverSettings(bands=BANDS),
        patch=128,
        patches=scale.tuned,
        batch_size=8,
        augment=Augment(gain=0.1, bias=0.1),
        fit=FitSettings(epochs=scale.tuning, best="miou", optimiser=OptimiserSettings(rate=3e-3)),
        language=stage.language,
    )
    return finetune(settings, stage.place("landcover-model"), progress=stage.progress)


def _sides(folder: Path, block: float) -> Path:
    """Images cut into blocks, some of them set aside to choose the best epoch by; their index."""
    shares: dict[Split, float] = {"train": 1 - _VALIDATION, "val": _VALIDATION}
    blocks = cut_blocks(SampleIndex.read(folder / "index.csv"), block)
    return split_by_block(blocks, shares, block=block).write(folder / "blocks.csv")


def _before(stage: Stage, learnt: Run, scene: Simulated) -> LandcoverMap:
    """The same map by the network as it was before, with the statistics of the satellite's image and its own pixels."""
    settings = MapSettings(resample=True, grid="image", normalise="norma-target", language=stage.language)
    model, place = learnt.file("model"), stage.place("landcover-before")
    return map_image(str(scene.image), model, place, settings, truth=scene.mask, progress=stage.progress)
