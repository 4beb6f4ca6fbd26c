"""``arpent plan``: what a job will take, before it is begun, and how to share it out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import facts, show, table
from arpent.errors import InvalidSetting
from arpent.language import area as area_in_words
from arpent.language import duration, language_named, length, number, percent, say, storage

if TYPE_CHECKING:
    from rich.console import RenderableType

    from arpent.cli.planned import Planned, PlannedShard
    from arpent.core import Language
    from arpent.engine.calibration import Range

__all__ = ["app"]

app = typer.Typer()

_AREA = re.compile(r"(?P<value>[\d.,_ ]*\d)\s*(?P<unit>km2|km²|ha|m2|m²)?", re.IGNORECASE)
_SQUARE_METRES = {"km2": 1e6, "km²": 1e6, "ha": 1e4, "m2": 1.0, "m²": 1.0, "": 1.0}

_WIDE = 240
"""Characters of a command in the table for people."""

_SHOWN = 12
"""Shards in the table for people; the list has all of them."""


@app.command(context_settings={"ignore_unknown_options": True})
def plan(
    command: Annotated[
        list[str],
        typer.Argument(
            help="The command to be planned, as it would be typed, such as: landcover predict IMAGE --model M.",
            metavar="COMMAND...",
        ),
    ],
    area: Annotated[
        str | None,
        typer.Option("--area", metavar="551000km2", help="Plan for so much ground, of which the image is a sample."),
    ] = None,
    gsd: Annotated[
        float | None, typer.Option("--gsd", help="Metres per pixel of that ground; those of the sample if not given.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", help="Plan for so many pictures or images, of which those named are a sample."),
    ] = None,
    shards: Annotated[int, typer.Option("--shards", help="Share the job out among so many machines.")] = 1,
    shard_list: Annotated[
        Path | None, typer.Option("--shard-list", metavar="FILE.csv", help="Write the shards and their commands.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="How long the calibration may take, about.")] = 30.0,
    language: Annotated[str, typer.Option("--language", "-l", help="Language of the tables: en or fr.")] = "en",
) -> None:
    """Says what a job takes: tiles, bytes read and written, hours, disk; and shares it out in shards.

    Nothing is guessed from sizes of networks: a few parts of the image, or a few of the pictures, go through the very
    command that is planned, in a folder that is removed afterwards, and what they take is measured. Each figure comes
    with the least and the most that was seen. The time is that of this machine, with whatever else it is doing.
    """
    from arpent.cli.planned import Wanted
    from arpent.cli.planning import planned

    chosen = language_named(language)
    wanted = Wanted(None if area is None else square_metres(area), gsd, count=count, shards=shards, seconds=seconds)
    made = planned(command, wanted)
    if shard_list is not None:
        _write(made.shards, shard_list)
    show(_document(made), *_lines(made, shards, chosen))


def square_metres(text: str) -> float:
    """An area as people write it: ``551000km2``, ``551,000 km²``, ``12 ha``; square metres without a unit.

    Raises:
        InvalidSetting: it is none.
    """
    found = _AREA.fullmatch(text.strip())
    value = None if found is None else re.sub(r"[ _]|,(?=\d{3}(\D|$))", "", found["value"]).replace(",", ".")
    if found is None or value is None or value.count(".") > 1 or not float(value) > 0:
        raise InvalidSetting(
            "that is no area", found=text, expected="551000km2, 80ha or 40000m2", cure="Give a number with its unit."
        )
    return float(value) * _SQUARE_METRES[(found["unit"] or "").casefold()]


def _document(made: Planned) -> dict[str, object]:
    return {
        "command": made.command,
        "unit": made.unit,
        "units": made.units,
        "size": made.size,
        "grid": made.shape,
        "square_metres": made.square_metres,
        "seen_share": made.seen_share,
        "larger_tile": None if made.larger_tile is None else asdict(made.larger_tile),
        "figures": {name: asdict(one) for name, one in made.cost.items()},
        "calibration": asdict(made.calibration),
        "shards": [one.row() for one in made.shards],
    }


def _lines(made: Planned, wanted: int, language: Language) -> list[RenderableType]:
    """The figures, where they come from and, where there are several, the shards."""
    told: list[tuple[str, object]] = [(say("plan.job", language), _short(made.command))]
    if made.shape is not None:
        height, width = made.shape
        size = f"{number(width, language, 0)} × {number(height, language, 0)}"
        if made.square_metres is not None and made.gsd is not None:
            size += f" ({area_in_words(made.square_metres, language)}, {length(made.gsd, language)})"
        told.append((say("word.pixels", language), size))
    told.append((say(f"plan.{made.unit}", language), number(made.units, language, 0)))
    if made.seen_share is not None:
        told.append((say("plan.seen", language), percent(made.seen_share, language)))
    for name, one in made.cost.items():
        told.append((say(f"plan.{name}", language), _range(name, one, language)))
    how = made.calibration
    note = "plan.calibrated" if how.apart else "plan.calibrated_whole"
    lines: list[RenderableType] = [
        facts(told),
        say(
            note,
            language,
            parts=how.parts,
            units=number(how.units, language, 0),
            unit=say(f"plan.{made.unit}", language),
            source=how.source,
            seconds=how.seconds,
            cores=how.cores,
            threads=how.threads,
            device=how.device,
        ),
    ]
    larger = made.larger_tile
    if larger is not None:
        shares = {"seen": made.seen_share, "then": larger.seen_share}
        lines.append(say("plan.larger_tile", language, now=larger.now, side=larger.side, **shares))
    if how.networked:
        lines.append(say("plan.networked", language))
    if how.simulated:
        lines.append(say("plan.simulated", language))
    if wanted > 1:
        lines.append(_table(made.shards, made.unit, language))
    if wanted > 1 and made.unit == "tiles":
        lines.append(say("plan.shared", language, share=made.overlap))
    return lines


def _range(name: str, one: Range, language: Language) -> str:
    say_one = duration if name.endswith("seconds") else storage
    low, typical, high = (say_one(value, language) for value in (one.low, one.typical, one.high))
    return typical if low == high else f"{typical} ({low} – {high})"


def _table(shards: Sequence[PlannedShard], unit: str, language: Language) -> RenderableType:
    heads = [say(f"plan.{word}", language) for word in ("shard", unit, "time", "kept", "command")]
    rows = [
        [
            one.number,
            number(one.units, language, 0),
            duration(one.cost["seconds"].typical, language),
            storage(one.cost["kept"].typical, language),
            _short(one.command or one.extent),
        ]
        for one in shards[:_SHOWN]
    ]
    if len(shards) > _SHOWN:
        rows.append(["…", "", "", "", ""])
    return table(heads, rows)


def _short(command: str) -> str:
    """The begin and the end of a command that names many things; the list of shards has it whole."""
    return command if len(command) <= _WIDE else f"{command[: _WIDE - 60]} … {command[-57:]}"


def _write(shards: Sequence[PlannedShard], path: Path) -> None:
    """The shards as a table, one command per row."""
    from arpent.core import write_file

    text = io.StringIO(newline="")
    rows: list[Mapping[str, object]] = [one.row() for one in shards]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(path, text.getvalue())
