"""``arpent classify ablate``: whether fusing pictures and captions is worth anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from arpent.cli.classify_evaluate import DatasetFolder
from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.language import number, say
from arpent.tasks.classify.ablate_settings import AblateSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.classify.ablating import Ablation

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def ablate(
    dataset: DatasetFolder,
    settings: AblateSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Trains image, caption and every fusion of both with several seeds, and says in plain words what fusing gains.

    Each is judged with both, without captions and without pictures, on captions as written and without the words that
    name labels. One table, one report. What was stopped goes on with --resume: finished trainings are kept.
    """
    from arpent.tasks.classify.ablating import ablate_labellers

    done = ablate_labellers(dataset, place(output, name, force=force, resume=resume), settings, progress=progress())
    language = settings.language
    places = [(say("word.report", language), done.run.file("report")), (say("word.run", language), done.run.path)]
    show(_document(done), _table(done, language), *done.words, *where_to_find(places))


def _table(done: Ablation, language: Language) -> Table:
    from arpent.tasks.classify.ablation_page import TABLE, ablation_rows

    words = ("captions", "way", "condition", "gain", *TABLE)
    rows = [
        [number(cell, language, 3) if isinstance(cell, float) else cell or "" for cell in row]
        for row in ablation_rows(done.views, language)
    ]
    return table([say(f"classify_report.{word}", language) for word in words], rows)


def _document(done: Ablation) -> dict[str, object]:
    from arpent.tasks.classify.ablating import document_of

    return {
        "run": done.run.path,
        "report": done.run.file("report"),
        **document_of(done.views, done.words, done.cautions),
    }
