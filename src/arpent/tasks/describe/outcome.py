"""What the training of a describer leaves behind: its folder, curves, history and the figures of the epoch kept."""

from __future__ import annotations

from pathlib import Path

from arpent.core import Language
from arpent.engine import Fit, publish_history
from arpent.store import RunFolder

__all__ = ["publish_training"]


def publish_training(run: RunFolder, folder: Path, fitted: Fit, language: Language) -> None:
    """Publishes a describer's folder, which lies in the run already, and all that tells how it was trained."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = file.relative_to(folder).as_posix()
        name = "model" if inside == "bundle.json" else f"model-{inside}"
        run.publish(file, kind="model", name=name)
    trained = sum(parameter.numel() for parameter in fitted.model.parameters() if parameter.requires_grad)
    run.add_metrics({"parameters/trained": trained})
    publish_history(run, fitted, language)
