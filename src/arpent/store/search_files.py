"""What a search has found, as a file: GeoJSON and JSON, or a table in any format of the house."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from odc.geo.crs import CRS
from shapely.geometry.base import BaseGeometry

from arpent.core import write_file
from arpent.errors import InvalidSetting
from arpent.store.search_asked import Hit
from arpent.store.search_tables import FACTS

__all__ = ["HIT_FILES", "check_target", "write_hits"]

HIT_FILES = (".csv", ".geojson", ".gpkg", ".json", ".jsonl", ".parquet")
"""Endings of files of results."""

_DEGREES = CRS("EPSG:4326")
_FINE = 1e-7
"""About a centimetre, in degrees."""


def check_target(path: Path) -> None:
    """Refuses, before anything is searched, a file that could not be written.

    Raises:
        InvalidSetting: its ending names no format.
    """
    if path.suffix.lower() not in HIT_FILES:
        raise InvalidSetting(
            f"{path.name} names no format of results",
            found=path.suffix or "no ending",
            expected=", ".join(HIT_FILES),
            cure="Choose one of these endings.",
        )


def write_hits(path: Path, hits: Sequence[Hit]) -> Path:
    """Writes results, whole or not at all.

    Args:
        path: its ending names the format.
        hits: the best first; geometries are written in longitude and latitude.
    """
    check_target(path)
    rows = [_row(hit) for hit in hits]
    if path.suffix.lower() == ".geojson":
        features = [_feature(row) for row in rows]
        return _json(path, {"type": "FeatureCollection", "features": features}, indent=None)  # corners fill lines
    if path.suffix.lower() == ".json":
        return _json(path, [{name: value for name, value in row.items() if name != "geometry"} for row in rows])
    from arpent.io import RowWriter

    table = pa.Table.from_pylist(rows) if rows else pa.table({"parcel": pa.array([], pa.string())})
    # Of a column that is empty all the way nothing else tells what it holds.
    kinds = {field.name: field.type for field in FACTS}
    table = table.cast(
        pa.schema(
            [
                field.with_type(kinds.get(field.name, _kind(field.name))) if pa.types.is_null(field.type) else field
                for field in table.schema
            ]
        )
    )
    with RowWriter(path, schema=table.schema, crs=_DEGREES) as writer:
        writer.write(table)
    return path


def _kind(name: str) -> pa.DataType:
    if name == "taken":
        return pa.date32()
    return pa.float64() if name == "score" or name.endswith(("_mean", "_std")) else pa.string()


def _row(hit: Hit) -> dict[str, Any]:
    own = {"score": hit.score, "reasons": json.dumps([asdict(one) for one in hit.reasons], ensure_ascii=False)}
    return own | {"other_dates": ", ".join(day.isoformat() for day in hit.dates)} | dict(hit.row)


def _feature(row: Mapping[str, Any]) -> dict[str, Any]:
    properties = {name: value for name, value in row.items() if name != "geometry"}
    shape = None if row["geometry"] is None else shapely.geometry.mapping(_plain(shapely.from_wkb(row["geometry"])))
    return {"type": "Feature", "geometry": shape, "properties": properties | {"reasons": json.loads(row["reasons"])}}


def _plain(shape: BaseGeometry) -> BaseGeometry:
    """An outline without the points that do not bend it, in numbers to the centimetre; squares come with dozens."""
    simple: BaseGeometry = shapely.transform(shapely.simplify(shape, _FINE), lambda places: np.round(places, 7))
    return simple if simple.is_valid and not simple.is_empty else shape


def _json(path: Path, document: object, *, indent: int | None = 1) -> Path:
    def known(value: object) -> str:
        if isinstance(value, date):
            return value.isoformat()
        raise TypeError(type(value).__name__)

    return write_file(path, json.dumps(document, ensure_ascii=False, indent=indent, default=known) + "\n")
