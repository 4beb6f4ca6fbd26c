"""``arpent demo``: every capability at work on one invented commune, whose truth is known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.tables import class_table
from arpent.core import Language
from arpent.errors import PartialFailure
from arpent.language import duration, say, storage
from arpent.testing.memory import peak_memory

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.demo import Outcome, Own
    from arpent.tasks.landcover import LandcoverMap

__all__ = ["app"]

app = typer.Typer(help="Every capability on one invented commune, each measured against the truth, in minutes.")


@app.callback(invoke_without_command=True)
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for images and runs.")] = Path("arpent-demo"),
    language: Annotated[str, typer.Option("--language", "-l", help="Language of all that is told: en or fr.")] = "en",
    fast: Annotated[bool, typer.Option("--fast", help="Smaller images and less training.")] = False,
    train_all: Annotated[
        bool, typer.Option("--train-all", help="Train the small models that come with Arpent anew, by their recipes.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Images of your own instead, in folders named landcover, change, forecast, describe, classify.",
        ),
    ] = None,
) -> None:
    """Simulates a commune for every sensor, puts each capability to work on it, and compares with the truth.

    With --data the same is done on your images; no quality is measured then, since nobody knows the truth.
    """
    from arpent.demo import FAST, FULL, Stage, run_course, run_on
    from arpent.language import language_named

    chosen = language_named(language)
    stage = Stage(output, FAST if fast else FULL, chosen, progress(), note)
    note(say("demo.begin" if data is None else "demo.begin_own", chosen))
    if data is not None:
        _show_own(run_on(stage, data), output, chosen)
        return
    course = run_course(stage, train_all=train_all)
    outcomes, made = course.outcomes, course.landcover.made
    parts = (_summary(outcomes, chosen), _ends(outcomes, output, chosen), _next(output, chosen))
    show(_document(outcomes, output) | {"landcover": _classes(made)}, _class_table(made, chosen), *parts)


def _show_own(own: Own, folder: Path, language: Language) -> None:
    """What was made of the user's images; an error where some of it could not be."""
    outcomes, failures = own.outcomes, own.failures
    document = _document(outcomes, folder) | {"failures": {name: str(problem) for name, problem in failures.items()}}
    show(document, _summary(outcomes, language), _ends(outcomes, folder, language), _next(folder, language))
    left_out = [f"{name}: {one.message.rstrip('.')}" for name, done in outcomes.items() for one in done.failures]
    whole = [f"{name}: {problem.what}" for name, problem in failures.items()]
    counts = [f"{len(whole)} of {len(whole) + len(outcomes)} folders"] if whole else []
    counts += [f"{len(left_out)} single {'image' if len(left_out) == 1 else 'images'}"] if left_out else []
    if counts:
        raise PartialFailure(
            f"{' and '.join(counts)} could not be done; first: {(whole + left_out)[0]}",
            cure="Correct them, as is said above, or take them away, and repeat the command.",
        )


def _class_table(made: LandcoverMap, language: Language) -> Table:
    return class_table(made.areas, language, iou=_classes(made)["iou"])


def _classes(made: LandcoverMap) -> dict[str, dict[str, Any]]:
    """Quality and ground of each class by its English name."""
    assert made.scores is not None  # the truth of the commune is known
    names = [one.entry.en for one in made.areas]
    return {
        "iou": dict(zip(names, map(float, made.scores.iou_by_class), strict=True)),
        "areas_m2": {one.entry.en: one.square_metres for one in made.areas},
    }


def _summary(outcomes: Mapping[str, Outcome], language: Language) -> Table:
    """Two rows for each capability: what was done and how good it is; what to look at, and what it is held against."""
    rows: list[tuple[str, ...]] = []
    for name, one in outcomes.items():
        ours, rival = _figures(one, language)
        rows.append((say(f"demo.{name}", language), one.done, ours, duration(one.seconds, language)))
        rows.append(("", os.path.relpath(one.product), rival, ""))
    heads = [say(f"demo.{head}", language) for head in ("capability", "done", "quality_beside")]
    return table([*heads, say("word.time", language)], rows)


def _figures(outcome: Outcome, language: Language) -> tuple[str, str]:
    """What was measured, and what it is held against."""
    figure = outcome.figure
    if figure is None:
        return say("demo.nothing", language), ""
    ours = say("demo.figure", language, name=say(f"demo.{figure.name}", language), value=figure.value)
    return ours, say(f"demo.{figure.rival}", language, value=figure.still)


def _ends(outcomes: Mapping[str, Outcome], folder: Path, language: Language) -> Table:
    """What a parcel was said to be, in both languages; time, memory, and room on the disk."""
    examples: Mapping[str, Any] = outcomes["describe"].facts.get("examples", {}) if "describe" in outcomes else {}
    rows = [(say(f"demo.said_{spoken}", language), texts[-1]) for spoken, texts in examples.items() if texts]
    seconds = sum(one.seconds for one in outcomes.values())
    rows.append((say("demo.all_seconds", language), duration(seconds, language)))
    rows.append((say("word.memory", language), storage(peak_memory(), language)))
    rows.append((say("demo.on_disk", language), storage(_on_disk(folder), language)))
    return facts(rows)


def _on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def _next(folder: Path, language: Language) -> Table:
    """What to do then, as the README says it."""
    commands = {
        "next_map": f"arpent map serve {folder}",
        "next_runs": f"arpent runs list {folder}",
        "next_own": "arpent demo --data FOLDER -o own-demo",
    }
    return facts((say(f"demo.{key}", language), command) for key, command in commands.items())


def _document(outcomes: Mapping[str, Outcome], folder: Path) -> dict[str, Any]:
    """The same for machines."""
    return {
        "capabilities": {name: _told(one) for name, one in outcomes.items()},
        "seconds": sum(one.seconds for one in outcomes.values()),
        "peak_memory_bytes": peak_memory(),
        "bytes_on_disk": _on_disk(folder),
    }


def _told(outcome: Outcome) -> dict[str, Any]:
    figure = outcome.figure
    quality = None
    if figure is not None:
        quality = {"name": figure.name, "value": figure.value, "beside": figure.rival, "beside_value": figure.still}
    known = {"done": outcome.done, "product": outcome.product, "runs": outcome.runs, "quality": quality}
    known["failed"] = {failure.item: failure.message for failure in outcome.failures}
    return known | {"seconds": outcome.seconds, **outcome.facts}
