"""``arpent forecast predict``: the last dates of a series as maps, and the next ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, Trained, place
from arpent.core import Language
from arpent.language import percent, say
from arpent.tasks.forecast.predict_settings import ForetellSettings

if TYPE_CHECKING:
    from arpent.tasks.forecast.predicting import Foretold

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_engine
@with_settings
def predict(
    series: Annotated[
        Path,
        typer.Argument(help="Folder that 'forecast prepare' has made, or a series as it takes one.", metavar="SERIES"),
    ],
    model: Trained,
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

    where = place(output, name, force=force, resume=resume)
    made = foretell(series, model, where, settings, progress=progress())
    language = settings.language
    for line in made.notes:
        note(line)
    preview = next(product for product in made.run.manifest.products if product.kind == "picture")
    document = {"run": made.run.path, "preview": made.run.locate(preview), "places": _document(made)}
    places = where_to_find([(say("told.preview", language), document["preview"])])
    show(document, _table(made, language), *places)


def _document(made: Foretold) -> dict[str, Any]:
    """The dates of each place, as JSON has them."""
    kept = ("date", "kind", "horizon", "classes", "shares", "area_m2", "iou", "side")
    return {spot: [{key: getattr(one, key) for key in kept} for one in dates] for spot, dates in made.dates.items()}


def _table(made: Foretold, language: Language) -> Any:  # noqa: ANN401 - rich's tables
    """The dates of all places, with the share of the first class and, where a truth is known, how right its map is."""
    first = made.classes.classes[0]
    judged = any(first.en in one.iou for dates in made.dates.values() for one in dates)
    rows = []
    for spot, dates in made.dates.items():
        for one in dates:
            kind = f"t+{one.horizon}" if one.kind == "forecast" else say("forecast_product.observed_word", language)
            right = [percent(one.iou[first.en], language) if first.en in one.iou else ""] if judged else []
            rows.append([spot, one.date, kind, percent(one.shares[first.en], language), *right, one.classes])
    heads = [
        say("forecast_product.place", language),
        say("forecast_product.valid_date", language),
        say("forecast_report.horizon", language),
        say("forecast_product.share", language, name=first.label(language)),
        *([say("forecast_report.figure_of", language, name=first.label(language))] if judged else []),
        say("word.file", language),
    ]
    return table(heads, rows)
