"""``arpent change run``: a configuration of Planaura, done from its list of pairs to its mosaics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.comparisons import DryRun, Replace, Reset, stride_table
from arpent.cli.console import facts, note, progress, show, table, where_to_find
from arpent.cli.options import with_engine
from arpent.cli.places import Name, Output, place
from arpent.core import Language
from arpent.engine.settings import Precision, RuntimeName
from arpent.errors import PartialFailure
from arpent.language import area, duration, number, say
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import ReferencePlan, plan_reference
from arpent.tasks.change.settings import MissingQuality, Profile

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.tasks.change.planning import PairPlan
    from arpent.tasks.change.reference_costs import PairCost
    from arpent.tasks.change.running import ReferenceRun

__all__ = ["app"]

app = typer.Typer()

Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run, or do what has failed.")]

Date0 = Annotated[
    int | None,
    typer.Option("--date0", metavar="YYYYDDD|YYYYMMDD", help="Date of all first images, instead of their names'."),
]
Date1 = Annotated[int | None, typer.Option("--date1", metavar="YYYYDDD|YYYYMMDD", help="Date of all second images.")]
Date2 = Annotated[int | None, typer.Option("--date2", metavar="YYYYDDD|YYYYMMDD", help="Date of all third images.")]


@app.command()
@with_engine
def run(
    config: Annotated[Path, typer.Argument(help="Configuration of Planaura's infer_geotiff.", metavar="CONFIG.yaml")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One key of the configuration; may be repeated."),
    ] = None,
    profile: Annotated[
        Profile, typer.Option("--profile", help="Rules of tiling and merging; planaura gives the reference's numbers.")
    ] = "arpent",
    runtime: Annotated[RuntimeName, typer.Option("--runtime", help="What runs the network.")] = "auto",
    precision: Annotated[Precision, typer.Option("--precision", help="Arithmetic of the network.")] = "f32",
    exclude: Annotated[
        str, typer.Option("--exclude", metavar="A,B,…", help="Qualities not compared, such as cloud,shadow,snow.")
    ] = "",
    missing_quality: Annotated[
        MissingQuality, typer.Option("--missing-quality", help="What an image without a wanted quality layer means.")
    ] = "error",
    date0: Date0 = None,
    date1: Date1 = None,
    date2: Date2 = None,
    reset_patch_embedding: Reset = False,
    language: Annotated[Language, typer.Option("--language", help="Language of titles and pictures.")] = "en",
    output: Output = None,
    name: Name = None,
    force: Replace = False,
    resume: Resume = False,
    dry_run: DryRun = False,
) -> None:
    """Compares all pairs of a Planaura configuration and fuses them; products go where it says, and to a run folder."""
    file = read_reference(config, assignments or ())
    overrides: dict[str, Any] = {
        "profile": profile,
        "runtime": runtime,
        "precision": precision,
        "missing_quality": missing_quality,
        "language": language,
    }
    if exclude:
        overrides["exclude"] = tuple(word.strip() for word in exclude.split(",") if word.strip())
    plan = plan_reference(file, overrides, (date0, date1, date2))
    if dry_run:
        _show_plan(plan, reset_patch_embedding=reset_patch_embedding)
        return
    from arpent.tasks.change.running import run_reference

    where = place(output, name, force=force, resume=resume)
    made = run_reference(plan, where, reset_patch_embedding=reset_patch_embedding, progress=progress())
    _show_run(made, language)


def _show_plan(plan: ReferencePlan, *, reset_patch_embedding: bool) -> None:
    from arpent.tasks.change.reference_costs import costs_of

    for line in plan.notes:
        note(line)
    costs = costs_of(plan, reset_patch_embedding=reset_patch_embedding, progress=progress())
    language = plan.settings.language
    possible = [cost for cost in costs if cost.plan is not None]
    seconds = [cost.seconds for cost in possible if cost.seconds is not None]
    totals = {
        "pairs": len(possible),
        "tiles": sum(cost.plan.tiles for cost in possible if cost.plan) * len(plan.shifts),
        "seconds": sum(seconds) if seconds else None,
        "memory": max((cost.plan.memory for cost in possible if cost.plan), default=0),
        "disk": sum(cost.plan.disk for cost in possible if cost.plan) * len(plan.shifts),
    }
    document = {
        "generation": plan.file.generation,
        "settings": plan.settings,
        "pairs": [_cost_document(cost) for cost in costs],
        "folders": plan.folders,
        "notes": plan.notes,
        "total": totals,
    }
    lines = [
        (say("told.pairs", language), say("told.done_of", language, done=len(possible), total=len(costs))),
        (say("told.tiles", language), number(totals["tiles"] or 0, language)),
    ]
    if seconds:
        lines.append((say("word.time", language), say("told.in_network", language, seconds=sum(seconds))))
    lines += [
        (say("told.memory", language), say("told.about", language, size=totals["memory"])),
        (say("told.disk", language), say("told.at_most", language, size=totals["disk"])),
        *((say("told.folder", language, number=place), str(path)) for place, path in enumerate(plan.folders)),
    ]
    strides = [_strides(possible, possible[0].plan, language)] if possible and possible[0].plan else []
    show(document, _cost_table(costs, language), facts(lines), *strides)


def _cost_document(cost: PairCost) -> dict[str, object]:
    if cost.plan is None:
        return {"pair": cost.item, "problem": cost.problem}
    return {
        "pair": cost.item,
        "pixels": [cost.plan.grid.height, cost.plan.grid.width],
        "overlap_m2": cost.plan.square_metres,
        "tiles": cost.plan.tiles,
        "seconds": cost.seconds,
        "strides": {str(one.stride): one.passes for one in cost.plan.strides},
        "products": cost.plan.products,
    }


def _cost_table(costs: Sequence[PairCost], language: Language) -> Table:
    rows = []
    for cost in costs:
        if cost.plan is None:
            rows.append([cost.item, "", "", "", cost.problem])
            continue
        height, width = cost.plan.grid.shape
        ground = "" if cost.plan.square_metres is None else area(cost.plan.square_metres, language)
        seconds = "" if cost.seconds is None else duration(cost.seconds, language)
        tiles = say("told.tiles_count", language, tiles=cost.plan.tiles)
        rows.append([cost.item, f"{width} × {height}", ground, seconds, tiles])
    heads = ("told.pair", "word.pixels", "told.overlap", "word.time", "told.state")
    return table([say(head, language) for head in heads], rows)


def _strides(costs: Sequence[PairCost], first: PairPlan, language: Language) -> Table:
    """What all pairs would cost at other strides."""
    chosen = next(one for one in first.strides if one.stride == first.stride)
    total = sum(cost.seconds or 0.0 for cost in costs)
    strides = [replace(one, seconds=total * one.passes / chosen.passes) for one in first.strides]
    return stride_table(strides, first.stride, language)


def _show_run(made: ReferenceRun, language: Language) -> None:
    for line in made.notes:
        note(line)
    failed = [one for one in made.outcomes if one.state == "failed"]
    document = {
        "run": made.run.path,
        "outcomes": made.outcomes,
        "files": made.placed,
        "metrics": made.run.manifest.metrics,
        "notes": made.notes,
    }
    places = [(say("word.run", language), made.run.path), *_folders(made.placed, language)]
    show(document, _outcomes(made, language), *where_to_find(places))
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of {max(len(made.outcomes), len(failures))} could not be done; "
            f"first: {(failed[0].problem if failed else failures[0].message).rstrip('.')}",
            cure="Correct them and repeat the command with --resume, which keeps the others; "
            f"{made.run.path / 'manifest.json'} names them.",
        )


def _outcomes(made: ReferenceRun, language: Language) -> Table:
    rows = [
        [one.item, say(f"told.{one.state}", language), duration(one.seconds, language), one.problem]
        for one in made.outcomes
    ]
    heads = ("told.pair", "told.state", "word.time", "told.problem")
    return table([say(head, language) for head in heads], rows)


def _folders(files: Sequence[Path], language: Language) -> list[tuple[str, str]]:
    counts = Counter(file.parent for file in files)
    name = say("told.products", language)
    return [(name, say("told.products_in", language, folder=str(folder), count=n)) for folder, n in counts.items()]
