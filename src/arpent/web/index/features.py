"""Features looked up: by number, in a box, by words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from arpent.errors import UnknownName
from arpent.web.index.boxes import Box
from arpent.web.index.folding import folded, terms
from arpent.web.index.models import Feature, Frame, Layer
from arpent.web.index.repository import which

__all__ = ["Found", "Page", "feature_of", "features_with", "features_within", "title_of"]

_SNIPPET = 160


@dataclass(frozen=True)
class Page:
    """Some features, in the order of their numbers.

    Attributes:
        collection: GeoJSON.
        next: the number after which the next page begins; None at the end.
    """

    collection: str
    next: int | None


@dataclass(frozen=True)
class Found:
    """A feature that a search has found.

    Attributes:
        feature: the feature.
        score: how much it is like the one asked for, at most 1; None where words were asked for.
        snippet: what is said of it, for those who asked for words.
    """

    feature: Feature
    score: float | None = None
    snippet: str = ""


def features_within(layer: Layer, frames: Sequence[Frame], box: Box | None, after: int, limit: int) -> Page:
    """A page of the features of some frames that meet a box.

    Args:
        layer: that the frames belong to.
        frames: at least one.
        box: None is everywhere.
        after: the number that the page before has ended with; 0 for the first.
        limit: features of a page at most.
    """
    wanted = box or Box(-180.0, -90.0, 180.0, 90.0)
    numbers: set[int] = set()
    for frame in frames:
        for part in wanted.parts:
            share = _share(part, layer)
            numbers.update(which().within(frame.id, part, share=share, after=after, limit=limit + 1))
    kept = sorted(numbers)[:limit]
    rows = Feature.objects.filter(id__in=kept).order_by("id").values_list("id", "wkb", "properties")
    last = kept[-1] if len(numbers) > limit else None
    return Page(_collection(list(rows), last), last)


def _share(box: Box, layer: Layer) -> float:
    """About how much of the ground of a layer a box covers."""
    west, east = (layer.west, layer.east) if layer.west <= layer.east else (-180.0, 180.0)
    across = min(box.east, east) - max(box.west, west)
    along = min(box.north, layer.north) - max(box.south, layer.south)
    whole = max(east - west, 1e-9) * max(layer.north - layer.south, 1e-9)
    return float(max(across, 0.0) * max(along, 0.0) / whole)


def _collection(rows: Sequence[tuple[int, bytes, str]], last: int | None) -> str:
    """GeoJSON, put together from text: what is JSON already is not read to be written again."""
    shapes = shapely.to_geojson(shapely.from_wkb([bytes(wkb) for _, wkb, _ in rows])) if rows else []
    features = ",".join(
        f'{{"type":"Feature","id":{number},"geometry":{shape},"properties":{properties}}}'
        for (number, _, properties), shape in zip(rows, shapes, strict=True)
    )
    return f'{{"type":"FeatureCollection","next":{json.dumps(last)},"features":[{features}]}}'


def feature_of(number: int) -> Feature:
    """The feature of that number.

    Raises:
        UnknownName: there is none.
    """
    found: Feature | None = Feature.objects.select_related("layer").filter(id=number).first()
    if found is None:
        raise UnknownName(f"there is no feature {number}", cure="Ask /api/layers/…/features which there are.")
    return found


def features_with(words: str, language: str, limit: int) -> list[Found]:
    """Features whose names, classes or sentences have all the words, the best first."""
    asked = terms(words)
    if not asked:
        return []
    numbers = which().matching(asked, limit)
    known = Feature.objects.select_related("layer").in_bulk(numbers)
    return [
        Found(known[number], snippet=_snippet(known[number], asked, language)) for number in numbers if number in known
    ]


def title_of(feature: Feature, language: str = "en") -> str:
    """What a feature is called in a list: its parcel, its class, its picture, or its layer and number."""
    properties: Mapping[str, Any] = json.loads(feature.properties)
    label = (properties.get("label") or {}).get(language)
    layer = feature.layer.title_fr if language == "fr" else feature.layer.title_en
    return str(feature.parcel or label or properties.get("picture") or f"{layer} {feature.id}")


def _snippet(feature: Feature, asked: Sequence[str], language: str) -> str:
    """The first sentence with one of the words, or the first of all."""
    sentences = [one["text"] for one in json.loads(feature.texts or "{}").get(language, ())]
    fitting = (text for text in sentences if any(term in folded(text) for term in asked))
    text: str = next(fitting, sentences[0] if sentences else "")
    return text if len(text) <= _SNIPPET else f"{text[:_SNIPPET].rstrip()}…"
