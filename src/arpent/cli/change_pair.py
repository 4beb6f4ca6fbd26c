"""``arpent change pair``: two dates of a place, or three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.comparisons import (
    DateRegex,
    DryRun,
    Layer,
    Model,
    Quality,
    Reset,
    changed_facts,
    plan_document,
    plan_facts,
    stride_table,
    with_quality,
)
from arpent.cli.console import facts, note, progress, show, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.language import say
from arpent.tasks.change.settings import ChangeSettings

if TYPE_CHECKING:
    from arpent.core import Language
    from arpent.models import Bundle
    from arpent.tasks.change.frames import Pair
    from arpent.tasks.change.pairs import ChangeRun

__all__ = ["app"]

app = typer.Typer()

Before = Annotated[
    str, typer.Argument(metavar="BEFORE", help="The earlier image: file, folder of bands, STAC item or address.")
]
_DAY = "YYYYDDD|YYYYMMDD"


@app.command()
@with_engine
@with_settings
def pair(
    before: Before,
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The later image.")],
    model: Model,
    settings: ChangeSettings,
    before_before: Annotated[
        str | None, typer.Option("--before-before", metavar="IMAGE", help="A second image from before, still earlier.")
    ] = None,
    quality: Quality = None,
    layer: Layer = None,
    date0: Annotated[str | None, typer.Option(metavar=_DAY, help="Date of the first image.")] = None,
    date1: Annotated[str | None, typer.Option(metavar=_DAY, help="Date of the second image.")] = None,
    date2: Annotated[str | None, typer.Option(metavar=_DAY, help="Date of the third image, if there is one.")] = None,
    date_regex: DateRegex = None,
    reset_patch_embedding: Reset = False,
    dry_run: DryRun = False,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Compares two dates of a place: a map of cosines, red where the ground has changed, in a run folder.

    The cosine is 1 where both dates look alike to the model, and falls where they do not; below the threshold that
    the model's training found, or 0.75, ground counts as changed. A model with a change head also gives a probability
    of change, which then decides; --threshold alone lets the cosine decide, --score either. Images may have other
    reference systems, resolutions and extents: the ground that they share is compared, on the grid of the first.
    """
    from arpent.io.sources import locate
    from arpent.tasks.change.asking import PairImages, doubtful_dates, pair_of
    from arpent.tasks.change.pairs import compare_images, model_for

    settings, layers = with_quality(settings, quality)
    asked = pair_of(
        PairImages(tuple(filter(None, (before_before, before, after))), layers, layer),
        dates=(date0, date1, date2),
        regex=date_regex,
    )
    for frame in asked.frames:
        locate(frame.image)  # what is not there is said before anything else about the images
    bundle = model_for(model, len(asked.frames), reset_patch_embedding=reset_patch_embedding, progress=progress())
    if dry_run:
        _show_plan(asked, bundle, settings)
        return
    if undated := [frame.image for frame in asked.frames if frame.date is None and settings.dates == "auto"]:
        note(say("told.no_dates", settings.language, images=", ".join(undated)))
    for line in doubtful_dates(asked, settings.language):
        note(line)
    where = place(output, name, force=force, resume=resume)
    _show_run(compare_images(asked, bundle, model, where, settings, progress=progress()), settings.language)


def _show_run(done: ChangeRun, language: Language) -> None:
    """Where everything is, and what was measured."""
    made = done.compared
    note(say("told.tiles_in", language, tiles=made.prediction.tiles, seconds=made.prediction.seconds))
    document = {
        "run": done.run.path,
        "products": {name: path.name for name, path in made.products.items()},
        "preview": made.preview,
        "metrics": made.figures,
        "judgement": made.judgement,
    }
    places = where_to_find([(say("word.run", language), done.run.path), (say("told.preview", language), made.preview)])
    show(document, facts(changed_facts(made.figures, made.judgement, language)), *places)


def _show_plan(asked: Pair, bundle: Bundle, settings: ChangeSettings) -> None:
    from arpent.tasks.change.planning import plan_pair

    language = settings.language
    plan = plan_pair(asked, bundle, settings)
    told = plan_facts(plan, language, say("told.overlap", language))
    show(plan_document(plan), facts(told), stride_table(plan.strides, plan.stride, language))
