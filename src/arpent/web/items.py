"""What the STAC item of a product says: when its ground was seen, where it lies, in which unit its values are."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arpent.core.small_files import read_small
from arpent.errors import ArpentError
from arpent.store import Product, Run
from arpent.web.layers import Bounds

__all__ = ["ItemFacts", "facts_of", "read_document"]

_MOST_BYTES = 8 << 20


@dataclass(frozen=True)
class ItemFacts:
    """The facts of an item that the map needs.

    Attributes:
        file: the item; None where the product has none.
        first, last: days on which the ground was seen, or for which it is foretold; None where nothing tells.
        bounds: in degrees; None where it has no place.
        unit: of the values.
        properties: all of them.
    """

    file: Path | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    bounds: Bounds | None = None
    unit: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


def read_document(path: Path) -> Mapping[str, Any]:
    """A JSON object that somebody may have written; empty where it is none, or too large."""
    try:
        found = json.loads(read_small(path, "JSON document", most=_MOST_BYTES))
    except (ArpentError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def facts_of(run: Run, product: Product) -> ItemFacts:
    """What the item of a product says; nothing where there is none or it cannot be understood."""
    if product.stac is None:
        return ItemFacts()
    file = run.locate(product.stac)
    item = read_document(file)
    properties = _mapping(item.get("properties"))
    first, last = (_day(properties.get(f"{end}_datetime") or properties.get("datetime")) for end in ("start", "end"))
    if properties.get("arpent:acquired") is False and "forecast:reference_datetime" not in properties:
        first = last = None  # the day on which it was made says nothing of the ground
    bands = _mapping(_mapping(item.get("assets")).get("data")).get("bands")
    unit = _mapping(bands[0]).get("unit") if isinstance(bands, list) and bands else None
    return ItemFacts(file, first, last, _bounds(item.get("bbox")), str(unit or "")[:40], properties)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def _bounds(box: object) -> Bounds | None:
    if not isinstance(box, list) or len(box) != 4:
        return None
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in box):
        return None
    west, south, east, north = map(float, box)
    inside = -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90
    return Bounds(west, south, east, north) if inside else None
