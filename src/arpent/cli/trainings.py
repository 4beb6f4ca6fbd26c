"""What the commands that train say when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from arpent.cli.console import show, table, where_to_find
from arpent.core import Language
from arpent.language import number, percent, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from arpent.store import Run

__all__ = ["figure_lines", "show_training", "training_document", "training_lines"]


def training_lines(run: Run, language: Language) -> list[RenderableType]:
    """How much was trained, the epoch that was kept, and the best ones by loss and by mIoU, which may be others."""
    figures = _figures(run)
    lines: list[RenderableType] = [
        say(
            "finetune.trained",
            language,
            trained=int(figures["parameters/trained"]),
            total=int(figures["parameters/total"]),
        )
    ]
    rows = [_row("finetune.kept", figures, "validation/loss", "validation/miou", "epoch", language)]
    if not figures["epochs"]:
        lines.append(say("finetune.no_labels", language))
    else:
        for name in ("loss", "miou"):
            best = f"best_by_{name}"
            rows.append(_row(f"finetune.{best}", figures, f"{best}/loss", f"{best}/miou", f"{best}/epoch", language))
    if "validation/loss" in figures:
        lines.append(table(["", say("word.epoch", language), say("word.loss", language), "mIoU"], rows))
    lines.append(f"{say('word.model', language):8} {run.file('model')}")
    return lines


def _row(key: str, figures: Mapping[str, float], loss: str, miou: str, epoch: str, language: Language) -> list[str]:
    told = [number(figures[epoch], language) if figures[epoch] else "–"]
    told.append(number(figures[loss], language, 4) if loss in figures else "–")
    told.append(percent(figures[miou], language) if miou in figures else "–")
    return [say(key, language), *told]


def figure_lines(figures: Mapping[str, float], language: Language) -> list[str]:
    """Figures by name, one below the other."""
    width = max((len(name) for name in figures), default=0)
    return [f"{name:{width}}  {_told(name, value, language)}" for name, value in figures.items()]


def _told(name: str, value: float, language: Language) -> str:
    """Epochs and parameters are counted, and have no decimals; the best epoch may be the first."""
    counted = float(value).is_integer() and (value > 1 or name in ("epoch", "epochs"))
    return number(value, language, 0 if counted else 4)


def show_training(run: Run, language: Language) -> None:
    """Shows the figures of a training, and where its model lies."""
    found = where_to_find([(say("word.model", language), run.file("model"))])
    show(training_document(run), *figure_lines(_figures(run), language), *found)


def training_document(run: Run) -> dict[str, object]:
    """The same for machines."""
    return {"run": run.path, "model": run.file("model"), "metrics": _figures(run)}


def _figures(run: Run) -> dict[str, float]:
    return {name: value for name, value in run.manifest.metrics.items() if value is not None}
