"""``arpent demo``: every capability at work on one invented commune, whose truth is known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.tables import class_table
from arpent.core import Language
from arpent.language import duration, say, storage
from arpent.testing.memory import peak_memory

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.demo import Course, Outcome

__all__ = ["app"]

app = typer.Typer(help="All capabilities on one invented commune, each measured against the truth, in minutes.")


@app.callback(invoke_without_command=True)
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for images and runs.")] = Path("arpent-demo"),
    language: Annotated[str, typer.Option("--language", "-l", help="Language of names: en or fr.")] = "en",
    fast: Annotated[bool, typer.Option("--fast", help="Smaller images and less training.")] = False,
) -> None:
    """Simulates a commune for every sensor, puts each capability to work on it, and compares with the truth."""
    from arpent.demo import FAST, FULL, Stage, run_course
    from arpent.language import language_named

    chosen = language_named(language)
    note(say("demo.begin", chosen))
    stage = Stage(output, FAST if fast else FULL, chosen, progress(), note)
    course = run_course(stage)
    made = course.landcover.made
    assert made.scores is not None  # the truth of the commune is known
    iou = dict(zip([one.entry.en for one in made.areas], map(float, made.scores.iou_by_class), strict=True))
    peak = peak_memory()
    ends = [
        (say("word.time", chosen), duration(course.seconds, chosen)),
        (say("word.memory", chosen), storage(peak, chosen)),
    ]
    show(
        _document(course, iou, peak),
        class_table(made.areas, chosen, iou=iou),
        _summary(course, chosen),
        facts(ends),
        _next(output, chosen),
    )


def _summary(course: Course, language: Language) -> Table:
    """A row for each capability."""
    heads = ("capability", "done", "quality", "beside")
    rows = [
        [
            say(f"demo.{name}", language),
            one.done,
            *_figures(one, language),
            duration(one.seconds, language),
            os.path.relpath(one.product),
        ]
        for name, one in course.outcomes.items()
    ]
    times = say("word.time", language)
    return table([*(say(f"demo.{head}", language) for head in heads), times, say("demo.where", language)], rows)


def _figures(outcome: Outcome, language: Language) -> tuple[str, str]:
    """What was measured, and what it is held against."""
    figure = outcome.figure
    if figure is None:
        return say("demo.nothing", language), ""
    ours = say("demo.figure", language, name=say(f"demo.{figure.name}", language), value=figure.value)
    return ours, say(f"demo.{figure.rival}", language, value=figure.still)


def _next(folder: Path, language: Language) -> Table:
    """What to do then, as the README says it."""
    commands = {
        "next_map": f"arpent map serve {folder}",
        "next_runs": f"arpent runs list {folder}",
        "next_own": "arpent landcover predict ortho.tif --model " + str(folder / "landcover-ortho"),
    }
    return facts((command, say(f"demo.{key}", language)) for key, command in commands.items())


def _document(course: Course, iou: dict[str, float], peak: int) -> dict[str, Any]:
    """The same for machines."""
    return {
        "landcover": {"iou": iou, "areas_m2": {one.entry.en: one.square_metres for one in course.landcover.made.areas}},
        "capabilities": {
            name: {
                "done": one.done,
                "product": one.product,
                "runs": one.runs,
                "quality": None
                if one.figure is None
                else {
                    "name": one.figure.name,
                    "value": one.figure.value,
                    "beside": one.figure.rival,
                    "beside_value": one.figure.still,
                },
                "seconds": one.seconds,
                **one.facts,
            }
            for name, one in course.outcomes.items()
        },
        "seconds": course.seconds,
        "peak_memory_bytes": peak,
    }
