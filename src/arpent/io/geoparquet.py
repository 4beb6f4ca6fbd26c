"""GeoParquet 1.1: geometries as WKB, with a bounding box for each row that readers can filter by."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from odc.geo.crs import CRS

__all__ = ["GeometryFacts", "write_geoparquet", "write_parquet"]

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_COMPRESSION = "zstd"
# Names by shapely's number of the type; 2, a ring, is never stored.
_KINDS = {
    0: "Point",
    1: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
}


@dataclass
class GeometryFacts:
    """What a file must say of its geometries as a whole.

    Attributes:
        kinds: geometry types that occur ("Polygon").
        box: xmin, ymin, xmax, ymax of all of them; empty while there is none.
    """

    kinds: set[str] = field(default_factory=set)
    box: list[float] = field(default_factory=list)

    def add(self, geometries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Adds shapely geometries; gives back their ``(n, 4)`` boxes, NaN for those without extent."""
        boxes: np.ndarray[Any, Any] = shapely.bounds(geometries)
        present = ~shapely.is_missing(geometries)
        self.kinds.update(_KINDS[kind] for kind in np.unique(shapely.get_type_id(geometries[present])))
        finite = boxes[~np.isnan(boxes).any(axis=1)]
        if finite.size:
            low, high = finite[:, :2].min(axis=0), finite[:, 2:].max(axis=0)
            if self.box:
                low, high = np.minimum(low, self.box[:2]), np.maximum(high, self.box[2:])
            self.box = [float(value) for value in (*low, *high)]
        return boxes


def write_parquet(target: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Writes tables without geometry, one row group each."""
    with pq.ParquetWriter(target, schema, **_storage(schema)) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, table.num_rows))


def write_geoparquet(
    target: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table], geometry: str, crs: CRS | None
) -> None:
    """Writes tables with a WKB column `geometry`, one row group each.

    The file says which kinds of geometries it holds, in which CRS (null if `crs` is None), and their box; a struct
    column holds the box of each row.
    """
    covering = "bbox" if "bbox" not in schema.names else f"{geometry}_bbox"
    box_type = pa.struct([(corner, pa.float64()) for corner in _CORNERS])
    facts = GeometryFacts()
    whole = schema.append(pa.field(covering, box_type))
    with pq.ParquetWriter(target, whole, **_storage(whole)) as writer:
        for table in tables:
            boxes = facts.add(shapely.from_wkb(table[geometry].to_numpy()))
            writer.write_table(table.append_column(covering, _box_column(boxes)), row_group_size=max(1, table.num_rows))
        writer.add_key_value_metadata({"geo": json.dumps(_metadata(facts, geometry, crs, covering))})


def _storage(schema: pa.Schema) -> dict[str, Any]:
    """How columns are packed. Measured numbers hardly ever repeat, so no dictionary is tried for them.

    Splitting floats into their first, second … bytes lets them shrink by a quarter more. Halves are left whole:
    DuckDB 2.0 cannot read them split.
    """
    split = [field.name for field in schema if pa.types.is_float32(field.type)]
    measured = {*split, *(field.name for field in schema if pa.types.is_float16(field.type))}
    listed = [field.name for field in schema if field.name not in measured]
    options: dict[str, Any] = {"compression": _COMPRESSION}
    if split:
        options["use_byte_stream_split"] = split
    return options | {"use_dictionary": listed} if measured else options


def _box_column(boxes: np.ndarray[Any, Any]) -> pa.StructArray:
    nowhere = pa.array(np.isnan(boxes).any(axis=1))
    corners = [pa.array(np.ascontiguousarray(boxes[:, i])) for i in range(4)]
    return pa.StructArray.from_arrays(corners, names=list(_CORNERS), mask=nowhere)


def _metadata(facts: GeometryFacts, geometry: str, crs: CRS | None, covering: str) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(facts.kinds),
        "crs": crs.proj.to_json_dict() if crs is not None else None,
        "covering": {"bbox": {corner: [covering, corner] for corner in _CORNERS}},
    }
    if facts.box:
        column["bbox"] = facts.box
    return {"version": "1.1.0", "primary_column": geometry, "columns": {geometry: column}}
