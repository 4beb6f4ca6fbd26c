"""Tiles and their descriptions, for this page and for any other map.

Pages of other origins may read these two answers and no other of the map. Which layers there are stays with the map:
the number of a layer is known to whoever was given it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

from arpent.errors import InvalidSetting
from arpent.version import __version__
from arpent.web.index.pictures import Picture, picture_of
from arpent.web.index.reading import frame_of, layer_of
from arpent.web.site.shelves import tiles
from arpent.web.tiles import tile_tag

__all__ = ["tile", "tilejson", "urlpatterns"]

_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, max-age=0, must-revalidate"
_MOST_BAND = 1 << 16
_TAG = re.compile(r'"[^"]*"')  # a proxy may have made it weak (W/), and may ask for several
_NUMBER = re.compile(r"[0-9]{1,24}")


def _for_other_maps(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, whose answers pages of any origin may read, without cookies."""

    @wraps(view)
    def answered(request: HttpRequest, **place: int) -> HttpResponse:
        response = view(request, **place)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return answered


@require_safe
@_for_other_maps
def tile(request: HttpRequest, layer: int, frame: int, z: int, x: int, y: int, scale: int = 1) -> HttpResponse:
    """A tile as PNG; 204 where the layer has no pixel.

    An address with the frame's ``v`` names these pixels in these colours and no others, so it may be kept for ever.
    """
    picture = picture_of(layer, frame)
    band = _band(request, picture)
    etag = tile_tag(picture.digest, picture.palette, z, x, y, scale, band)
    keep = _FOREVER if request.GET.get("v") == picture.digest[:16] else _ASK_AGAIN
    headers = {"ETag": etag, "Cache-Control": keep}
    content: bytes | None = None
    if etag in _TAG.findall(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=304, headers=headers)
    content = tiles().tile(picture.file, z, x, y, scale=scale, palette=picture.palette, band=band)
    if content is None:
        return HttpResponse(status=204, headers=headers)
    return HttpResponse(content, content_type="image/png", headers=headers)


@require_safe
@_for_other_maps
def tilejson(request: HttpRequest, layer: int) -> HttpResponse:
    """TileJSON 3.0 of a frame, for QGIS, MapLibre and others."""
    number = request.GET.get("frame", "")
    if number and not _NUMBER.fullmatch(number):
        raise InvalidSetting("frame is no number", found=number[:20], cure="Ask /api/layers which there are.")
    found = frame_of(layer_of(layer), int(number) if number else None)
    picture = picture_of(layer, found.id)
    west, south, east, north = picture.bounds
    band = f"&band={_band(request, picture)}" if "band" in request.GET else ""
    address = request.build_absolute_uri(f"/tiles/{layer}/{found.id}/")
    document = {
        "tilejson": "3.0.0",
        "name": picture.title if found.date is None else f"{picture.title}, {found.date.isoformat()}",
        "version": "1.0.0",
        "attribution": f"Arpent {__version__}",
        "scheme": "xyz",
        "tiles": [f"{address}{{z}}/{{x}}/{{y}}.png?v={picture.digest[:16]}{band}"],
        "minzoom": picture.zooms[0],
        "maxzoom": picture.zooms[1],
        # TileJSON has no box across the antimeridian.
        "bounds": [west, south, east, north] if west <= east else [-180.0, south, 180.0, north],
    }
    response = JsonResponse(document)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _band(request: HttpRequest, picture: Picture) -> int:
    asked = request.GET.get("band")
    if asked is None:
        return picture.band
    if not _NUMBER.fullmatch(asked) or not 1 <= int(asked) <= _MOST_BAND:
        raise InvalidSetting("band is no number of a band", found=asked[:20], cure="Give 1 or more.")
    return int(asked)


urlpatterns = [
    path("<int:layer>/tilejson.json", tilejson, name="tilejson"),
    path("<int:layer>/<int:frame>/<int:z>/<int:x>/<int:y>.png", tile, name="tile"),
    path("<int:layer>/<int:frame>/<int:z>/<int:x>/<int:y>@2x.png", tile, {"scale": 2}, name="tile-2x"),
]
