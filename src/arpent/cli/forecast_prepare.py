"""``arpent forecast prepare``: from a folder of radar images to a DATASET."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.language import say
from arpent.tasks.forecast.prepare_settings import PrepareSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def prepare(
    source: Annotated[
        Path, typer.Argument(help="Folder of dates, of places, or of a simulation; CSV table.", metavar="FOLDER")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the data set.", metavar="DATASET")],
    settings: PrepareSettings,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set that is there.")] = False,
) -> None:
    """Makes a data set of radar series: dates aligned on one grid, linear power, speckle removed, masks, sides.

    Draws all dates on a contact sheet. Irregular steps are reported; nothing is interpolated between dates.
    """
    from arpent.tasks.forecast.preparing import prepare as make

    made = make(source, output, settings, force=force, progress=progress())
    for line in made.notes:
        note(line)
    language, facts = settings.language, made.dataset.facts
    rows = [
        (
            one.name,
            len(one.dates),
            one.dates[0].date,
            one.dates[-1].date,
            ", ".join(map(str, sorted(set(one.steps)))),
            sum(found.mask is not None for found in one.dates),
        )
        for one in made.places
    ]
    heads = ("place", "dates", "first", "last", "steps", "masks")
    document = {
        "dataset": output,
        "index": output / "index.csv",
        "preview": made.preview,
        "bands": facts.bands,
        "step_days": facts.step_days,
        "regular": facts.regular,
        "calibrated": facts.calibrated,
        "filter": {"name": facts.filter, **facts.filter_settings},
        "places": {
            one.name: {"dates": [found.date for found in one.dates], "steps": one.steps, "orbit": str(one.orbit)}
            for one in made.places
        },
        "notes": made.notes,
    }
    places = [(say("prepare.told_dataset", language), output), (say("told.preview", language), made.preview)]
    show(document, table([say(f"prepare.head_{head}", language) for head in heads], rows), *where_to_find(places))
