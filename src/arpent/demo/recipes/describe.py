"""``describe-nano``: a language model of two blocks that sees Sentinel-2, from squares of invented landscapes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from arpent.core import Progress
from arpent.demo.recipes.packing import pack_describer
from arpent.demo.recipes.recipe import Recipe, Taught, spoken
from arpent.engine import FitSettings, OptimiserSettings
from arpent.models.describer_settings import SmallModelSettings
from arpent.store import Place
from arpent.tasks.describe import (
    CaptionSettings,
    DescribeTrainSettings,
    EmbedSettings,
    EvaluateSettings,
    IndexSettings,
    caption_table,
    embed_images,
    evaluate,
    index_table,
    train_describer,
)
from arpent.tasks.describe.judging import Judged, Method
from arpent.tasks.describe.targets import repair_rate
from arpent.tasks.describe.texts import Mode
from arpent.tasks.describe.train_settings import SMALL, SmallLessonSettings
from arpent.testing.simulation import Simulation, simulate

__all__ = ["RECIPE"]

_SEED: Final = 11
_JUDGED_BY: Final = 303
_OTHER: Final = "openfield"
"""Family of landscapes that judges, and that nothing is learnt from."""
_HAZE: Final = 0.1
"""Of the images that judge."""
_CUT: Final[Mapping[str, Any]] = {"chip": 24}
"""Squares of three patches of the encoder on a side."""
_SEEN: Final = EmbedSettings(encoder="croma-tiny", random_init=True, cells=3, device="cpu", **_CUT)
"""One visual token for each patch, from random weights that hand on what the pixels hold."""
_SAID: Final = CaptionSettings(wordings=2, number_first=True, days=False)
"""Two ways of saying all, each number before the word that follows from it: what a small model learns soon."""
_DATA: Final = "simulated by the first of them; describer.yaml names table, captions and seen beside these settings"
_MODEL: Final = SmallModelSettings(width=96, layers=2, heads=4, hidden=256, vocabulary=2048)
_SMALL_MODEL: Final = SmallModelSettings(width=16, layers=1, heads=2, hidden=16, vocabulary=400)

_METHODS: Final[Mapping[Mode, Mapping[str, Method]]] = {
    "blind": {"blind": "model", "swapped": "permuted", "constant": "constant", "nearest": "nearest", "probe": "probe"},
    "grounded": {"told": "draft", "repaired": "model"},
}
"""What is judged of texts in each mode, by the names of the figures: before and after repair, and what rivals them."""


@dataclass(frozen=True)
class _Land:
    """A landscape that is learnt from.

    Attributes:
        family: of landscapes.
        haze: that it is seen through.
        variant: plain, or with the spectra of its classes dealt out anew.
    """

    family: str
    haze: float = 0.0
    variant: str = "plain"


@dataclass(frozen=True)
class _Size:
    """How much is simulated and learnt.

    Attributes:
        lands: that are learnt from.
        side: pixels of each image.
        months: in whose middle images are taken.
        judged: pixels of each image that judges.
        judges: months at whose beginning those are taken.
        texts: that the language model reads before it sees anything.
        sights: parcels that the adapter sees before it says anything.
        samples: texts about parcels that it learns at last.
        model: size of the language model.
    """

    lands: tuple[_Land, ...] = (
        _Land("bocage"),
        _Land("coteaux", haze=0.3),
        _Land("bocage", variant="permuted"),
        _Land("coteaux", variant="permuted"),
    )
    side: int = 240
    months: tuple[int, ...] = (1, 3, 4, 6, 7, 9, 11)
    judged: int = 144
    judges: tuple[int, ...] = (3, 5, 6, 8, 10)
    texts: int = 24_000
    sights: int = 48_000
    samples: int = 2400
    model: SmallModelSettings = _MODEL


_WHOLE: Final = _Size()
_SMALL: Final = _Size(
    side=48,
    months=(4, 7),
    judged=48,
    judges=(5,),
    texts=64,
    sights=128,
    samples=16,
    model=_SMALL_MODEL,
)


def _simulations(size: _Size) -> Iterator[Simulation]:
    days = tuple(dt.date(2021, month, 15) for month in size.months)
    for number, land in enumerate(size.lands):
        yield Simulation(
            sensor=("s2",),
            size=size.side,
            seed=_SEED + number,
            family=land.family,
            haze=land.haze,
            variant=land.variant,
            dates=days,
        )


def _simulated(folder: Path, asked: Simulation, progress: Progress | None) -> list[str]:
    return [str(one.image) for one in simulate(folder, asked, force=True, progress=progress)]


def _measured(folder: Path, size: _Size, progress: Progress | None) -> tuple[Path, Path]:
    """The table of what is learnt from, and the run of its visual tokens."""
    images = [
        image
        for number, asked in enumerate(_simulations(size))
        for image in _simulated(folder / "lands" / str(number), asked, progress)
    ]
    table = index_table(images, folder / "table.parquet", IndexSettings(**_CUT), progress=progress).file
    seen = embed_images(images, Place(exact=folder / "seen", force=True), _SEEN, progress=progress)
    return table, seen.run.path


def _teach(folder: Path, *, small: bool, progress: Progress | None) -> Taught:
    size = _SMALL if small else _WHOLE
    table, seen = _measured(folder, size, progress)
    said = caption_table(table, folder / "captions.jsonl", _SAID).file
    lessons = SmallLessonSettings(
        model=size.model, texts=size.texts, sights=size.sights, told=0.6, listed=0.4, days=False, rate=6e-3
    )
    learning = DescribeTrainSettings(
        table=str(table),
        captions=str(said),
        embeddings=str(seen),
        base=SMALL,
        small=lessons,
        grounded=0.6,
        wordings=_SAID.wordings,
        number_first=_SAID.number_first,
        samples=size.samples,
        batch_size=16,
        fit=FitSettings(
            epochs=1,
            optimiser=OptimiserSettings(rate=3e-3, schedule="one-cycle", warm_up=0.1),
            seed=_SEED,
            device="cpu",
        ),
    )
    run = train_describer(learning, Place(exact=folder / "describer", force=True), progress=progress)
    steps = (
        *(spoken(f"simulate -o lands/{number}", one) for number, one in enumerate(_simulations(size))),
        spoken("describe indices lands/*/*/image_*.tif -o table.parquet", IndexSettings(**_CUT)),
        spoken("describe caption table.parquet -o captions.jsonl", _SAID),
        spoken("describe embed lands/*/*/image_*.tif -o seen", _SEEN),
        spoken("describe train describer.yaml -o describer"),
    )
    return Taught(run.file("model").parent, steps, _DATA)


def _judge(bundle: Path, folder: Path, *, small: bool, progress: Progress | None) -> Mapping[str, float]:
    """How true texts are of other land, from the image alone and told; beside them what others would have said."""
    size = _SMALL if small else _WHOLE
    table, learnt = _measured(folder / "learnt", size, progress)
    land = Simulation(
        sensor=("s2",),
        size=size.judged,
        seed=_JUDGED_BY,
        family=_OTHER,
        haze=_HAZE,
        dates=tuple(dt.date(2022, month, 2) for month in size.judges),
    )
    images = _simulated(folder / "land", land, progress)
    seen = embed_images(images, Place(exact=folder / "seen", force=True), _SEEN, progress=progress).run.path
    common: dict[str, Any] = {"training": str(table), "embeddings": (str(learnt), str(seen)), "place": _OTHER}
    figures: dict[str, float] = {}
    for mode, methods in _METHODS.items():
        asked = EvaluateSettings(mode=mode, counterfactual=False, draws=20, device="cpu", **common, **_CUT)
        place = Place(exact=folder / mode, force=True)
        found = evaluate(bundle, place, asked, images=images, progress=progress).judged
        for name, method in methods.items():
            figures |= _figures(found, name, method)
        if mode == "grounded":
            figures["judged/told/repaired"] = repair_rate(found) or 0.0
    return {name: round(value, 4) for name, value in figures.items()}


def _figures(judged: Judged, name: str, method: Method) -> dict[str, float]:
    """Numbers within .05, words that are right, and what is contradicted, by one way of writing."""
    tally = judged.tallies.get(method, judged.tallies["model"])  # there are no drafts where nothing was mended
    scores = tally.scores(draws=1).summary()
    return {f"judged/{name}/{figure}": scores[figure] for figure in ("hit05", "classes", "contradiction")}


RECIPE: Final = Recipe("describe-nano", _SEED, _JUDGED_BY, _teach, _judge, pack_describer, suffix="")
"""Five minutes of one core."""
