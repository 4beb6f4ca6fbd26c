"""``change-nano``: a small Planaura, from twelve places of one landscape on four dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from arpent.core import Progress
from arpent.data import Augment
from arpent.demo.recipes.packing import pack_network
from arpent.demo.recipes.recipe import Recipe, Taught, spoken
from arpent.demo.stage import days
from arpent.engine import FitSettings, OptimiserSettings
from arpent.store import Place
from arpent.tasks.change import ChangeTrainSettings, EvaluateSettings, change, evaluate, train
from arpent.testing.simulation import Simulation, simulate

__all__ = ["RECIPE", "lesson"]

_SEED: Final = 11
_JUDGED_BY: Final = 303
_OTHER: Final = "openfield"
"""Family of landscapes that judges, and that nothing is learnt from."""

_LEARNT: Final = days("2021-06-25", "2021-09-10", "2022-08-05", "2023-06-30")
_JUDGED: Final = days("2021-07-05", "2022-09-25")
"""A year apart, in the same season: what has changed between them is more than the fields."""
_SKY: Final[Mapping[str, Any]] = {"sensor": ("hls-s30",), "clouds": 0.15, "haze": 0.4}

_NETWORK: Final[Mapping[str, int]] = {
    "image_size": 64,
    "patch": 4,
    "width": 64,
    "depth": 3,
    "heads": 4,
    "decoder_width": 48,
    "decoder_depth": 1,
    "decoder_heads": 4,
    "head_width": 32,
}
_RECORDED: Final = "examples/change/train_nano.yaml"
"""The same settings as a file, for those who train by the command."""


@dataclass(frozen=True)
class _Size:
    """How much is simulated and learnt.

    Attributes:
        places: that are learnt from.
        side: pixels of their images.
        judged: pixels on a side of the place that judges.
        patches: squares of an epoch.
        epochs: of the training.
    """

    places: int = 12
    side: int = 256
    judged: int = 512
    patches: int = 128
    epochs: int = 16


_WHOLE: Final = _Size()
_SMALL: Final = _Size(places=4, side=96, judged=128, patches=16, epochs=1)


def lesson(index: str, patches: int = _WHOLE.patches, epochs: int = _WHOLE.epochs) -> ChangeTrainSettings:
    """How it is trained.

    Args:
        index: of the images and of what changed between them.
        patches: squares of an epoch.
        epochs: of the training.
    """
    return ChangeTrainSettings(
        name="nano",
        pairs=index,
        network=_NETWORK,
        contrast=4.0,
        patches=patches,
        batch_size=8,
        augment=Augment(geometry="d4", gain=0.1, bias=0.15),
        fit=FitSettings(
            epochs=epochs, best="average_precision", optimiser=OptimiserSettings(rate=0.003, schedule="one-cycle")
        ),
    )


def _teach(folder: Path, *, small: bool, progress: Progress | None) -> Taught:
    size = _SMALL if small else _WHOLE
    places = Simulation(size=size.side, scenes=size.places, seed=_SEED, dates=_LEARNT, **_SKY)
    simulate(folder / "places", places, force=True, progress=progress)
    settings = lesson(str(folder / "places" / "index.csv"), size.patches, size.epochs)
    run = train(settings, Place(exact=folder / "nano", force=True), progress=progress)
    steps = (spoken("simulate -o places", places), spoken(f"change train {_RECORDED} -o nano"))
    return Taught(run.file("model"), steps)


def _judge(bundle: Path, folder: Path, *, small: bool, progress: Progress | None) -> Mapping[str, float]:
    """F1 at the model's own threshold, and that of plain differences at the threshold that suits them best."""
    size = _SMALL if small else _WHOLE
    place = Simulation(size=size.judged, family=_OTHER, seed=_JUDGED_BY, dates=_JUDGED, **_SKY)
    before, after = simulate(folder / "place", place, force=True, progress=progress)
    assert before.quality is not None and after.quality is not None and after.change is not None  # optical, two dates
    compared = change(
        before.image,
        after.image,
        model=bundle,
        quality=(before.quality, after.quality),
        place=Place(exact=folder / "pair", force=True),
        runtime="torch",
        device="cpu",
    )
    where = Place(exact=folder / "evaluation", force=True)
    found = evaluate(compared.run.path, after.change, where, EvaluateSettings(draws=1))
    figures = {
        "f1": (found.own or found.best).f1,
        "average_precision": found.average_precision,
        "difference": max(one.f1 for one in found.baselines.values()),
    }
    return {f"judged/{name}": round(value, 4) for name, value in figures.items()}


RECIPE: Final = Recipe("change-nano", _SEED, _JUDGED_BY, _teach, _judge, pack_network)
"""Four minutes of one core."""
