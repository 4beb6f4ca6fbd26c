"""``forecast-nano``: an LSTM of 128 numbers on a thin U-Net, from forty rivers of one landscape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from arpent.core import Progress
from arpent.demo.recipes.packing import pack_network
from arpent.demo.recipes.recipe import Recipe, Taught, spoken
from arpent.store import Place
from arpent.tasks.forecast.evaluate_settings import EvaluateSettings
from arpent.tasks.forecast.evaluation import evaluate
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.preparing import prepare
from arpent.tasks.forecast.segmentation import train_segmentation
from arpent.tasks.forecast.train_settings import ForecastSettings, SegmentationSettings
from arpent.tasks.forecast.training import train_forecast
from arpent.tasks.forecast.verdict import verdicts
from arpent.testing.simulation import RadarSimulation, simulate

__all__ = ["PREPARED", "RECIPE"]

PREPARED: Final[Mapping[str, Any]] = {"filter": "none", "classes": "water"}
"""How series are prepared: water and dry land, and no filter, so that what a small network learns is what floods do."""

_SEED: Final = 7
_JUDGED_BY: Final = 202


@dataclass(frozen=True)
class _Size:
    """How much is simulated and learnt.

    Attributes:
        rivers: that are learnt from.
        judged: rivers of another landscape that judge.
        side: pixels of each image.
        dates: of each series.
        patch: pixels of the squares that are learnt from.
        widths: of the U-Net, finest first.
        hidden: numbers of the LSTM.
        steps: squares of an epoch: of the U-Net and of the LSTM.
    """

    rivers: int = 40
    judged: int = 10
    side: int = 256
    dates: int = 12
    patch: int = 128
    widths: tuple[int, ...] = (8, 16, 32, 48)
    hidden: int = 128
    steps: tuple[int, int] = (800, 960)


_WHOLE: Final = _Size()
_SMALL: Final = _Size(rivers=4, judged=1, side=64, dates=8, patch=32, widths=(4, 8), hidden=8, steps=(16, 16))


def _teach(folder: Path, *, small: bool, progress: Progress | None) -> Taught:
    size = _SMALL if small else _WHOLE
    rivers = RadarSimulation(size=size.side, seed=_SEED, dates=size.dates, scenes=size.rivers)
    simulate(folder / "rivers", rivers, force=True, progress=progress)
    prepared = PrepareSettings(patch=size.patch, **PREPARED)
    prepare(folder / "rivers", folder / "dataset", prepared, force=True, progress=progress)
    common = {"dataset": str(folder / "dataset"), "epochs": 2, "batch_size": 8, "workers": 1, "device": "cpu"}
    seeing = SegmentationSettings(widths=size.widths, patches=size.steps[0], precision="bf16", **common)
    seen = train_segmentation(seeing, Place(exact=folder / "segmentation", force=True), progress=progress)
    foretelling = ForecastSettings(
        segmentation=str(seen.path),
        hidden=size.hidden,
        forget=0.0,
        patches=size.steps[1],
        precision="bf16",
        **common,
    )
    run = train_forecast(foretelling, Place(exact=folder / "forecast", force=True), progress=progress)
    steps = (
        spoken("forecast simulate -o rivers", rivers),
        spoken("forecast prepare rivers -o dataset", prepared),
        spoken("forecast train-segmentation dataset -o segmentation", seeing, without=("dataset",)),
        spoken(
            "forecast train dataset --segmentation segmentation -o forecast",
            foretelling,
            without=("dataset", "segmentation"),
        ),
    )
    return Taught(run.file("model"), steps)


def _judge(bundle: Path, folder: Path, *, small: bool, progress: Progress | None) -> Mapping[str, float]:
    """IoU of water at each horizon, that of the stronger persistence, and what the model gains over it."""
    size = _SMALL if small else _WHOLE
    rivers = RadarSimulation(size=size.side, seed=_JUDGED_BY, dates=size.dates, scenes=size.judged)
    simulate(folder / "rivers", rivers, force=True, progress=progress)
    settings = PrepareSettings(patch=size.patch, split="none", **PREPARED)
    prepare(folder / "rivers", folder / "dataset", settings, force=True, progress=progress)
    asked = EvaluateSettings(split="all", patch=size.side, examples=0, device="cpu")
    judged = evaluate(
        folder / "dataset", bundle, Place(exact=folder / "evaluation", force=True), asked, progress=progress
    )
    figures: dict[str, float] = {}
    for found in verdicts(judged.judged):
        at = f"judged/t+{found.horizon}"
        figures |= {f"{at}/iou": found.skill, f"{at}/persistence": found.still, f"{at}/gain": found.gain}
    return {name: round(value, 4) for name, value in figures.items()}


RECIPE: Final = Recipe("forecast-nano", _SEED, _JUDGED_BY, _teach, _judge, pack_network)
"""Six minutes of one core."""
