"""``arpent change series``: the strongest lasting change among many dates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from arpent.cli.console import note, progress, show, table
from arpent.cli.options import with_settings
from arpent.errors import InvalidSetting
from arpent.language import area
from arpent.store import Place
from arpent.tasks.change.asking import PairImages, pair_of
from arpent.tasks.change.frames import Frame, day_of
from arpent.tasks.change.series_settings import SeriesSettings
from arpent.tasks.change.settings import Wanted

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def series(
    images: Annotated[
        list[str], typer.Argument(help="Three images or more: files, folders of bands, STAC items.", metavar="IMAGE")
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="Model bundle, run that trained it, published checkpoint, or name of a published model.",
        ),
    ],
    settings: SeriesSettings,
    dates: Annotated[
        str | None,
        typer.Option("--dates", metavar="A,B,…", help="Dates of the images, in their order: YYYYDDD or YYYYMMDD."),
    ] = None,
    date_regex: Annotated[
        str | None,
        typer.Option("--date-regex", help="How names of images give their dates; its first group is the date."),
    ] = None,
    quality: Annotated[
        list[str] | None,
        typer.Option(
            "--quality",
            metavar="FILE|auto|yes|no",
            help="Quality layer, once for each image in their order; or whether to use quality: auto, where layers "
            "are found beside the images; yes; no. [default: auto]",
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option("--layer", help="Kind of the quality layers: fmask, scl, qa_pixel, codes or planaura.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Finds the strongest lasting change of a series: how strong, between which images, how sure.

    A change lasts if nearly every image before it is unlike nearly every image after it: clouds, floods that pass and
    seasons do not count. Images are brought into the order of their dates, on the grid of the earliest.
    """
    if quality is not None and len(quality) == 1 and quality[0] in get_args(Wanted):
        settings, quality = settings.model_copy(update={"quality": quality[0]}), None
    frames = _frames(images, dates, date_regex, quality or [], layer)
    from arpent.tasks.change.series import series_run
    from arpent.tasks.change.weights import ModelFit, find_model, load_model

    source = find_model(model, progress())
    bundle = load_model(source, ModelFit())
    place = Place(exact=output, force=force, resume=resume)
    made = series_run(frames, bundle, place, settings, source=source, progress=progress())
    note(f"{made.prediction.tiles} tiles of {len(frames)} dates in {made.prediction.seconds:.1f} s")
    preview = made.run.path / "preview.png"
    rows = [(day_of(date).isoformat(), area(changed, settings.language)) for date, changed in made.changed.items()]
    document = {"run": made.run.path, "preview": preview, "changed_m2": made.changed}
    show(document, table(["first image after", "changed"], rows), f"run      {made.run.path}", f"preview  {preview}")


def _frames(
    images: list[str], dates: str | None, regex: str | None, quality: list[str], layer: str | None
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
