"""What a training leaves behind beside its model: curves, history, figures of the epoch kept, TensorBoard's logs."""

from __future__ import annotations

import json
from dataclasses import asdict

from arpent.core import Language, write_file, writing
from arpent.engine.training import Fit
from arpent.engine.tuning import counted
from arpent.report import figures
from arpent.store import RunFolder

__all__ = ["publish_history"]


def publish_history(run: RunFolder, fitted: Fit, language: Language) -> None:
    """Publishes all that tells how a model was trained in the scratch folder ``fit`` of a run."""
    history = [asdict(epoch) for epoch in fitted.history]
    if history:
        run.publish(figures.curves(history, run.scratch / "curves.png", language=language), kind="picture")
    lines = "".join(f"{json.dumps(epoch)}\n" for epoch in history)
    run.publish(write_file(run.scratch / "history.jsonl", lines), kind="text")
    run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})
    run.add_metrics(
        {"parameters/total": counted(fitted.model.parameters()), "epoch": fitted.best.number, "epochs": len(history)}
    )
    _keep_logs(run)


def _keep_logs(run: RunFolder) -> None:
    """Publishes TensorBoard's event files under ``logs/``, as ``tensorboard --logdir`` looks for them."""
    for file in sorted((run.scratch / "fit").rglob("logs/events.*")):
        home = run.path / "logs" / file.parent.parent.relative_to(run.scratch / "fit")
        with writing(home):
            home.mkdir(parents=True, exist_ok=True)
        kept = home / file.name
        write_file(kept, file.read_bytes())
        run.publish(kept, kind="text", name=f"logs-{file.name}")
