"""What the API gives, field by field; /api/docs shows these."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from ninja import Field, Schema

__all__ = [
    "AreaIn",
    "AreaRow",
    "AreasOut",
    "EntryOut",
    "FeatureOut",
    "FoundOut",
    "FrameOut",
    "LayerOut",
    "LayersOut",
    "LegendOut",
    "PointLayerOut",
    "PointOut",
    "PointValueOut",
    "RegisteredOut",
    "RunIn",
    "RunOut",
    "SentenceOut",
    "SkillOut",
    "SkillRow",
    "StateOut",
    "Told",
]


class StateOut(Schema):
    """The version of the index."""

    version: int


class Told(Schema):
    """A text in both languages."""

    en: str
    fr: str


class EntryOut(Told):
    """A row of a legend."""

    value: int | float | str | None
    colour: str


class LegendOut(Schema):
    """What the colours of a layer mean: rows, or a ramp between two values."""

    entries: list[EntryOut]
    ramp: list[str] | None = None
    low: float | None = None
    high: float | None = None
    unit: Told | None = None


class FrameOut(Schema):
    """A layer on one date."""

    id: int
    date: dt.date | None
    horizon: int | None
    observed: bool
    etag: str


class SkillRow(Schema):
    """How good a forecast is, so many steps ahead, and how good it would be to say that nothing changes."""

    horizon: int
    model: float | None
    persistence: float | None


class SkillOut(Schema):
    """What a forecast is based on, and how good it is."""

    based_on: Told
    iou: list[SkillRow]


class LayerOut(Schema):
    """What can be switched on and off."""

    id: int
    name: str
    kind: str
    title: Told
    source: Literal["raster", "vector"]
    bounds: list[float]
    minzoom: int
    maxzoom: int
    bands: list[Any]
    issue: dt.date | None
    legend: LegendOut
    frames: list[FrameOut]
    skill: SkillOut | None
    warnings: list[str]


class RunOut(Schema):
    """A registered run and its layers."""

    id: int
    name: str
    task: str
    language: str
    created: dt.datetime
    layers: list[LayerOut]


class LayersOut(Schema):
    """Everything that the map can show."""

    version: int
    runs: list[RunOut]


class SentenceOut(Schema):
    """A sentence, and what was measured behind it, by the name of the index."""

    text: str
    measured: dict[str, float]


class FeatureOut(Schema):
    """A feature with all that is known of it."""

    id: int
    layer: int
    frame: int
    title: Told
    bounds: list[float]
    geometry: dict[str, Any]
    properties: dict[str, Any]
    texts: dict[str, list[SentenceOut]]


class FoundOut(Schema):
    """A feature that a search has found."""

    feature: int
    layer: int
    frame: int
    title: str
    score: float | None
    bounds: list[float]
    snippet: str


class PointValueOut(Schema):
    """What a frame holds at a place; ``numbers`` are those of all its bands."""

    frame: int
    date: dt.date | None
    value: float | None
    label: Told | None
    colour: str | None
    numbers: list[float | None]


class PointLayerOut(Schema):
    """What a layer holds at a place, date by date."""

    id: int
    values: list[PointValueOut]


class PointOut(Schema):
    """What layers hold at a place."""

    layers: list[PointLayerOut]


class AreaIn(Schema):
    """A drawn area: a GeoJSON geometry in degrees, and the layers it is asked of."""

    polygon: dict[str, Any]
    layers: list[int]


class AreaRow(Schema):
    """The ground of a class on a date, inside an area."""

    layer: int
    frame: int
    date: dt.date | None
    class_: EntryOut | None = Field(alias="class")
    area_m2: float
    share: float
    mean: float | None


class AreasOut(Schema):
    """The ground of each class, layer by layer and date by date."""

    rows: list[AreaRow]


class RunIn(Schema):
    """The name of a run's folder."""

    name: str


class RegisteredOut(Schema):
    """What came of registering a run."""

    id: int
    name: str
    layers: int
    is_new: bool
    problems: list[str]
