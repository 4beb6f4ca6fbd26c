"""What the training of a describer leaves behind: its folder, curves, history and the figures of the epoch kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from arpent.core import Language, write_file
from arpent.engine import Fit
from arpent.report import figures
from arpent.store import RunFolder

__all__ = ["publish_training"]


def publish_training(run: RunFolder, folder: Path, fitted: Fit, language: Language) -> None:
    """Publishes a describer's folder, which lies in the run already, and all that tells how it was trained."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = file.relative_to(folder).as_posix()
        name = "model" if inside == "bundle.json" else f"model-{inside}"
        run.publish(file, kind="model", name=name)
    history = [asdict(epoch) for epoch in fitted.history]
    run.publish(figures.curves(history, run.scratch / "curves.png", language=language), kind="picture")
    lines = "".join(f"{json.dumps(epoch)}\n" for epoch in history)
    run.publish(write_file(run.scratch / "history.jsonl", lines), kind="text")
    run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})
    trained = sum(parameter.numel() for parameter in fitted.model.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in fitted.model.parameters())
    run.add_metrics({"parameters/trained": trained, "parameters/total": total})
    run.add_metrics({"epoch": fitted.best.number, "epochs": len(history)})
    _keep_logs(run)


def _keep_logs(run: RunFolder) -> None:
    """Publishes TensorBoard's event files under ``logs/``, as ``tensorboard --logdir`` looks for them."""
    for file in sorted((run.scratch / "fit").rglob("logs/events.*")):
        home = run.path / "logs" / file.parent.parent.relative_to(run.scratch / "fit")
        home.mkdir(parents=True, exist_ok=True)
        kept = home / file.name
        write_file(kept, file.read_bytes())
        run.publish(kept, kind="text", name=f"logs-{file.name}")
