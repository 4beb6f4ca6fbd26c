"""Features: those in a box, one of them, those like it, those with some words."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import shapely
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from arpent.web.api.shapes import FeatureOut, FoundOut
from arpent.web.index.boxes import Box
from arpent.web.index.features import Found, feature_of, features_with, features_within, title_of
from arpent.web.index.likeness import features_like
from arpent.web.index.models import Feature, Frame
from arpent.web.index.reading import frame_of, layer_of

__all__ = ["MOST_FEATURES", "Number", "router"]

MOST_FEATURES = 2000
"""Features of an answer."""

_MOST_FOUND = 100

Number = Annotated[int, Path(ge=0, lt=1 << 63)]

router = Router(tags=["features"])


@router.get("/layers/{layer}/features")
def features(
    request: HttpRequest,
    layer: Number,
    bbox: Annotated[str, Query(max_length=200)] = "",
    frame: Annotated[int | None, Query(ge=0, lt=1 << 63)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_FEATURES)] = 500,
    after: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
) -> HttpResponse:
    """Features of a layer that meet a box, as GeoJSON, page by page: ``next`` is ``after`` for the following one.

    Args:
        request: as Django gives it.
        layer: of shapes.
        bbox: west, south, east and north in degrees; everywhere if not given.
        frame: of the layer; all if not given.
        limit: features of a page.
        after: the ``next`` of the page before.
    """
    del request
    found = layer_of(layer)
    frames = [frame_of(found, frame)] if frame is not None else list(Frame.objects.filter(layer=found))
    page = features_within(found, frames, Box.parse(bbox) if bbox else None, after, limit)
    return HttpResponse(page.collection, content_type="application/geo+json", headers={"Cache-Control": "no-cache"})


@router.get("/features/{feature}", response=FeatureOut)
def feature(request: HttpRequest, feature: Number) -> dict[str, Any]:
    """All that is known of a feature, with what is said of it in both languages."""
    del request
    found = feature_of(feature)
    return {
        "id": found.id,
        "layer": found.layer_id,
        "frame": found.frame_id,
        "title": {language: title_of(found, language) for language in ("en", "fr")},
        "bounds": _bounds(found),
        "geometry": json.loads(shapely.to_geojson(shapely.from_wkb(bytes(found.wkb)))),
        "properties": json.loads(found.properties),
        "texts": json.loads(found.texts) if found.texts else {"en": [], "fr": []},
    }


@router.get("/features/{feature}/like", response=list[FoundOut])
def like(
    request: HttpRequest,
    feature: Number,
    n: Annotated[int, Query(ge=1, le=_MOST_FOUND)] = 10,
    lang: Literal["en", "fr"] = "en",
) -> list[dict[str, Any]]:
    """Features like this one, to an encoder's eye, the most alike first."""
    del request
    return [_found(one, lang) for one in features_like(feature_of(feature), n)]


@router.get("/search", response=list[FoundOut])
def search(
    request: HttpRequest,
    q: Annotated[str, Query(max_length=200)],
    lang: Literal["en", "fr"] = "en",
    n: Annotated[int, Query(ge=1, le=_MOST_FOUND)] = 20,
) -> list[dict[str, Any]]:
    """Features whose names or texts, in either language, have words that begin with all of these."""
    del request
    return [_found(one, lang) for one in features_with(q, lang, n)]


def _found(one: Found, language: str) -> dict[str, Any]:
    return {
        "feature": one.feature.id,
        "layer": one.feature.layer_id,
        "frame": one.feature.frame_id,
        "title": title_of(one.feature, language),
        "score": one.score,
        "bounds": _bounds(one.feature),
        "snippet": one.snippet,
    }


def _bounds(feature: Feature) -> list[float]:
    return [feature.west, feature.south, feature.east, feature.north]
