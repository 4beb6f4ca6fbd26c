"""``arpent change pair``: two dates of a place, or three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.language import area, duration, number, percent, storage
from arpent.tasks.change.settings import ChangeSettings, Wanted

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.models import Bundle
    from arpent.tasks.change.comparing import Compared
    from arpent.tasks.change.frames import Pair
    from arpent.tasks.change.pairs import ChangeRun
    from arpent.tasks.change.planning import PairPlan

__all__ = ["app"]

app = typer.Typer()

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|FILE",
        help="Model bundle, run that trained it, published checkpoint, or name of a published model.",
    ),
]
Quality = Annotated[
    list[str] | None,
    typer.Option(
        "--quality",
        metavar="FILE|auto|yes|no",
        help="Quality layer, once for each image in their order; or whether to write quality: auto, where layers are "
        "found beside the images; yes; no. [default: auto]",
    ),
]
Before = Annotated[
    str, typer.Argument(metavar="BEFORE", help="The earlier image: file, folder of bands, STAC item or address.")
]
Regex = Annotated[
    str | None, typer.Option("--date-regex", help="How names of images give their dates; its first group is the date.")
]
_DAY = "YYYYDDD|YYYYMMDD"


@app.command()
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
    layer: Annotated[
        str | None, typer.Option("--layer", help="Kind of the quality layers: fmask, scl, qa_pixel, codes or planaura.")
    ] = None,
    date0: Annotated[str | None, typer.Option(metavar=_DAY, help="Date of the first image.")] = None,
    date1: Annotated[str | None, typer.Option(metavar=_DAY, help="Date of the second image.")] = None,
    date2: Annotated[str | None, typer.Option(metavar=_DAY, help="Date of the third image, if there is one.")] = None,
    date_regex: Regex = None,
    reset_patch_embedding: Annotated[
        bool, typer.Option("--reset-patch-embedding", help="Accept other bands, with an untrained first layer.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and its cost, and do nothing.")] = False,
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
    from arpent.tasks.change.asking import PairImages, doubtful_dates, pair_of
    from arpent.tasks.change.pairs import compare_images, model_for

    words = get_args(Wanted)
    if quality is not None and len(quality) == 1 and quality[0] in words:
        settings, quality = settings.model_copy(update={"quality": quality[0]}), None
    asked = pair_of(
        PairImages(tuple(filter(None, (before_before, before, after))), tuple(quality or ()), layer),
        dates=(date0, date1, date2),
        regex=date_regex,
    )
    bundle = model_for(model, len(asked.frames), reset_patch_embedding=reset_patch_embedding, progress=progress())
    if dry_run:
        _show_plan(asked, bundle, settings)
        return
    if settings.dates == "auto" and any(frame.date is None for frame in asked.frames):
        note("no dates are written: the names of the images give none; --date0 and --date1 would")
    for line in doubtful_dates(asked):
        note(line)
    where = place(output, name, force=force, resume=resume)
    done = compare_images(asked, bundle, model, where, settings, progress=progress())
    _show_run(done, settings)


def _show_run(done: ChangeRun, settings: ChangeSettings) -> None:
    """Where everything is, and what was measured."""
    made = done.compared
    note(f"{made.prediction.tiles} tiles in {made.prediction.seconds:.1f} s")
    document = {
        "run": done.run.path,
        "products": {name: path.name for name, path in made.products.items()},
        "preview": made.preview,
        "metrics": made.figures,
        "judgement": made.judgement,
    }
    show(document, facts(_lines(made, settings)), f"run      {done.run.path}", f"preview  {made.preview}")


def _lines(made: Compared, settings: ChangeSettings) -> list[tuple[str, str]]:
    """What was measured, for people."""
    language, figures, judged = settings.language, made.figures, made.judgement
    lines = [("compared", percent(figures["valid_share"], language))] if "valid_share" in figures else []
    if "changed_share" in figures and judged is not None:
        ground = f", {area(figures['changed_m2'], language)}" if "changed_m2" in figures else ""
        words = "cosine below" if judged.layer == "cosine_map" else "probability from"
        by = f"{words} {number(judged.threshold, language, 2)}"
        lines.append(("changed", f"{percent(figures['changed_share'], language)} of it{ground} ({by})"))
        lines.append(("mean cosine", number(figures["mean_cosine"], language, 3)))
    return lines


def _show_plan(asked: Pair, bundle: Bundle, settings: ChangeSettings) -> None:
    from arpent.tasks.change.planning import plan_pair

    plan = plan_pair(asked, bundle, settings)
    show(_document(plan), facts(_plan_lines(plan, settings)), _stride_table(plan, settings))


def _document(plan: PairPlan) -> dict[str, object]:
    return {
        "pair": plan.name,
        "pixels": [plan.grid.height, plan.grid.width],
        "overlap_m2": plan.square_metres,
        "tiles": plan.tiles,
        "cost": plan.cost,
        "stride": plan.stride,
        "strides": {str(one.stride): {"passes": one.passes, "seconds": one.seconds} for one in plan.strides},
        "memory": plan.memory,
        "disk": plan.disk,
        "seconds": plan.seconds,
        "products": plan.products,
    }


def _plan_lines(plan: PairPlan, settings: ChangeSettings) -> list[tuple[str, str]]:
    language = settings.language
    height, width = plan.grid.shape
    ground = "" if plan.square_metres is None else f", {area(plan.square_metres, language)}"
    lines = [
        ("overlap", f"{width} × {height} pixels{ground}"),
        ("tiles", f"{plan.tiles}; the network sees each pixel {number(plan.cost, language, 2)} times"),
        ("memory", f"about {storage(plan.memory, language)}"),
        ("disk", f"at most {storage(plan.disk, language)}"),
        ("products", ", ".join(plan.products)),
    ]
    if plan.seconds is not None:
        lines.insert(2, ("time", f"about {duration(plan.seconds, language)} in the network"))
    return lines


def _stride_table(plan: PairPlan, settings: ChangeSettings) -> Table:
    language = settings.language
    rows = [
        [
            f"{one.stride}{' (chosen)' if one.stride == plan.stride else ''}",
            f"× {one.passes}",
            "" if one.seconds is None else duration(one.seconds, language),
        ]
        for one in plan.strides
    ]
    return table(["stride", "encoder passes", "time"], rows)
