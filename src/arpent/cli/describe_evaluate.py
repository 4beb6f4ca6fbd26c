"""``arpent describe evaluate``: whether texts say what the pixels say, and whether they look at them at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.errors import PartialFailure
from arpent.language import number, percent, say
from arpent.tasks.describe.evaluate_settings import EvaluateSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.describe.evaluating import Evaluation

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def evaluate(
    source: Annotated[
        Path,
        typer.Argument(
            help="Run of 'describe generate', or a describer (its bundle or training run).", metavar="RUN|BUNDLE"
        ),
    ],
    settings: EvaluateSettings,
    images: Annotated[
        list[str] | None, typer.Argument(help="For a describer: the images it shall describe.", metavar="[IMAGES]")
    ] = None,
    parcels: Annotated[
        str | None,
        typer.Option("--parcels", "-p", metavar="FILE", help="For a describer: parcels; whole images if not given."),
    ] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Holds every claim of the texts against the pixels, beside baselines and the texts of other images (NIFA).

    The truth is measured anew from the images. A run whose held-out texts had to be repaired too often is said to have
    failed.
    """
    from arpent.tasks.describe.evaluating import evaluate as run_evaluation

    done = run_evaluation(
        source,
        place(output, name, force=force),
        settings,
        images=tuple(images or ()),
        parcels=parcels,
        progress=progress(),
    )
    language = settings.language
    places = [(say("word.report", language), done.run.file("report")), (say("word.run", language), done.run.path)]
    show(_document(done, settings), _methods(done, language), *done.words, *where_to_find(places))
    _require_success(done)


def _require_success(done: Evaluation) -> None:
    """Raises PartialFailure where the grammar wrote too much of what is held out: exit codes go where words do."""
    from arpent.tasks.describe.targets import MOST_REPAIRS, repair_rate

    rate = repair_rate(done.judged)
    if rate is not None and rate > MOST_REPAIRS:
        raise PartialFailure(
            "the run counts as failed: too many sentences about what is held out had to be repaired",
            found=percent(rate, "en"),
            expected=f"at most {percent(MOST_REPAIRS, 'en')}",
            cure="Train the model longer, or on images more like these.",
        )


def _methods(done: Evaluation, language: Language) -> Table:
    from arpent.tasks.describe.evaluation_page import SHOWN, method_rows

    heads = [say(f"describe_report.{word}", language) for word in ("method", *SHOWN)]
    rows = [
        [name, *("–" if value is None else number(float(value), language, 3) for value in values)]
        for name, *values in method_rows(done.judged, language)
    ]
    return table(heads, rows)


def _document(done: Evaluation, settings: EvaluateSettings) -> dict[str, object]:
    from arpent.tasks.describe.evaluating import document_of

    return {
        "run": done.run.path,
        "report": done.run.file("report"),
        "words": done.words,
        **document_of(done.judged, done.followed, settings),
    }
