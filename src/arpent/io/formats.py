"""Tables as GeoPackage, CSV and JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import shapely
from odc.geo.crs import CRS

from arpent.errors import DiskFull, OutputError

_NO_CRS = 'LOCAL_CS["Undefined Cartesian SRS"]'  # GeoPackage's own words for "not on earth", its system -1

__all__ = ["GeometryColumn", "write_csv", "write_geopackage", "write_jsonl"]

_TIME_OPTION, _TIME = "OGR_CURRENT_DATE", "1970-01-01T00:00:00.000Z"
"""A GeoPackage says when it was last changed. Ours says this, so that the same rows give the same bytes."""


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind)) and not pa.types.is_dictionary(kind)


def _flat(table: pa.Table) -> pa.Table:
    """The table with lists and structs as JSON text and halves as floats, for formats that have no such columns."""
    for index, column in enumerate(table.schema):
        if pa.types.is_float16(column.type):
            table = table.set_column(index, column.name, table[column.name].cast(pa.float32()))
        if _is_nested(column.type):
            texts = [None if value is None else _json(value) for value in table[column.name].to_pylist()]
            table = table.set_column(index, column.name, pa.array(texts, pa.string()))
    return table


def _flat_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, _flat_type(f.type)) for f in schema])


def _flat_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.string() if _is_nested(kind) else kind


def _json(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: object) -> object:
    """A value that JSON has: dates as ISO text, NaN and infinities as null, bytes as hexadecimal text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def write_csv(target: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table], geometry: str | None) -> None:
    """Writes a header and one line per row; geometries as well-known text."""
    flat = _flat_schema(schema)
    if geometry is not None:
        flat = flat.set(flat.get_field_index(geometry), pa.field(geometry, pa.string()))
    with pyarrow.csv.CSVWriter(target, flat) as writer:
        for table in tables:
            lines = _flat(table)
            if geometry is not None:
                texts = shapely.to_wkt(shapely.from_wkb(table[geometry].to_numpy()), rounding_precision=-1)
                lines = lines.set_column(lines.schema.get_field_index(geometry), geometry, pa.array(texts, pa.string()))
            writer.write_table(lines.cast(flat))


def write_jsonl(target: BinaryIO, tables: Iterable[pa.Table], geometry: str | None) -> None:
    """Writes one JSON object per row; geometries as GeoJSON has them, in the CRS of the table."""
    for table in tables:
        rows = table.to_pylist()
        if geometry is not None:
            shapes = shapely.to_geojson(shapely.from_wkb(table[geometry].to_numpy()))
            for row, shape in zip(rows, shapes, strict=True):
                row[geometry] = None if shape is None else json.loads(shape)
        target.writelines(f"{_json(row)}\n".encode() for row in rows)


@dataclass(frozen=True)
class GeometryColumn:
    """Which column of a table holds geometries, what they are, and in which CRS."""

    name: str
    kinds: frozenset[str]
    crs: CRS | None


def write_geopackage(
    target: Path, schema: pa.Schema, tables: Iterable[pa.Table], geometry: GeometryColumn | None, *, layer: str
) -> None:
    """Writes one layer; it declares the kind of its geometries if all are of one kind."""
    # pyogrio brings pandas along, which would cost every command a second.
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    flat = _flat_schema(schema)
    batches = (batch for table in tables for batch in _flat(table).cast(flat).to_batches())
    options: dict[str, Any] = {}
    if geometry is not None:
        kind = next(iter(geometry.kinds)) if len(geometry.kinds) == 1 else "Unknown"
        options = {"geometry_name": geometry.name, "geometry_type": kind, "GEOMETRY_NAME": geometry.name}
        options["crs"] = geometry.crs.to_wkt() if geometry.crs is not None else _NO_CRS
    reader = pa.RecordBatchReader.from_batches(flat, batches)
    before = pyogrio.get_gdal_config_option(_TIME_OPTION)
    pyogrio.set_gdal_config_options({_TIME_OPTION: _TIME})
    try:
        pyogrio.write_arrow(reader, target, layer=layer, driver="GPKG", **options)
    except (DataSourceError, DataLayerError) as problem:
        text = str(problem)
        if "full" in text or "disk I/O" in text:
            raise DiskFull(
                f"no space is left to write {target.name}", found=text, cure="Free some space, then run again."
            ) from problem
        raise OutputError(
            f"{target.name} cannot be written as GeoPackage", found=text, cure="Choose .parquet."
        ) from problem
    finally:
        pyogrio.set_gdal_config_options({_TIME_OPTION: before})
