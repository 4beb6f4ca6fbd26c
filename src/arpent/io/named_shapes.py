"""Shapes with what columns say of them, from any vector file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from arpent.errors import FileMissing, GeoreferenceMissing, UnknownName, UnreadableFile

__all__ = ["VECTOR_FILES", "NamedShapes", "Shapes", "read_named_shapes", "read_shapes"]

VECTOR_FILES = (".fgb", ".geojson", ".geoparquet", ".gpkg", ".json", ".parquet", ".shp")
"""Endings of the files that `read_named_shapes` reads."""

_PARQUET = {".parquet", ".geoparquet"}


@dataclass(frozen=True)
class NamedShapes:
    """Shapes, and what one column says of each.

    Attributes:
        geometry: ``(n,)`` of shapely geometries.
        values: of the column; None where nothing is written.
        crs: the reference system.
    """

    geometry: NDArray[Any]
    values: Sequence[Any]
    crs: str


@dataclass(frozen=True)
class Shapes:
    """Shapes, and what their columns say of them.

    Attributes:
        geometry: ``(n,)`` of shapely geometries.
        columns: values by the name of their column; None where nothing is written.
        crs: the reference system.
    """

    geometry: NDArray[Any]
    columns: Mapping[str, Sequence[Any]]
    crs: str


def read_named_shapes(path: Path, column: str, kind: str, layer: str | None = None) -> NamedShapes:
    """The shapes of a GeoPackage, GeoParquet, GeoJSON, FlatGeobuf or shapefile, with the values of one column.

    Args:
        path: the file.
        column: the one to read.
        kind: of shapes, for messages ("points").
        layer: of a file with several; the first if not given.

    Raises:
        FileMissing, UnreadableFile: no such file, or no vector file.
        UnknownName: no column of that name.
        GeoreferenceMissing: the file names no reference system.
    """
    read = _read(path, column, kind, layer)
    return NamedShapes(read.geometry, read.columns[column], read.crs)


def read_shapes(path: Path, kind: str, layer: str | None = None) -> Shapes:
    """The shapes of such a file, with the values of all columns; see `read_named_shapes`."""
    return _read(path, None, kind, layer)


def _read(path: Path, column: str | None, kind: str, layer: str | None) -> Shapes:
    if not path.exists():
        raise FileMissing(f"there is no file {path}", cure=f"Give a file of {kind}.")
    try:
        read = _parquet(path, column) if path.suffix.lower() in _PARQUET else _with_gdal(path, column, layer)
    except _Foreign as problem:
        raise UnreadableFile(
            f"{path} holds no {kind} that can be read",
            found=str(problem).splitlines()[0],
            expected=f"a vector file ({', '.join(VECTOR_FILES)})",
            cure="Check the file." if layer is None else "Check the file, and the name of its layer.",
        ) from problem.__cause__
    geometry, columns, crs = read
    if crs is None:
        raise GeoreferenceMissing(f"{path.name} has no coordinate reference system", cure="Assign one first.")
    return Shapes(geometry, columns, crs)


class _Foreign(Exception):
    """What a library has to say of a file that it cannot read."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(str(problem) or type(problem).__name__)


_Read = tuple[NDArray[Any], dict[str, list[Any]], str | None]


def _with_gdal(path: Path, column: str | None, layer: str | None) -> _Read:
    # pyogrio brings pandas along, which would cost every command a second.
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        known = list(pyogrio.read_info(path, layer=layer)["fields"])
        wanted = _wanted(column, known, path)
        facts, table = pyogrio.read_arrow(path, layer=layer, columns=wanted)
        geometry = shapely.from_wkb(table[facts["geometry_name"] or "wkb_geometry"].to_numpy())
    except (DataSourceError, DataLayerError, shapely.errors.GEOSException) as problem:  # the last: arcs, for instance
        raise _Foreign(problem) from problem
    return geometry, {name: table[name].to_pylist() for name in wanted}, facts["crs"]


def _parquet(path: Path, column: str | None) -> _Read:
    try:
        header = pq.read_metadata(path)
        geo = json.loads((header.metadata or {})[b"geo"])
        primary = geo["primary_column"]
        own = geo["columns"][primary].get("crs", "OGC:CRS84")
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as problem:
        raise _Foreign(problem) from problem
    plain = [field.name for field in header.schema.to_arrow_schema() if not pa.types.is_nested(field.type)]
    wanted = _wanted(column, [name for name in plain if name not in geo["columns"]], path)
    table = pq.read_table(path, columns=[primary, *wanted])
    crs = own if own is None or isinstance(own, str) else json.dumps(own)
    try:
        geometry = shapely.from_wkb(table[primary].to_numpy())
    except shapely.errors.GEOSException as problem:
        raise _Foreign(problem) from problem
    return geometry, {name: table[name].to_pylist() for name in wanted}, crs


def _wanted(column: str | None, known: list[str], path: Path) -> list[str]:
    """The columns to read: the one asked for, or all."""
    if column is None:
        return known
    if column not in known:
        raise UnknownName.among(column, known, f"column of {path.name}")
    return [column]
