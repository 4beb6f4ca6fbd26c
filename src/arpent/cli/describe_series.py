"""``arpent describe series``: the season of each parcel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, ParcelFile, place
from arpent.errors import PartialFailure
from arpent.language import number, say
from arpent.tasks.describe.series_settings import SeriesSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.describe.season_telling import Told

__all__ = ["app"]

app = typer.Typer()

_SHOWN = 20


@app.command()
@with_settings
def series(
    images: Annotated[
        list[str],
        typer.Argument(help="Images of two days or more, or one table or run of 'describe indices'.", metavar="IMAGES"),
    ],
    settings: SeriesSettings,
    parcels: ParcelFile = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Tells the season of each parcel: dated values, directions, turning points, each held against the pixels.

    Crops are named from a column of the parcels (--crop-column), or learnt from labelled series (--crops).
    """
    from arpent.tasks.describe.series import series_run

    made = series_run(images, place(output, name, force=force), settings, parcels=parcels, progress=progress())
    language = settings.language
    report = made.run.path / "report.html"
    document = {
        "run": made.run.path,
        "report": report,
        "seasons": [
            {
                "parcel": one.season.parcel,
                "place": one.season.place,
                "crop": one.crop,
                "crop_from": one.crop_from,
                "turns": one.turns,
                "text": {language: text.text for language, text in one.texts.items()},
            }
            for one in made.told
        ],
        "crops": made.score,
        "warnings": made.run.manifest.warnings,
    }
    places = [(say("word.run", language), made.run.path), (say("word.report", language), report)]
    show(document, _preview(made.told, language), *where_to_find(places))
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} images could not be read; first: {failures[0].message.rstrip('.')}",
            cure="Correct them and repeat the command with --force.",
        )


def _preview(told: tuple[Told, ...], language: Language) -> Table:
    """The first parcels with the ends and turns of their NDVI."""
    several = len({one.season.parcel for one in told}) < len(told)  # squares have the same names in each place
    heads = [say(f"season.{word}", language) for word in ("parcel", "days", "crop", "course")]
    heads[1:1] = [say("word.place", language)] if several else []
    rows = [
        [
            one.season.parcel,
            *([one.season.place] if several else []),
            f"{len(one.season.seen)}/{len(one.season.days)}",
            one.crop or "–",
            " → ".join(f"{number(value, language, 2)} ({day:%Y-%m-%d})" for day, value in _course(one)) or "–",
        ]
        for one in told[:_SHOWN]
    ]
    if len(told) > _SHOWN:
        rows.append(["…", *("" for _ in heads[1:])])
    return table(heads, rows)


def _course(told: Told) -> list[tuple[object, float]]:
    points = told.season.of("NDVI")
    turns = [(turn.taken, turn.value) for turn in told.turns if turn.index == "NDVI"]
    return [*points[:1], *turns, *(points[-1:] if len(points) > 1 else ())]
