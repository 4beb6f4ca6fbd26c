"""What every training of radar series leaves behind: the bundle, its curves and history, its figures."""

from __future__ import annotations

from typing import Any

from arpent.core import Contract, Language
from arpent.engine import Fit, publish_history
from arpent.io import open_image
from arpent.models import save_bundle
from arpent.store import RunFolder
from arpent.tasks.forecast.dataset import Dataset

__all__ = ["image_facts", "publish_fit", "whole_patch"]


def image_facts(dataset: Dataset) -> dict[str, Any]:
    """What a contract says of the images."""
    first = dataset.index[0]
    with open_image(first.image, bands=dataset.bands, sensor=first.sensor or None) as reader:
        return {"gsd": round(reader.gsd, 6) if reader.gsd else None, "dtype": "float32", "nodata": reader.nodata}


def whole_patch(side: int, stride: int) -> int:
    """The side of a square, rounded up to what a network can take."""
    return -(-side // stride) * stride


def publish_fit(run: RunFolder, fitted: Fit, contract: Contract, language: Language) -> None:
    """The bundle, the curves, the history and the figures of the epoch that is kept."""
    run.publish(save_bundle(run.scratch / "model.safetensors", fitted.model, contract), kind="model")
    publish_history(run, fitted, language)
