"""``arpent landcover transfer``: the whole study of how to bring a model to another sensor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import assemble
from arpent.cli.places import Assignments, Force, Name, Output, Resume, place
from arpent.language import number, say, signed
from arpent.tasks.landcover.transfer_settings import TransferSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.landcover.outcomes import Study

__all__ = ["app"]

app = typer.Typer()


@app.command()
def transfer(
    config: Annotated[Path, typer.Argument(help="Settings of the study.", metavar="CONFIG.yaml")],
    assignments: Assignments = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Tries every normalisation and strategy on the images of another sensor, and reports them side by side.

    The run folder holds report.html, which stands alone, report.json, and a run for each training.
    """
    from arpent.tasks.landcover.transfer import transfer as study

    settings = assemble(TransferSettings, config, assignments or (), {})
    done = study(settings, place(output, name, force=force, resume=resume), progress=progress())
    page = done.run.file("report")
    document = {"run": done.run.path, "report": page, "study": done.study.document()}
    found = where_to_find([(say("word.report", settings.language), page)])
    show(document, _table(done.study, settings.language), *found)


def _table(study: Study, language: Language) -> Table:
    from arpent.tasks.landcover.transfer_report import title_of

    means = ["OA", "mIoU", say("transfer.miou_zero", language), "F", "P", "R"]
    heads = [say("transfer.epochs", language), *means, say("transfer.gain", language)]
    rows = []
    for one in study.outcomes:
        line, gain = one.figures, study.gain(one)
        figures = (line.accuracy, line.miou, line.miou_zero, line.f_score, line.precision, line.recall)
        told = "" if gain is None else signed(gain, language, 2)
        epochs = "" if one.epochs is None else str(one.epochs)
        rows.append([title_of(one, language), epochs, *(number(mean, language, 2) for mean in figures), told])
    return table([say("transfer.trial", language), *heads], rows)
