"""What every training of radar series leaves behind: the bundle, its curves and history, its figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from arpent.core import Contract, Language, write_file
from arpent.engine import Fit
from arpent.io import open_image
from arpent.models import save_bundle
from arpent.report import figures
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
    history: Sequence[dict[str, Any]] = [asdict(epoch) for epoch in fitted.history]
    if history:
        run.publish(figures.curves(history, run.scratch / "curves.png", language=language), kind="picture")
    lines = "".join(f"{json.dumps(epoch)}\n" for epoch in history)
    run.publish(write_file(run.scratch / "history.jsonl", lines), kind="text")
    run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})
    total = sum(parameter.numel() for parameter in fitted.model.parameters())
    run.add_metrics({"parameters/total": total, "epoch": fitted.best.number, "epochs": len(history)})
    _keep_logs(run)


def _keep_logs(run: RunFolder) -> None:
    """Publishes TensorBoard's event files under ``logs/``, as ``tensorboard --logdir`` looks for them."""
    for file in sorted((run.scratch / "fit").rglob("logs/events.*")):
        home = run.path / "logs" / file.parent.parent.relative_to(run.scratch / "fit")
        home.mkdir(parents=True, exist_ok=True)
        kept = home / file.name
        write_file(kept, file.read_bytes())
        run.publish(kept, kind="text", name=f"logs-{file.name}")
