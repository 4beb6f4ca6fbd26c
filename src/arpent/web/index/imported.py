"""Runs that an import has made: their table, and the layer that it is on the map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arpent.store import Run
from arpent.web.layers import Entry, Frame, Layer, Legend
from arpent.web.styles import RAMPS

__all__ = ["IMPORT_TASK", "PREDICTIONS", "SCHEMA", "imported_layers"]

IMPORT_TASK: Final = "map-import"
"""The task of runs that an import has made."""

PREDICTIONS: Final = "predictions"
"""Name of their table."""

SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("date", pa.date32()),
        ("horizon", pa.int32()),
        ("prob", pa.float64()),
        ("class", pa.string()),
        ("geometry", pa.binary()),
    ]
)
"""Columns of that table; `row` is the number in the file that was imported."""

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#4d4d4d")
"""Told apart by eyes of every kind (Okabe and Ito, 2008)."""
_MOST_CLASSES = 250


def imported_layers(run: Run) -> list[Layer]:
    """The layer of an import: a frame for each date and step, coloured by class, or by probability without classes."""
    file = run.file(PREDICTIONS)
    table = pq.read_table(file, columns=["date", "horizon", "class"])
    frames = tuple(
        Frame(day, file, step, observed=step is None or step <= 0)
        for day, step in sorted(set(_times(table)), key=lambda time: (time[0] or date.min, time[1] or 0))
    )
    name = run.manifest.name
    return [
        Layer(
            key=PREDICTIONS,
            name=name,
            kind="places" if run.manifest.settings.get("points") else "polygons",
            title_en=f"Predictions: {name}",
            title_fr=f"Prévisions : {name}",
            frames=frames,
            legend=_legend(pc.unique(table["class"].drop_null()).to_pylist()),
            issue=_issue(frames),
            warnings=tuple(run.manifest.warnings),
        )
    ]


def _times(table: pa.Table) -> list[tuple[date | None, int | None]]:
    grouped = table.select(["date", "horizon"]).group_by(["date", "horizon"]).aggregate([])
    return list(zip(grouped["date"].to_pylist(), grouped["horizon"].to_pylist(), strict=True))


def _legend(classes: Sequence[Any]) -> Legend:
    if not 0 < len(classes) <= _MOST_CLASSES:
        return Legend((), RAMPS["viridis"], 0.0, 1.0)
    colours = itertools.cycle(_COLOURS)
    named = enumerate(sorted(classes), start=1)
    return Legend(tuple(Entry(number, colour, name, name) for (number, name), colour in zip(named, colours)))  # noqa: B905 - the colours never end


def _issue(frames: Sequence[Frame]) -> date | None:
    """The day that forecasts were made on: that of step 0, or so many days before each; None if they disagree."""
    steps = [(frame.date, frame.horizon) for frame in frames if frame.date is not None and frame.horizon is not None]
    if not any(step > 0 for _, step in steps):
        return None
    at_zero = {day for day, step in steps if step == 0}
    days = at_zero or {day - timedelta(days=step) for day, step in steps}
    return days.pop() if len(days) == 1 else None
