"""Shapes with what columns say of them, from any vector file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from arpent.errors import FileMissing, GeoreferenceMissing, UnknownName, UnreadableFile

__all__ = ["VECTOR_FILES", "NamedShapes", "ShapeBatch", "Shapes", "read_named_shapes", "read_shapes", "shape_batches"]

VECTOR_FILES = (".fgb", ".geojson", ".geoparquet", ".gpkg", ".json", ".parquet", ".shp")
"""Endings of the files that `read_named_shapes` reads."""

_PARQUET = {".parquet", ".geoparquet"}
_BATCH = 2048
_READ = 1 << 20


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


@dataclass(frozen=True)
class ShapeBatch:
    """Some of the shapes of a file.

    Attributes:
        geometry: ``(n,)`` of shapely geometries.
        columns: the other columns, as Arrow has them.
        crs: the reference system.
    """

    geometry: NDArray[Any]
    columns: pa.RecordBatch
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


def shape_batches(path: Path, kind: str, *, bare: bool = False, nested: Collection[str] = ()) -> Iterator[ShapeBatch]:
    """The shapes of such a file in its order, a few thousand at a time: memory does not grow with their number.

    Args:
        path: the file.
        kind: of shapes, for messages.
        bare: whether the shapes alone are wanted, without the other columns.
        nested: columns of lists or structs to read besides, where a Parquet file has them; else there are none.

    Raises:
        FileMissing, UnreadableFile, GeoreferenceMissing: see `read_named_shapes`; also on the way, where the damage is.
    """
    with _told(path, kind, None):
        batches = _parquet_batches if path.suffix.lower() in _PARQUET else _batches_with_gdal
        for geometry, table, crs in batches(path, bare, nested):
            yield ShapeBatch(geometry, table, _known(crs, path))


def _read(path: Path, column: str | None, kind: str, layer: str | None) -> Shapes:
    with _told(path, kind, layer):
        read = _parquet(path, column) if path.suffix.lower() in _PARQUET else _with_gdal(path, column, layer)
    geometry, columns, crs = read
    return Shapes(geometry, columns, _known(crs, path))


def _known(crs: str | None, path: Path) -> str:
    if crs is None:
        raise GeoreferenceMissing(
            f"{path.name} has no coordinate reference system",
            cure="Assign one first, for example: ogr2ogr -a_srs EPSG:2154 NEW OLD.",
        )
    return crs


@contextmanager
def _told(path: Path, kind: str, layer: str | None) -> Iterator[None]:
    """Turns what a library says of a file into an error of the house."""
    if not path.exists():
        raise FileMissing(f"there is no file {path}", cure=f"Give a file of {kind}.")
    try:
        yield
    except _Foreign as problem:
        raise UnreadableFile(
            f"{path} holds no {kind} that can be read",
            found=str(problem).splitlines()[0],
            expected=f"a vector file ({', '.join(VECTOR_FILES)})",
            cure="Check the file." if layer is None else "Check the file, and the name of its layer.",
        ) from problem.__cause__


class _Foreign(Exception):
    """What a library has to say of a file that it cannot read."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(str(problem) or type(problem).__name__)


_Read = tuple[NDArray[Any], dict[str, list[Any]], str | None]
_Batch = tuple[NDArray[Any], pa.RecordBatch, str | None]


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


def _batches_with_gdal(path: Path, bare: bool, nested: Collection[str]) -> Iterator[_Batch]:
    del nested  # GDAL's formats have none
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with pyogrio.open_arrow(path, columns=[] if bare else None, batch_size=_BATCH, use_pyarrow=True) as (
            facts,
            batches,
        ):
            place = facts["geometry_name"] or "wkb_geometry"
            names = [] if bare else list(facts["fields"])  # pyogrio 0.10 names those too that were not asked for
            for batch in batches:
                yield _shapes_of(batch[place]), batch.select(names), facts["crs"]
    except (DataSourceError, DataLayerError, pa.ArrowException, shapely.errors.GEOSException) as problem:
        raise _Foreign(problem) from problem


@dataclass(frozen=True)
class _Header:
    """What a GeoParquet file says of itself: its geometry, the columns without and with lists, its system."""

    primary: str
    plain: list[str]
    nested: list[str]
    crs: str | None


def _header(path: Path) -> _Header:
    try:
        header = pq.read_metadata(path)
        said = (header.metadata or {}).get(b"geo")
        if said is None:
            raise ValueError("a Parquet file without geometries")
        geo = json.loads(said)
        primary = geo["primary_column"]
        crs = geo["columns"][primary].get("crs", "OGC:CRS84")
        schema = header.schema.to_arrow_schema()
        plain = [field.name for field in schema if not pa.types.is_nested(field.type)]
        return _Header(
            primary,
            [name for name in plain if name not in geo["columns"]],
            [name for name in schema.names if name not in plain],
            crs if crs is None or isinstance(crs, str) else json.dumps(crs),
        )
    except (pa.ArrowException, OSError, KeyError, ValueError) as problem:
        raise _Foreign(problem) from problem


def _parquet(path: Path, column: str | None) -> _Read:
    header = _header(path)
    wanted = _wanted(column, header.plain, path)
    try:
        table = pq.read_table(path, columns=[header.primary, *wanted])
        geometry = shapely.from_wkb(table[header.primary].to_numpy())
    except (pa.ArrowException, OSError, shapely.errors.GEOSException) as problem:
        raise _Foreign(problem) from problem
    return geometry, {name: table[name].to_pylist() for name in wanted}, header.crs


def _parquet_batches(path: Path, bare: bool, nested: Collection[str]) -> Iterator[_Batch]:
    header = _header(path)
    wanted = [] if bare else [*header.plain, *(name for name in header.nested if name in nested)]
    try:
        # Arrow would fetch the whole file beforehand, and groups of rows whole.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ) as file:
            for batch in file.iter_batches(_BATCH, columns=[header.primary, *wanted]):
                yield _shapes_of(batch[header.primary]), batch.select(wanted), header.crs
    except (pa.ArrowException, OSError, shapely.errors.GEOSException) as problem:
        raise _Foreign(problem) from problem


def _shapes_of(column: pa.Array) -> NDArray[Any]:
    shapes: NDArray[Any] = shapely.from_wkb(column.to_numpy(zero_copy_only=False))
    return shapes


def _wanted(column: str | None, known: list[str], path: Path) -> list[str]:
    """The columns to read: the one asked for, or all."""
    if column is None:
        return known
    if column not in known:
        raise UnknownName.among(column, known, f"column of {path.name}")
    return [column]
