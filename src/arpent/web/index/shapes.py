"""Shapes of a product as the index keeps them: in degrees, with their boxes, and with what can be said of each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from arpent.core.small_files import read_small
from arpent.errors import UnreadableFile
from arpent.io.named_shapes import ShapeBatch, shape_batches
from arpent.io.vectors import vector_width, vectors_in
from arpent.web.index.boxes import boxes_of, on_the_globe, without_jumps

__all__ = ["ShapeTable", "in_degrees", "shape_tables"]

_SQLITE = b"SQLite format 3\0"
_SUFFIXES = {".parquet", ".geoparquet", ".gpkg"}
_NESTED = ("claims", "embedding")
"""Columns that hold lists: what a description claims, and what an encoder has seen."""


@dataclass(frozen=True)
class ShapeTable:
    """Shapes that lie somewhere on earth, and their columns.

    Attributes:
        shapes: ``(n,)`` shapely geometries in degrees.
        boxes: ``(n, 4)`` west, south, east, north.
        columns: values by the name of their column.
        vectors: ``(n, width)`` embeddings, of length 1 or NaN; None without.
        encoder: what made them.
    """

    shapes: NDArray[Any]
    boxes: NDArray[np.float64]
    columns: Mapping[str, Sequence[Any]]
    vectors: NDArray[np.float32] | None = None
    encoder: str = ""

    def __len__(self) -> int:
        return len(self.shapes)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The columns, row by row."""
        names = list(self.columns)
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, values, strict=True))


def shape_tables(path: Path, *, bare: bool = False) -> Iterator[ShapeTable]:
    """The shapes of a GeoParquet file, a GeoPackage, or the STAC item of an image, a few thousand at a time.

    Args:
        path: the file.
        bare: whether the shapes alone are wanted, without their columns.

    Raises:
        FileMissing, UnreadableFile: no such file, or another kind of file; also on the way, where it is damaged.
        GeoreferenceMissing: it names no reference system.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        yield _footprint(path)
        return
    if suffix not in _SUFFIXES:
        raise UnreadableFile(
            f"{path.name} holds no shapes that the map reads",
            expected=".parquet, .gpkg, or a STAC item",
            cure="Make the run again.",
        )
    if suffix == ".gpkg" and path.is_file():
        with path.open("rb") as stream:  # GDAL looks at what a file holds, not at its name: this must be no VRT
            if stream.read(len(_SQLITE)) != _SQLITE:
                raise UnreadableFile(f"{path.name} is no GeoPackage", cure="Make the run again.")
    for batch in shape_batches(path, "shapes", bare=bare, nested=_NESTED):
        yield _placed(batch, path.name)


def _placed(batch: ShapeBatch, file: str) -> ShapeTable:
    """The shapes of a batch that lie somewhere on earth."""
    shapes = in_degrees(batch.geometry, batch.crs)
    kept = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    table = batch.columns if len(kept) == len(shapes) else batch.columns.take(pa.array(kept))
    told = [name for name in table.schema.names if name != "embedding"]
    width = vector_width(table.schema, "embedding")
    vectors = _of_length_one(table["embedding"], width, file) if width else None
    encoder = (table.schema.metadata or {}).get(b"arpent:encoder", b"").decode("utf-8", "replace") or file
    return ShapeTable(
        shapes[kept],
        boxes_of(shapes[kept]),
        {name: table[name].to_pylist() for name in told},
        vectors,
        encoder if vectors is not None else "",
    )


def in_degrees(shapes: NDArray[Any], crs: str) -> NDArray[Any]:
    """The shapes in longitude and latitude, none past ±180; what cannot be brought there is missing (None)."""
    system = pyproj.CRS.from_user_input(crs)
    flat = shapely.force_2d(shapes)
    if not system.is_geographic or system.to_epsg() != 4326:
        turn = pyproj.Transformer.from_crs(system, "OGC:CRS84", always_xy=True)
        flat = shapely.transform(flat, lambda points: np.column_stack(turn.transform(points[:, 0], points[:, 1])))
        if system.is_projected:
            flat = without_jumps(flat)
    bounds = shapely.bounds(flat)
    flat[~shapely.is_missing(flat) & ~np.isfinite(bounds).all(axis=1)] = None
    return on_the_globe(flat)


def _of_length_one(column: pa.Array, width: int, file: str) -> NDArray[np.float32]:
    vectors = vectors_in(column, width, np.float32, file)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(vectors / lengths, np.float32)


def _footprint(path: Path) -> ShapeTable:
    try:
        item = json.loads(read_small(path, "STAC item", most=8 << 20))
        shape = shapely.from_geojson(json.dumps(item["geometry"]))
        columns = {name: [_plain(value)] for name, value in item["properties"].items() if not isinstance(value, dict)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, shapely.errors.GEOSException) as problem:
        raise UnreadableFile(
            f"{path.name} is no STAC item", found=str(problem)[:80], cure="Make the run again."
        ) from problem
    shapes = np.array([] if shape is None else [shape], dtype=object)
    return ShapeTable(shapes, boxes_of(shapes), columns if len(shapes) else {name: [] for name in columns})


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date | datetime) else value
