"""``arpent landcover budget``: how good a model gets with less and less annotated ground."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import assemble
from arpent.cli.places import Assignments, Force, Name, Output, Resume, place
from arpent.language import number, say
from arpent.tasks.landcover.transfer_settings import BudgetSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
def budget(
    config: Annotated[Path, typer.Argument(help="Settings of the curves.", metavar="CONFIG.yaml")],
    areas: Annotated[
        str | None, typer.Option("--areas", metavar="A,B,…", help="Annotated ground to learn from, in km².")
    ] = None,
    domains: Annotated[
        str | None, typer.Option("--domains", metavar="A,B,…", help="Numbers of whole domains to learn from.")
    ] = None,
    assignments: Assignments = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Draws accuracy against annotated ground, with training from scratch beside fine-tuning.

    The subsets are nested, and cut by blocks or by domains; the run folder holds budget.csv, a chart for each, and a
    run for each training.
    """
    from arpent.tasks.landcover.budget import budget as curves

    options = {key: value for key, value in {"areas": areas, "domains": domains}.items() if value is not None}
    settings = assemble(BudgetSettings, config, assignments or (), options)
    done = curves(settings, place(output, name, force=force, resume=resume), progress=progress())
    language = settings.language
    heads = [say("word.training", language), "km²", say("word.domain", language), "OA", "mIoU"]
    rows = [
        [
            point.strategy,
            number(point.area_km2, language),
            str(point.domains),
            number(point.accuracy, language, 2),
            number(point.miou, language, 2),
        ]
        for point in done.points
    ]
    file = done.run.file("budget")
    document = {"run": done.run.path, "table": file, "points": [asdict(point) for point in done.points]}
    show(document, table(heads, rows), *where_to_find([(say("word.file", language), file)]))
