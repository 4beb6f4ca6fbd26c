"""What the rasters hold: at a place, inside an area, cut out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router
from ninja.errors import HttpError
from ninja.utils import check_csrf

from arpent.errors import InvalidSetting, NoOverlap
from arpent.web import layers as shown
from arpent.web.api.features import MOST_FEATURES, Number
from arpent.web.api.shapes import AreaIn, AreasOut, PointOut
from arpent.web.api.spreadsheet import area_csv
from arpent.web.index.boxes import Box
from arpent.web.index.features import features_within
from arpent.web.index.models import Frame, Layer
from arpent.web.index.reading import frame_of, layer_of, layers_of_numbers
from arpent.web.index.restoring import restored
from arpent.web.site.shelves import rasters
from arpent.web.values import Effort, areas_in, clipped, drawn_area, values_at

__all__ = ["MOST_LAYERS", "router"]

MOST_LAYERS = 24
"""Layers that are looked at for one answer."""

router = Router(tags=["values"])


@router.get("/point", response=PointOut)
def point(
    request: HttpRequest,
    lat: Annotated[float, Query(ge=-90, le=90)],
    lon: Annotated[float, Query(ge=-3600, le=3600)],
    layers: Annotated[str, Query(max_length=500, pattern=r"^\d{1,18}(,\d{1,18})*$")],
    band: Annotated[int, Query(ge=1, le=1 << 16)] = 1,
) -> dict[str, Any]:
    """The values of raster layers at a place, for each of their dates.

    Args:
        request: as Django gives it.
        lat: degrees north.
        lon: degrees east.
        layers: numbers with commas; layers of shapes have no values.
        band: of layers with several.
    """
    del request
    return {"layers": [_at(layer, lon, lat, band) for layer in _asked([int(one) for one in layers.split(",")])]}


def _at(layer: Layer, lon: float, lat: float, band: int) -> dict[str, Any]:
    frames = list(layer.frames.all())
    own = restored(layer)
    found = values_at(rasters(), own, lon, lat, band if own.bands else 1)
    return {
        "id": layer.id,
        "values": [
            {
                "frame": frames[one.frame].id,
                "date": one.date,
                "value": one.value,
                "label": {"en": one.entry.en, "fr": one.entry.fr} if one.entry else None,
                "colour": one.colour,
                "numbers": list(one.numbers),
            }
            for one in found
        ],
    }


@router.post("/areas", response=AreasOut, by_alias=True)
def areas(
    request: HttpRequest,
    body: AreaIn,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - the name that the address has
    lang: Literal["en", "fr"] = "en",
) -> Any:  # noqa: ANN401 - an answer, or its content
    """The ground of each class inside an area, for each date, in square metres on the ellipsoid.

    Of quantities the mean. As CSV for a spreadsheet of that language, if that is asked for.
    """
    if check_csrf(request) is not None:
        raise HttpError(403, "the CSRF token is missing or wrong")
    area = drawn_area(body.polygon)
    layers = _asked(body.layers)
    effort = Effort()
    rows: list[dict[str, Any]] = []
    missed = None
    for layer in layers:
        try:
            rows += _rows(layer, area, effort)
        except NoOverlap as problem:
            missed = problem
    if not rows and missed is not None:
        raise missed
    if format == "csv":
        headers = {"Content-Disposition": 'attachment; filename="areas.csv"'}
        return HttpResponse(area_csv(rows, layers, lang), content_type="text/csv; charset=utf-8", headers=headers)
    return {"rows": rows}


def _rows(layer: Layer, area: Any, effort: Effort) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - shapely has no types
    frames = list(layer.frames.all())
    for one in areas_in(restored(layer), area, effort):
        entry = one.entry
        yield {
            "layer": layer.id,
            "frame": frames[one.frame].id,
            "date": one.date,
            "class": {"value": entry.value, "en": entry.en, "fr": entry.fr, "colour": entry.colour} if entry else None,
            "area_m2": one.area_m2,
            "share": one.share,
            "mean": one.mean,
        }


@router.get("/layers/{layer}/clip")
def clip(
    request: HttpRequest,
    layer: Number,
    bbox: Annotated[str, Query(max_length=200)],
    frame: Annotated[int | None, Query(ge=0, lt=1 << 63)] = None,
) -> HttpResponse:
    """What is seen of a layer, as a file: GeoTIFF of rasters, with their own values, GeoJSON of shapes."""
    del request
    found = layer_of(layer)
    one, box = frame_of(found, frame), Box.parse(bbox)
    name = f"{''.join(c if c.isalnum() and c.isascii() else '-' for c in found.key)[:60]}{_day(one)}"
    if found.source == "vector":
        headers = {"Content-Disposition": f'attachment; filename="{name}.geojson"'}
        return StreamingHttpResponse(_pages(found, one, box), content_type="application/geo+json", headers=headers)
    place = [other.id for other in found.frames.all()].index(one.id)
    cut = _cut(restored(found), place, shown.Bounds(box.west, box.south, box.east, box.north))
    return FileResponse(cut, as_attachment=True, filename=f"{name}.tif", content_type="image/tiff")


def _day(frame: Frame) -> str:
    return f"-{frame.date.isoformat()}" if frame.date is not None else ""


def _cut(layer: shown.Layer, place: int, bounds: shown.Bounds) -> Any:  # noqa: ANN401 - a file, open
    """The clipped raster as an open file without a name: it is gone once it is sent."""
    folder = FilePath(settings.DATA_PATH) / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return clipped(layer, place, bounds, FilePath(scratch) / "clip.tif").open("rb")


def _pages(layer: Layer, frame: Frame, box: Box) -> Iterator[str]:
    """One collection, written page by page: what is downloaded is never in memory as a whole."""
    yield '{"type":"FeatureCollection","features":['
    after: int | None = 0
    is_first = True
    while after is not None:
        page = features_within(layer, [frame], box, after, MOST_FEATURES)
        features = page.collection.partition('"features":[')[2].removesuffix("]}")
        if features:
            yield features if is_first else f",{features}"
            is_first = False
        after = page.next
    yield "]}"


def _asked(numbers: list[int]) -> list[Layer]:
    if not 0 < len(numbers) <= MOST_LAYERS:
        raise InvalidSetting(
            "so many layers cannot be asked for at once",
            found=f"{len(numbers)}",
            expected=f"1 to {MOST_LAYERS}",
            cure="Switch some of them off.",
        )
    return layers_of_numbers(numbers)
