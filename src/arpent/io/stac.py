"""STAC Items: what a product is, where and when, in the words that catalogues share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from arpent.core import ClassMap, Grid
from arpent.io.footprint import footprint
from arpent.io.media import media_type
from arpent.io.spec import RasterSpec
from arpent.io.tally import BandStatistics

__all__ = ["STAC_VERSION", "stac_item"]

STAC_VERSION = "1.1.0"
_EXTENSION = "https://stac-extensions.github.io/{}/v2.0.0/schema.json"
_FORECAST = "https://stac-extensions.github.io/forecast/v0.2.0/schema.json"


def stac_item(
    identifier: str,
    href: str,
    *,
    grid: Grid,
    start: datetime,
    end: datetime | None = None,
    raster: RasterSpec | None = None,
    statistics: Sequence[BandStatistics] = (),
    properties: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The STAC 1.1 Item of one product, whose asset is called "data".

    Args:
        identifier: unique among the items it will stand with.
        href: of the product, relative to the item or an address.
        grid: that the product covers; one without CRS gives an item without geometry.
        start: when the ground was seen, or the first moment of it; without a time zone it is taken as UTC.
        end: the last moment; None where there is but one.
        raster: what a raster product holds; None for tables.
        statistics: of the raster's bands, as its writer gives them.
        properties: more of them ("forecast:horizon", "title" …).
    """
    place = footprint(grid) if grid.crs is not None else None
    moments: dict[str, Any] = {"datetime": _moment(start)}
    if end is not None:
        moments = {"datetime": None, "start_datetime": _moment(start), "end_datetime": _moment(end)}
    asset: dict[str, Any] = {"href": href, "roles": ["data"]}
    if known := media_type(href):
        asset["type"] = known
    asset |= _projection(raster.grid if raster is not None else grid)
    extensions = ["projection"]
    if raster is not None:
        asset["bands"] = _bands(raster, statistics)
        if raster.title:
            asset["title"] = raster.title
        extensions.append("raster")
        if raster.classes is not None:
            asset["classification:classes"] = _classes(raster.classes)
            extensions.append("classification")
    addresses = [_EXTENSION.format(name) for name in extensions]
    if any(name.startswith("forecast:") for name in properties or ()):
        addresses.append(_FORECAST)
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": addresses,
        "id": identifier,
        "geometry": place.geometry if place is not None else None,
        "properties": {**moments, **(properties or {})},
        "links": [],
        "assets": {"data": asset},
    }
    if place is not None:
        item["bbox"] = list(place.bbox)
    return item


def _moment(when: datetime) -> str:
    """RFC 3339 in UTC."""
    aware = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def _projection(grid: Grid) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "proj:shape": list(grid.shape),
        "proj:transform": [float(value) for value in grid.transform],
    }
    if grid.crs is None:
        return {"proj:code": None, **facts}
    box = grid.bounds
    facts["proj:bbox"] = [box.left, box.bottom, box.right, box.top]
    if grid.crs.epsg is not None:
        return {"proj:code": f"EPSG:{grid.crs.epsg}", **facts}
    return {"proj:code": None, "proj:projjson": grid.crs.proj.to_json_dict(), **facts}


def _bands(raster: RasterSpec, statistics: Sequence[BandStatistics]) -> list[dict[str, Any]]:
    known = {band.name: band for band in statistics}
    shared: dict[str, Any] = {"data_type": raster.dtype, "raster:sampling": "area"}
    if raster.nodata is not None:
        shared["nodata"] = "nan" if np.isnan(raster.nodata) else raster.nodata
    if raster.unit:
        shared["unit"] = raster.unit
    bands = []
    for name in raster.bands:
        band = {"name": name, **shared}
        if name in known:
            band["statistics"] = _statistics(known[name])
        bands.append(band)
    return bands


def _statistics(band: BandStatistics) -> dict[str, float]:
    values = {
        "minimum": band.minimum,
        "maximum": band.maximum,
        "mean": band.mean,
        "stddev": band.std,
        "valid_percent": 100 * band.valid_share,
    }
    return {name: value for name, value in values.items() if value is not None}


def _classes(classes: ClassMap) -> list[dict[str, Any]]:
    nothing = {
        "value": classes.nodata,
        "name": "no-data",
        "title": "no data",
        "description": "sans donnée",
        "nodata": True,
    }
    entries = [
        {
            "value": entry.id,
            "name": _slug(entry.en),
            "title": entry.en,
            "description": entry.fr,
            "color_hint": entry.colour[1:].upper(),
        }
        for entry in classes.classes
    ]
    return [nothing, *entries]


def _slug(name: str) -> str:
    """A name of plain letters, digits and hyphens, as the extension demands."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9A-Za-z]+", "-", plain).strip("-").lower()
