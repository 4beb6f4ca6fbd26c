"""``arpent change run``: a configuration of Planaura, done from its list of pairs to its mosaics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.core import Language
from arpent.engine.settings import Precision, RuntimeName
from arpent.errors import PartialFailure
from arpent.language import area, duration, storage
from arpent.store import Place
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import ReferencePlan, plan_reference
from arpent.tasks.change.settings import MissingQuality, Profile

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.tasks.change.reference_costs import PairCost
    from arpent.tasks.change.running import ReferenceRun

__all__ = ["app"]

app = typer.Typer()


@app.command()
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
    date0: Annotated[
        int | None,
        typer.Option("--date0", metavar="YYYYDDD|YYYYMMDD", help="Date of all first images, instead of their names'."),
    ] = None,
    date1: Annotated[
        int | None, typer.Option("--date1", metavar="YYYYDDD|YYYYMMDD", help="Date of all second images.")
    ] = None,
    date2: Annotated[
        int | None, typer.Option("--date2", metavar="YYYYDDD|YYYYMMDD", help="Date of all third images.")
    ] = None,
    reset_patch_embedding: Annotated[
        bool, typer.Option("--reset-patch-embedding", help="Accept other bands, whose first layer is untrained.")
    ] = False,
    language: Annotated[Language, typer.Option("--language", help="Language of titles and pictures.")] = "en",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run, and products of the same names.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
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

    place = Place(exact=output, force=force, resume=resume)
    made = run_reference(plan, place, reset_patch_embedding=reset_patch_embedding, progress=progress())
    _show_run(made)


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
    lines = [("pairs", f"{len(possible)} of {len(costs)}")]
    if seconds:
        lines.append(("time", f"about {duration(sum(seconds), language)} in the network"))
    lines += [
        ("memory", f"about {storage(totals['memory'] or 0, language)}"),
        ("disk", f"at most {storage(totals['disk'] or 0, language)}"),
        *((f"folder {number}", str(path)) for number, path in enumerate(plan.folders)),
    ]
    strides = [_stride_table(possible, language)] if possible else []
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
        rows.append([cost.item, f"{width} × {height}", ground, seconds, f"{cost.plan.tiles} tiles"])
    return table(["pair", "pixels", "overlap", "time", "state"], rows)


def _stride_table(costs: Sequence[PairCost], language: Language) -> Table:
    """What all pairs would cost at other strides."""
    first = next(cost.plan for cost in costs if cost.plan)
    chosen = next(one for one in first.strides if one.stride == first.stride)
    total = sum(cost.seconds or 0.0 for cost in costs)
    rows = [
        [
            f"{one.stride}{' (chosen)' if one is chosen else ''}",
            f"× {one.passes}",
            duration(total * one.passes / chosen.passes, language),
        ]
        for one in first.strides
    ]
    return table(["stride", "encoder passes", "time"], rows)


def _show_run(made: ReferenceRun) -> None:
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
    show(document, _outcomes(made), f"run      {made.run.path}", *_folders(made.placed))
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of {max(len(made.outcomes), len(failures))} could not be done",
            found=failed[0].problem if failed else failures[0].message,
            cure="Correct them, and run them again as a list of their own, or all with --force; "
            f"{made.run.path / 'manifest.json'} names them.",
        )


def _outcomes(made: ReferenceRun) -> Table:
    rows = [[one.item, one.state, round(one.seconds, 1), one.problem] for one in made.outcomes]
    return table(["pair", "state", "seconds", "problem"], rows)


def _folders(files: Sequence[Path]) -> list[str]:
    counts: dict[Path, int] = {}
    for file in files:
        counts[file.parent] = counts.get(file.parent, 0) + 1
    return [f"products {folder} ({count})" for folder, count in counts.items()]
