"""``arpent demo``: the whole way from images to a map, on a landscape whose truth is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import facts, note, progress, show
from arpent.cli.places import place
from arpent.cli.tables import adjusted_document, class_table, notes_on_areas
from arpent.core import Language
from arpent.language import duration, percent, say, storage
from arpent.testing.memory import peak_memory

if TYPE_CHECKING:
    from arpent.metrics import DenseScores
    from arpent.tasks.change.evaluating import Evaluation
    from arpent.tasks.change.pairs import ChangeRun
    from arpent.tasks.landcover import LandcoverMap, TrainSettings

__all__ = ["app"]

app = typer.Typer(help="From synthetic commune to maps of land cover and of change in minutes.")


@dataclass(frozen=True)
class _Scale:
    """How much the demo does: sides of images in pixels, and of the blocks that are split in metres."""

    training_size: int
    block: float
    scene_size: int
    epochs: int
    patches: int
    pair_size: int


_FULL = _Scale(training_size=3072, block=100.0, scene_size=4096, epochs=6, patches=520, pair_size=384)
_FAST = _Scale(training_size=1024, block=50.0, scene_size=1024, epochs=3, patches=160, pair_size=128)

_LEARNT, _MAPPED = 2, 1
"""Seeds of the commune that is learnt from and of the one that is mapped."""

_TWO_DATES = (dt.date(2021, 9, 10), dt.date(2022, 9, 12))
"""Before and after the fires, clear-cuts, floods and building sites of 2022."""


@dataclass(frozen=True)
class _Done:
    """What the demo shows."""

    landcover: LandcoverMap
    scores: DenseScores
    change: ChangeRun
    detection: Evaluation
    seconds: dict[str, float]


@app.callback(invoke_without_command=True)
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for images and runs.")] = Path("arpent-demo"),
    language: Annotated[str, typer.Option("--language", "-l", help="Language of names: en or fr.")] = "en",
    fast: Annotated[bool, typer.Option("--fast", help="Smaller images and less training.")] = False,
) -> None:
    """Simulates communes, learns and maps land cover, finds what changed in two dates, and compares with the truth."""
    from arpent.language import language_named
    from arpent.tasks.change.baselines import VECTOR

    chosen = language_named(language)
    done = _run(output, _FAST if fast else _FULL, chosen)
    names = [one.entry.en for one in done.landcover.areas]
    iou = dict(zip(names, map(float, done.scores.iou_by_class), strict=True))
    preview = done.landcover.run.path / "preview.png"
    changed, found = done.change.run.path / "preview.png", done.detection
    ours, plain = found.own or found.best, found.baselines[VECTOR]
    peak = peak_memory()
    document = {
        "map": done.landcover.path,
        "preview": preview,
        "miou": done.scores.miou,
        "accuracy": done.scores.accuracy,
        "iou": iou,
        "areas_m2": {one.entry.en: one.square_metres for one in done.landcover.areas},
        **adjusted_document(done.landcover),
        "change": {"run": done.change.run.path, "preview": changed, "f1": ours.f1, "f1_change_vectors": plain.f1},
        "seconds": done.seconds,
        "peak_memory_bytes": peak,
    }
    steps = [(say(f"demo.{step}", chosen), duration(seconds, chosen)) for step, seconds in done.seconds.items()]
    lines = [
        ("mIoU", percent(done.scores.miou, chosen)),
        (say("word.accuracy", chosen), percent(done.scores.accuracy, chosen)),
        (say("demo.found", chosen), percent(ours.f1, chosen)),
        (say("demo.plain", chosen), percent(plain.f1, chosen)),
        *steps,
        (say("word.memory", chosen), storage(peak, chosen)),
        (say("word.map", chosen), done.landcover.path),
        (say("demo.preview", chosen), preview),
        (say("demo.changed", chosen), changed),
    ]
    for line in notes_on_areas(done.landcover, chosen):
        note(line)
    table = class_table(done.landcover.areas, chosen, iou=iou, adjusted=done.landcover.adjusted)
    show(document, table, facts(lines))


def _run(folder: Path, scale: _Scale, language: Language) -> _Done:
    """Simulates, trains, maps, compares and scores."""
    from arpent.tasks.landcover import MapSettings, map_image, train
    from arpent.testing.simulation import Simulation, simulate

    seconds: dict[str, float] = {}

    def timed(step: str, since: float) -> float:
        seconds[step] = perf_counter() - since
        return perf_counter()

    clock = perf_counter()
    note(say("demo.begin", language))
    index = _blocks(folder / "training", scale)
    scene = simulate(folder / "scene", Simulation(seed=_MAPPED, size=scale.scene_size), force=True, progress=progress())
    clock = timed("simulate", clock)
    run = train(_training(index, scale), place(folder / "model", force=True), progress=progress())
    clock = timed("train", clock)
    made = map_image(
        str(scene[0].image),
        run.path / run.manifest.product("model").file,
        place(folder / "map", force=True),
        MapSettings(language=language),
        truth=scene[0].mask,
        progress=progress(),
    )
    clock = timed("predict", clock)
    compared, found = _compare(folder, scale.pair_size, language)
    timed("compare", clock)
    assert made.scores is not None  # the truth was given
    return _Done(made, made.scores, compared, found, seconds)


def _compare(folder: Path, size: int, language: Language) -> tuple[ChangeRun, Evaluation]:
    """What a year has changed in a landscape of another family, by the small model that comes with Arpent."""
    from arpent.tasks.change.evaluating import EvaluateSettings, evaluate
    from arpent.tasks.change.pairs import change
    from arpent.testing.simulation import Simulation, simulate

    seen = Simulation(
        sensor=("hls-s30",), family="openfield", seed=_MAPPED, size=size, dates=_TWO_DATES, clouds=0.1, haze=0.4
    )
    before, after = simulate(folder / "dates", seen, force=True, progress=progress())
    assert after.change is not None and before.quality is not None and after.quality is not None  # optical, second date
    compared = change(
        before.image,
        after.image,
        model="change-nano",
        quality=(before.quality, after.quality),
        place=place(folder / "change", force=True),
        exclude=("cloud", "shadow"),
        language=language,
    )
    settings = EvaluateSettings(language=language)
    return compared, evaluate(compared.run.path, after.change, place(folder / "change-score", force=True), settings)


def _blocks(folder: Path, scale: _Scale) -> Path:
    """A commune cut into blocks, some of them set aside to choose the best epoch by; its index."""
    from arpent.data import SampleIndex, cut_blocks, split_by_block
    from arpent.testing.simulation import Simulation, simulate

    simulate(folder, Simulation(seed=_LEARNT, size=scale.training_size), force=True, progress=progress())
    blocks = cut_blocks(SampleIndex.read(folder / "index.csv"), scale.block)
    return split_by_block(blocks, {"train": 0.8, "val": 0.2}, block=scale.block).write(folder / "blocks.csv")


def _training(index: Path, scale: _Scale) -> TrainSettings:
    from arpent.data import Augment
    from arpent.engine import FitSettings, OptimiserSettings
    from arpent.tasks.landcover import TrainSettings

    return TrainSettings(
        index=str(index),
        name="commune",
        patch=128,
        patches=scale.patches,
        batch_size=8,
        augment=Augment(gain=0.15, bias=0.2),  # communes differ in light and soil
        fit=FitSettings(epochs=scale.epochs, best="miou", optimiser=OptimiserSettings(rate=4e-3)),
    )
