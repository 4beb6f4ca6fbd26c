"""``classify-nano``: a small ConvNeXt and a reader of words, fused, from pictures of two invented landscapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from arpent.core import Progress
from arpent.demo.recipes.packing import pack_network
from arpent.demo.recipes.recipe import Recipe, Taught, spoken
from arpent.demo.recipes.scenes import FRENCH, SceneSettings, write_scenes
from arpent.store import Place
from arpent.tasks.classify import (
    ClassifyTrainSettings,
    Dataset,
    LabelEvaluationSettings,
    evaluate_labeller,
    train_labeller,
)
from arpent.tasks.classify.prepare_settings import PrepareSettings
from arpent.tasks.classify.preparing import prepare

__all__ = ["RECIPE"]

_SEED: Final = 3
_JUDGED_BY: Final = 101
_OTHER: Final = ("openfield",)
"""Family of landscapes that judges, and that nothing is learnt from."""

_DATA: Final = "pictures that scripts/bundles.py cuts from simulated communes, with captions.csv and labels.csv"

_WAYS: Final[Mapping[str, str]] = {"complete": "both", "text_absent": "image", "image_absent": "caption"}


@dataclass(frozen=True)
class _Size:
    """How much is cut and learnt.

    Attributes:
        pictures: that are learnt from.
        judged: that judge.
        epochs: passes of the encoder over the pictures.
        encoder: by the name that timm gives it.
    """

    pictures: int = 900
    judged: int = 200
    epochs: int = 25
    encoder: str = "test_convnext"


_WHOLE: Final = _Size()
_SMALL: Final = _Size(pictures=60, judged=30, epochs=1)


def _teach(folder: Path, *, small: bool, progress: Progress | None) -> Taught:
    size = _SMALL if small else _WHOLE
    prepared = _dataset(folder, SceneSettings(_SEED, size.pictures), progress)
    common = {
        "dataset": str(folder / "dataset"),
        "image_encoder": size.encoder,
        "pretrained": "random",
        "side": 64,
        "parts": False,
        "device": "cpu",
    }
    looking = ClassifyTrainSettings(
        branch="image",
        epochs=1,  # of the head alone, on features of random numbers
        unfreeze=99,  # all blocks
        unfreeze_epochs=size.epochs,
        unfreeze_rate=3e-3,
        dropout_image=0.1,
        **common,
    )
    seen = train_labeller(looking, Place(exact=folder / "image", force=True), progress=progress)
    fusing = ClassifyTrainSettings(hidden_text=64, **common)
    place = Place(exact=folder / "labeller", force=True)
    run = train_labeller(fusing, place, start=(str(seen.path),), progress=progress)
    steps = (
        spoken("classify prepare pictures -o dataset", prepared),
        spoken("classify train dataset -o image", looking, without=("dataset",)),
        spoken("classify train dataset --from image -o labeller", fusing, without=("dataset",)),
    )
    return Taught(run.file("model"), steps, _DATA, {"titles": {"fr": dict(FRENCH)}})


def _dataset(folder: Path, scenes: SceneSettings, progress: Progress | None) -> PrepareSettings:
    made = write_scenes(folder, scenes, progress=progress)
    settings = PrepareSettings(captions=made.captions, labels=made.labels)
    prepare(str(made.pictures), folder / "dataset", settings, force=True, progress=progress)
    return PrepareSettings(captions=Path(made.captions.name), labels=Path(made.labels.name))


def _judge(bundle: Path, folder: Path, *, small: bool, progress: Progress | None) -> Mapping[str, float]:
    """How well labels are given with picture and caption, with each alone, and by chance: mAP and micro-F1."""
    size = _SMALL if small else _WHOLE
    _dataset(folder, SceneSettings(_JUDGED_BY, size.judged, families=_OTHER, side_of_split="test"), progress)
    settings = LabelEvaluationSettings(split="test", draws=20, device="cpu", runtime="torch")
    place = Place(exact=folder / "evaluation", force=True)
    found = evaluate_labeller(folder / "dataset", bundle, place, settings, progress=progress)
    dataset = Dataset.read(folder / "dataset")
    figures = {"judged/chance/map": float(dataset.truth(dataset.of_split("test")).mean(axis=0).mean())}
    for condition, reached in found.reached.items():
        at = f"judged/{_WAYS[condition]}"
        figures |= {f"{at}/map": reached.mean_average_precision.value, f"{at}/micro_f1": reached.micro_f1.value}
    return {name: round(value, 4) for name, value in figures.items()}


RECIPE: Final = Recipe("classify-nano", _SEED, _JUDGED_BY, _teach, _judge, pack_network)
"""Three minutes of one core."""
