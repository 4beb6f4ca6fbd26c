"""``arpent classify evaluate``: how good a labeller is, with captions and without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.classify_predict import Labeller
from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.errors import PartialFailure
from arpent.language import number, say
from arpent.tasks.classify.evaluate_settings import LabelEvaluationSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.classify.evaluating import LabelEvaluation

__all__ = ["DatasetFolder", "app"]

app = typer.Typer()

DatasetFolder = Annotated[Path, typer.Argument(help="DATASET that 'arpent classify prepare' wrote.", metavar="DATASET")]

_SHOWN = ("map", "micro_f1", "macro_f1", "roc_auc", "ece", "accuracy")


@app.command()
@with_settings
def evaluate(
    dataset: DatasetFolder,
    settings: LabelEvaluationSettings,
    model: Labeller,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Holds a labeller against the labels of a DATASET: with captions, without them, and without pictures.

    The report has ROC and PR curves, what chances are worth, the confusion of each label, and intervals over pictures.
    """
    from arpent.tasks.classify.evaluating import evaluate_labeller

    done = evaluate_labeller(dataset, model, place(output, name, force=force), settings, progress=progress())
    language = settings.language
    places = [(say("word.report", language), done.run.file("report")), (say("word.run", language), done.run.path)]
    show(_document(done), _conditions(done, language), *done.words, *where_to_find(places))
    failures = done.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} pictures could not be read; first: {failures[0].message.rstrip('.')}",
            cure="Bring them back, or prepare the DATASET again without them.",
        )


def _conditions(done: LabelEvaluation, language: Language) -> Table:
    rows = [
        [say(f"classify_report.{condition}", language), *(number(own.mean(name), language, 3) for name in _SHOWN)]
        for condition, own in done.reached.items()
    ]
    return table(["", *(say(f"classify_report.{name}", language) for name in _SHOWN)], rows)


def _document(done: LabelEvaluation) -> dict[str, object]:
    from arpent.tasks.classify.evaluating import document_of

    return {
        "run": done.run.path,
        "report": done.run.file("report"),
        **document_of(done.reached, done.unseen, done.words, done.cautions),
    }
