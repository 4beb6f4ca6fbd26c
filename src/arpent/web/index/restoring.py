"""Layers and legends between the values of the map, the rows of the index, and the JSON of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arpent.web import layers as shown
from arpent.web.index.models import Layer
from arpent.web.layers import Entry, Legend

__all__ = ["legend_document", "legend_of", "restored"]


def legend_document(legend: Legend) -> dict[str, Any]:
    """A legend as the API gives it."""
    unit = {"en": legend.unit_en, "fr": legend.unit_fr} if legend.unit_en or legend.unit_fr else None
    return {
        "entries": [asdict(entry) for entry in legend.entries],
        "ramp": list(legend.ramp) or None,
        "low": legend.low,
        "high": legend.high,
        "unit": unit,
    }


def legend_of(document: Mapping[str, Any]) -> Legend:
    """The legend that a document describes."""
    unit = document.get("unit") or {"en": "", "fr": ""}
    return Legend(
        tuple(Entry(**entry) for entry in document.get("entries") or ()),
        tuple(document.get("ramp") or ()),
        document.get("low"),
        document.get("high"),
        unit["en"],
        unit["fr"],
    )


def restored(layer: Layer) -> shown.Layer:
    """A layer of the index as the value that it was made of."""
    return shown.Layer(
        key=layer.key,
        name=layer.name,
        kind=layer.kind,
        title_en=layer.title_en,
        title_fr=layer.title_fr,
        frames=tuple(
            shown.Frame(frame.date, Path(frame.file), frame.horizon, frame.observed, frame.band)
            for frame in layer.frames.all()
        ),
        legend=legend_of(layer.legend),
        bounds=shown.Bounds(layer.west, layer.south, layer.east, layer.north),
        issue=layer.issue,
        skill=layer.skill,
        bands=tuple(map(str, layer.bands)),
        warnings=tuple(layer.warnings),
    )
