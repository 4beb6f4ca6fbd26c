"""``arpent change evaluate``: a map of change against a mask of what truly changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import facts, show, table
from arpent.cli.options import with_settings
from arpent.language import percent
from arpent.store import Place
from arpent.tasks.change.evaluating import EvaluateSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.metrics import Detection
    from arpent.tasks.change.evaluating import Evaluation

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder with a map of change.", metavar="RUN")],
    truth: Annotated[
        Path, typer.Option("--truth", help="Mask of change on any grid: 0 for none, else a kind of change.")
    ],
    settings: EvaluateSettings,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there.")] = False,
) -> None:
    """Scores a map of change against the truth: F1, IoU, curves, calibration, intervals, and plain differences beside.

    Thresholds named best are chosen on this very truth, for the map and for the baselines alike; the model's own was
    chosen when it was trained.
    """
    from arpent.tasks.change.evaluating import evaluate as run_evaluation

    done = run_evaluation(run, truth, Place(exact=output, force=force), settings)
    language = settings.language
    lines = [
        ("ROC-AUC", _with_interval(done, "roc_auc", done.roc_auc, language)),
        ("AP", _with_interval(done, "average_precision", done.average_precision, language)),
        ("F1", _with_interval(done, "f1", done.best.f1, language)),
        ("IoU", _with_interval(done, "iou", done.best.iou, language)),
    ]
    if done.reliability is not None:
        lines.append(("ECE", percent(done.reliability.expected_error, language)))
    lines.append(("pixels", f"{done.tally.counted:,} ({done.tally.excluded:,} excluded)"))
    lines += [(f"recall {name}", percent(recall, language)) for name, recall in done.recall_by_kind.items()]
    document = {
        "run": done.run.path,
        "layer": done.layer,
        "metrics": dict(done.run.manifest.metrics),
        "curves": done.run.file("curves"),
        "errors": done.run.file("errors"),
        "preview": done.run.file("preview"),
    }
    show(document, _comparison(done, language), facts(lines), f"curves   {document['curves']}")


def _comparison(done: Evaluation, language: Language) -> Table:
    """The map beside the baselines."""
    rows = [_row(f"{done.layer}, best threshold", done.best, language)]
    if done.own is not None:
        rows.append(_row(f"{done.layer}, model's own", done.own, language))
    rows += [_row(name, best, language) for name, best in done.baselines.items()]
    return table(["", "F1", "IoU", "precision", "recall", "threshold"], rows)


def _row(name: str, one: Detection, language: Language) -> list[str]:
    shares = [percent(value, language) for value in (one.f1, one.iou, one.precision, one.recall)]
    return [name, *shares, f"{one.threshold:.4g}"]


def _with_interval(done: Evaluation, name: str, value: float, language: Language) -> str:
    """A figure with the ends of its interval."""
    one = done.intervals[name]
    return f"{percent(value, language)} ({percent(one.low, language)} to {percent(one.high, language)})"
