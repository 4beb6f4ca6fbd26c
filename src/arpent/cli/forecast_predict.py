"""``arpent forecast predict``: the last dates of a series as maps, and the next ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import note, progress, show, table
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.language import number, say
from arpent.tasks.forecast.predict_settings import ForetellSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def predict(
    series: Annotated[
        Path,
        typer.Argument(help="Folder that 'forecast prepare' has made, or a series as it takes one.", metavar="SERIES"),
    ],
    model: Annotated[Path, typer.Option("--model", "-m", help="Model bundle, or the run that trained it.")],
    settings: ForetellSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Maps the last dates of a radar series, and foretells the next ones: classes, probabilities, polygons, a timeline.

    A model that only segments maps every observed date.
    """
    from arpent.tasks.forecast.predicting import foretell

    language = settings.language
    where = place(output, name, force=force, resume=resume)
    made = foretell(series, model, where, settings, progress=progress())
    for line in made.notes:
        note(line)
    first = made.classes.classes[0]
    rows = [
        [
            spot,
            one.date,
            f"t+{one.horizon}" if one.kind == "forecast" else say("forecast_product.observed_word", language),
            number(100 * one.shares[first.en], language, 1) + " %",
            one.classes,
        ]
        for spot, dates in made.dates.items()
        for one in dates
    ]
    preview = next(product for product in made.run.manifest.products if product.kind == "picture")
    document = {
        "run": made.run.path,
        "preview": made.run.locate(preview),
        "places": {
            spot: [
                {
                    "date": one.date,
                    "kind": one.kind,
                    "horizon": one.horizon,
                    "classes": one.classes,
                    "shares": one.shares,
                    "area_m2": one.area_m2,
                    "iou": one.iou,
                }
                for one in dates
            ]
            for spot, dates in made.dates.items()
        },
    }
    heads = [
        say("forecast_product.place", language),
        say("forecast_product.valid_date", language),
        say("forecast_report.horizon", language),
        say("forecast_product.share", language, name=first.label(language)),
        say("word.file", language),
    ]
    show(document, table(heads, rows), f"preview  {document['preview']}")
