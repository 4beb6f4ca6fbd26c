"""``arpent change series``: the strongest lasting change among many dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from arpent.cli.comparisons import DateRegex, Layer, Model, Quality, with_quality
from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.cli.searches import with_search
from arpent.errors import InvalidSetting
from arpent.language import area, say
from arpent.tasks.change.asking import PairImages, order_of, pair_of
from arpent.tasks.change.frames import Frame, day_of
from arpent.tasks.change.series_settings import SeriesSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_engine
@with_search
@with_settings
def series(
    images: Annotated[
        list[str], typer.Argument(help="Three images or more: files, folders of bands, STAC items.", metavar="IMAGE")
    ],
    model: Model,
    settings: SeriesSettings,
    dates: Annotated[
        str | None,
        typer.Option("--dates", metavar="A,B,…", help="Dates of the images, in their order: YYYYDDD or YYYYMMDD."),
    ] = None,
    date_regex: DateRegex = None,
    quality: Quality = None,
    layer: Layer = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Finds the strongest lasting change of a series: how strong, between which images, how sure.

    A change lasts if nearly every image before it is unlike nearly every image after it: clouds, floods that pass and
    seasons do not count. Images are brought into the order of their dates, on the grid of the earliest.
    """
    settings, layers = with_quality(settings, quality)
    frames = _frames(images, dates, date_regex, layers, layer)
    language = settings.language
    for line in order_of(frames, language):
        note(line)
    from arpent.tasks.change.series import series_run
    from arpent.tasks.change.weights import ModelFit, find_model, load_model

    source = find_model(model, progress())
    bundle = load_model(source, ModelFit())
    where = place(output, name, force=force, resume=resume)
    made = series_run(frames, bundle, where, settings, source=source, progress=progress())
    done = made.prediction
    note(say("told.of_dates", language, tiles=done.tiles, dates=len(frames), seconds=done.seconds))
    preview = made.run.path / "preview.png"
    rows = [(day_of(date).isoformat(), area(changed, language)) for date, changed in made.changed.items()]
    document = {"run": made.run.path, "preview": preview, "changed_m2": made.changed}
    heads = [say("told.first_after", language), say("told.changed", language)]
    places = [(say("word.run", language), made.run.path), (say("told.preview", language), preview)]
    show(document, table(heads, rows), *where_to_find(places))


def _frames(
    images: list[str], dates: str | None, regex: str | None, quality: Sequence[str], layer: str | None
) -> list[Frame]:
    """One frame per image, with its date and its layer."""
    known: list[str | None] = [None] * len(images) if dates is None else [word.strip() for word in dates.split(",")]
    for what, given in (("date", len(known)), ("quality layer", len(quality) or len(images))):
        if given != len(images):
            raise InvalidSetting(
                f"there must be a {what} for each image, or none",
                found=f"{given} for {len(images)} images",
                cure="Give one for each, in the order of the images.",
            )
    layers: list[tuple[str, ...]] = [(name,) for name in quality] or [()] * len(images)
    return [
        pair_of(PairImages((image,), own, layer), (date,), regex).frames[0]
        for image, own, date in zip(images, layers, known, strict=True)
    ]
