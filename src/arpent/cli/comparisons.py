"""What the commands of change have in common: their options, and how plans and figures are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import typer

from arpent.cli.console import table
from arpent.language import duration, number, percent, say
from arpent.tasks.change.settings import Wanted

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language, Settings
    from arpent.tasks.change.judgement import Judgement
    from arpent.tasks.change.planning import PairPlan, StrideCost

__all__ = [
    "DateRegex",
    "DryRun",
    "Layer",
    "Model",
    "Quality",
    "Replace",
    "Reset",
    "changed_facts",
    "plan_document",
    "plan_facts",
    "stride_table",
    "with_quality",
]

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
        help="Quality layer, once for each image in their order; or whether to use quality: auto, where layers are "
        "found beside the images; yes; no. [default: auto]",
    ),
]
Layer = Annotated[
    str | None, typer.Option("--layer", help="Kind of the quality layers: fmask, scl, qa_pixel, codes or planaura.")
]
DateRegex = Annotated[
    str | None, typer.Option("--date-regex", help="How names of images give their dates; its first group is the date.")
]
Reset = Annotated[
    bool, typer.Option("--reset-patch-embedding", help="Accept other bands, with an untrained first layer.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and its cost, and do nothing.")]
Replace = Annotated[bool, typer.Option("--force", help="Replace a run, and products of the same names.")]

Asked = TypeVar("Asked", bound="Settings")


def with_quality(settings: Asked, quality: Sequence[str] | None) -> tuple[Asked, tuple[str, ...]]:
    """Settings and files that ``--quality`` means: one of its words is a setting, anything else is a file."""
    given = tuple(quality or ())
    if len(given) == 1 and given[0] in get_args(Wanted):
        return settings.model_copy(update={"quality": given[0]}), ()
    return settings, given


def changed_facts(
    figures: Mapping[str, float], judgement: Judgement | None, language: Language
) -> list[tuple[str, str]]:
    """How much has been compared and has changed, and which layer says so."""
    facts = []
    if "valid_share" in figures:
        facts.append((say("told.compared", language), percent(figures["valid_share"], language)))
    if "changed_share" in figures and judgement is not None:
        key = "told.cosine_below" if judgement.layer == "cosine_map" else "told.probability_from"
        values = {"share": figures["changed_share"], "by": say(key, language, threshold=judgement.threshold)}
        if "changed_m2" in figures:
            told = say("told.area", language, ground=figures["changed_m2"], **values)
        else:
            told = say("told.share", language, **values)
        facts.append((say("told.changed", language), told))
    if "mean_cosine" in figures:
        facts.append((say("told.mean_cosine", language), number(figures["mean_cosine"], language, 3)))
    return facts


def plan_facts(plan: PairPlan, language: Language, title: str) -> list[tuple[str, str]]:
    """What will be done, and what it costs; `title` names the ground."""
    height, width = plan.grid.shape
    size = {"width": width, "height": height}
    if plan.square_metres is None:
        ground = say("told.pixel_size", language, **size)
    else:
        ground = say("told.pixels_on_ground", language, ground=plan.square_metres, **size)
    seen = say("told.tiles_seen", language, tiles=plan.tiles, cost=plan.cost)
    facts = [(title, ground), (say("told.tiles", language), seen)]
    if plan.seconds is not None:
        facts.append((say("word.time", language), say("told.in_network", language, seconds=plan.seconds)))
    return [
        *facts,
        (say("told.memory", language), say("told.about", language, size=plan.memory)),
        (say("told.disk", language), say("told.at_most", language, size=plan.disk)),
        (say("told.products", language), ", ".join(plan.products)),
    ]


def stride_table(strides: Sequence[StrideCost], chosen: int, language: Language) -> Table:
    """What each stride would cost."""
    rows = [
        [
            say("told.chosen", language, stride=str(one.stride)) if one.stride == chosen else str(one.stride),
            f"× {one.passes}",
            "" if one.seconds is None else duration(one.seconds, language),
        ]
        for one in strides
    ]
    heads = ("told.stride", "told.passes", "word.time")
    return table([say(head, language) for head in heads], rows)


def plan_document(plan: PairPlan) -> dict[str, object]:
    """The plan for machines."""
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
