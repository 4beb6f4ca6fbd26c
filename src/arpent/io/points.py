"""Points with a word each, from any vector file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from pyproj import Transformer

from arpent.errors import FileMissing, GeoreferenceMissing, InputError, UnknownName, UnreadableFile

__all__ = ["POINT_FILES", "NamedPoints", "read_points"]

POINT_FILES = (".fgb", ".geojson", ".geoparquet", ".gpkg", ".json", ".parquet", ".shp")
"""Endings of the files that `read_points` reads."""

_PARQUET = {".parquet", ".geoparquet"}


@dataclass(frozen=True)
class NamedPoints:
    """Points, and what one column says of each.

    Attributes:
        places: ``(n, 2)`` of x and y.
        words: ``(n,)`` of text.
    """

    places: NDArray[np.float64]
    words: NDArray[np.str_]


def read_points(path: Path, column: str, crs: CRS) -> NamedPoints:
    """The points of a file in the reference system `crs`, with the values of `column` as text.

    Points without a value are left out.

    Raises:
        FileMissing, UnreadableFile: no such file, or no vector file.
        UnknownName: no column of that name.
        InputError: other geometries than points.
        GeoreferenceMissing: the file names no reference system.
    """
    if not path.exists():
        raise FileMissing(f"there is no file {path}", cure="Give a file of points.")
    read = _parquet if path.suffix.lower() in _PARQUET else _with_gdal
    geometry, values, own = read(path, column)
    if not geometry.size or not (shapely.get_type_id(geometry) == shapely.GeometryType.POINT).all():
        raise InputError(
            f"{path.name} holds other geometries than points, or none at all",
            cure="Give one point per label, or burn areas into a mask and give that.",
        )
    if own is None:
        raise GeoreferenceMissing(f"{path.name} has no coordinate reference system", cure="Assign one first.")
    named = np.array([value is not None for value in values], bool)
    transformer = Transformer.from_crs(own, crs.to_wkt(), always_xy=True)
    places = np.column_stack(transformer.transform(shapely.get_x(geometry[named]), shapely.get_y(geometry[named])))
    return NamedPoints(places, np.array([str(value) for value in values if value is not None], np.str_))


def _with_gdal(path: Path, column: str) -> tuple[NDArray[Any], list[Any], str | None]:
    # pyogrio brings pandas along, which would cost every command a second.
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        known = list(pyogrio.read_info(path)["fields"])
        if column not in known:
            raise UnknownName.among(column, known, f"column of {path.name}")
        facts, table = pyogrio.read_arrow(path, columns=[column])
    except (DataSourceError, DataLayerError) as problem:
        raise _unreadable(path, problem) from problem
    geometry = shapely.from_wkb(table[facts["geometry_name"] or "wkb_geometry"].to_numpy())
    return geometry, table[column].to_pylist(), facts["crs"]


def _parquet(path: Path, column: str) -> tuple[NDArray[Any], list[Any], str | None]:
    try:
        header = pq.read_metadata(path)
        geo = json.loads((header.metadata or {})[b"geo"])
        primary = geo["primary_column"]
        own = geo["columns"][primary].get("crs", "OGC:CRS84")
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as problem:
        raise _unreadable(path, problem) from problem
    known = header.schema.to_arrow_schema().names
    if column not in known:
        raise UnknownName.among(column, known, f"column of {path.name}")
    table = pq.read_table(path, columns=[primary, column])
    crs = own if own is None or isinstance(own, str) else json.dumps(own)
    return shapely.from_wkb(table[primary].to_numpy()), table[column].to_pylist(), crs


def _unreadable(path: Path, problem: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{path} holds no points that can be read",
        found=str(problem).splitlines()[0] if str(problem) else type(problem).__name__,
        expected=f"a vector file ({', '.join(POINT_FILES)})",
        cure="Check the file.",
    )
