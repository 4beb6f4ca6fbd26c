"""Features on their way into the index: their properties as the page shows them, and their texts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import shapely
from django.db import connection

from arpent.core import Bar
from arpent.web.index.folding import folded
from arpent.web.index.models import Frame, Layer
from arpent.web.index.shapes import ShapeTable
from arpent.web.index.telling import is_told, texts_of
from arpent.web.layers import Entry, Legend

__all__ = ["store_features"]

_BATCH = 2000
_COLUMNS = (
    "layer_id",
    "frame_id",
    "west",
    "south",
    "east",
    "north",
    "wkb",
    "properties",
    "texts",
    "words",
    "parcel",
    "place",
    "image",
    "taken",
)
_INSERT = f"INSERT INTO index_feature ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"  # noqa: S608 - of what is written here

_VALUES = ("numero", "class", "label", "value")
"""Columns that say what a shape is, the first that a table has."""
_NAMES = {"en": ("class_en", "class", "label", "classe"), "fr": ("classe", "class", "label", "class_en")}
_NAMING = frozenset(_VALUES).union(*_NAMES.values())
"""Columns that may hold the name of a class."""
_AMOUNTS = ("probability", "prob", "value")
_ASIDE = {"bbox", "claims", "claims_en", "claims_fr", "text_en", "text_fr", "embedding", "visual", "chart", "geometry"}
"""Columns that are no properties: they are told in another way, or not at all."""
_DATES = ("date", "taken")
_LONGEST = 400  # characters of a property


@dataclass(frozen=True)
class _Slots:
    """Where the rows of a table go: to a frame by date and step, or to the only one."""

    by_time: Mapping[tuple[Any, Any], int]
    last: int

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> _Slots:
        by_time: dict[tuple[Any, Any], int] = {}
        for frame in frames:
            by_time[frame.date, frame.horizon] = frame.id
            by_time.setdefault((frame.date, None), frame.id)
        return cls(by_time, frames[-1].id)

    def frame_of(self, row: Mapping[str, Any]) -> int:
        day = _day(row)
        return self.by_time.get((day, row.get("horizon")), self.by_time.get((day, None), self.last))


def store_features(layer: Layer, frames: Sequence[Frame], table: ShapeTable, legend: Legend, bar: Bar) -> None:
    """Writes shapes as features of a layer, in the transaction under way; they are numbered in their order.

    Args:
        layer: that they belong to.
        frames: of that layer that they belong to; rows find theirs by their date and step.
        table: the shapes.
        legend: of the layer.
        bar: told of every shape.
    """
    slots = _Slots.of(frames)
    wkb = shapely.to_wkb(table.shapes)
    batch: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for place, row in enumerate(table.rows()):
            box = table.boxes[place].tolist()
            batch.append((layer.id, slots.frame_of(row), *box, wkb[place], *_told(row, legend)))
            if len(batch) == _BATCH:
                cursor.executemany(_INSERT, batch)
                bar.advance(len(batch))
                batch = []
        if batch:
            cursor.executemany(_INSERT, batch)
            bar.advance(len(batch))


def _told(row: Mapping[str, Any], legend: Legend) -> Iterator[Any]:
    """The columns of a feature from ``properties`` on."""
    yield json.dumps(_properties(row, legend), ensure_ascii=False)
    texts = texts_of(row) if is_told(row) else {}
    yield json.dumps(texts, ensure_ascii=False) if texts else ""
    yield _words(row, texts)
    for name in ("parcel", "place", "image"):
        yield _text(row.get(name))
    yield _day(row)


def _properties(row: Mapping[str, Any], legend: Legend) -> dict[str, Any]:
    own = {name: _plain(value) for name, value in row.items() if name not in _ASIDE and value is not None}
    entry = _entry(row, legend)
    if entry is not None:
        told = {"value": entry.value, "label": {"en": entry.en, "fr": entry.fr}, "colour": entry.colour}
    else:
        amount = next((row[name] for name in _AMOUNTS if isinstance(row.get(name), int | float)), None)
        told = {"value": _plain(amount), "label": _label(row), "colour": None}
    day = _day(row)
    return {**own, **told, "date": day.isoformat() if day else None}


def _entry(row: Mapping[str, Any], legend: Legend) -> Entry | None:
    """What of the legend a shape is: by its name, else by its number (outlines have that of CoSIA)."""
    names = {row[column] for column in _NAMING if isinstance(row.get(column), str)}
    named = next((one for one in legend.entries if one.en in names or one.fr in names), None)
    if named is not None:
        return named
    code = next((row[column] for column in _VALUES if row.get(column) is not None), None)
    return legend.entry_of(code) if isinstance(code, int | float) else None


def _label(row: Mapping[str, Any]) -> dict[str, str] | None:
    named = {
        language: next((str(row[name]) for name in names if row.get(name) not in (None, "")), _text(row.get("parcel")))
        for language, names in _NAMES.items()
    }
    return named if any(named.values()) else None


def _words(row: Mapping[str, Any], texts: Mapping[str, Any]) -> str:
    """What a search looks at: the name, the crop, the class and all sentences."""
    told = [sentence["text"] for sentences in texts.values() for sentence in sentences]
    named = [_text(row.get(name)) for name in ("parcel", "crop", "classe", "class_en", "class", "label", "labels")]
    return folded(" ".join(dict.fromkeys(filter(None, (*named, *told)))))


def _day(row: Mapping[str, Any]) -> date | None:
    for name in _DATES:
        value = row.get(name)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
    return None


def _text(value: Any) -> str:  # noqa: ANN401 - what a table holds
    return "" if value is None else str(value)[:_LONGEST]


def _plain(value: Any) -> Any:  # noqa: ANN401 - what a table holds
    """A value that JSON has."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else _text(value)
