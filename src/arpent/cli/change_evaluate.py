"""``arpent change evaluate``: a map of change against a mask of what truly changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import facts, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.language import number, percent, say
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
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Scores a map of change against the truth: F1, IoU, curves, calibration, intervals, and plain differences beside.

    Thresholds named best are chosen on this very truth, for the map and for the baselines alike; the model's own was
    chosen when it was trained.
    """
    from arpent.tasks.change.evaluating import evaluate as run_evaluation

    done = run_evaluation(run, truth, place(output, name, force=force), settings)
    language = settings.language
    lines = [
        ("ROC-AUC", _with_interval(done, "roc_auc", done.roc_auc, language)),
        ("AP", _with_interval(done, "average_precision", done.average_precision, language)),
        ("F1", _with_interval(done, "f1", done.best.f1, language)),
        ("IoU", _with_interval(done, "iou", done.best.iou, language)),
    ]
    if done.reliability is not None:
        lines.append(("ECE", percent(done.reliability.expected_error, language)))
    told = say("told.excluded", language, counted=done.tally.counted, excluded=done.tally.excluded)
    lines.append((say("word.pixels", language), told))
    for kind, recall in done.recall_by_kind.items():
        lines.append((say("told.recall_of", language, kind=kind), percent(recall, language)))
    files = [
        (say("told.curves", language), done.run.file("curves")),
        (say("told.preview", language), done.run.file("preview")),
    ]
    document = {
        "run": done.run.path,
        "layer": done.layer,
        "metrics": dict(done.run.manifest.metrics),
        "curves": done.run.file("curves"),
        "errors": done.run.file("errors"),
        "preview": done.run.file("preview"),
    }
    show(document, _comparison(done, language), facts(lines), *where_to_find(files))


def _comparison(done: Evaluation, language: Language) -> Table:
    """The map beside the baselines."""
    from arpent.tasks.change.baselines import title_of

    title = title_of(done.layer, language)
    rows = [_row(say("told.best_threshold", language, name=title), done.best, language)]
    if done.own is not None:
        rows.append(_row(say("told.own_threshold", language, name=title), done.own, language))
    rows += [_row(title_of(name, language), best, language) for name, best in done.baselines.items()]
    heads = [say(key, language) for key in ("word.precision", "word.recall", "told.threshold")]
    return table(["", "F1", "IoU", *heads], rows)


def _row(name: str, one: Detection, language: Language) -> list[str]:
    shares = [percent(value, language) for value in (one.f1, one.iou, one.precision, one.recall)]
    return [name, *shares, number(one.threshold, language)]


def _with_interval(done: Evaluation, name: str, value: float, language: Language) -> str:
    """A figure with the ends of its interval."""
    one = done.intervals[name]
    return say("told.interval", language, value=value, low=one.low, high=one.high)
