"""Columns of vectors: each row has one of the same width, or none.

Arrow has a type for lists of one length, but up to its release 23 it cannot read a Parquet file in which a row lacks
its list, and neither can what reads with it: QGIS, pandas, geopandas. So vectors are kept as plain lists, and the field
says their width. Columns of that type, as other tools write them, are read all the same; and lists whose field says
nothing, as pandas leaves them, where the file is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arpent.errors import UnreadableFile

__all__ = ["vector_column", "vector_field", "vector_width", "vectors_in", "width_in_file", "width_in_table"]

Number = TypeVar("Number", bound=np.floating)
Column: TypeAlias = pa.Array | pa.ChunkedArray

_WIDTH = b"arpent:width"
_WIDEST = 1 << 19
"""Numbers of a vector at most: a damaged file may say anything."""
_ROWS = 1024


def vector_field(name: str, kind: pa.DataType, width: int) -> pa.Field:
    """The field of a column of vectors.

    Args:
        name: of the column.
        kind: of the numbers.
        width: numbers of each vector.
    """
    return pa.field(name, pa.list_(kind), metadata={_WIDTH: str(width)})


def vector_width(schema: pa.Schema, name: str) -> int:
    """Numbers of each vector of a column, as its field says; 0 where it says nothing, or is not there."""
    if not _is_list(schema, name):
        return 0
    field = schema.field(name)
    if pa.types.is_fixed_size_list(field.type):
        width = int(field.type.list_size)
    else:
        said = (field.metadata or {}).get(_WIDTH, b"")
        width = int(said) if said.isdigit() and len(said) <= len(str(_WIDEST)) else 0
    return width if width <= _WIDEST else 0


def width_in_table(table: pa.Table, name: str) -> int:
    """The same; where the field says nothing, that of the first row that has a vector."""
    width = vector_width(table.schema, name)
    return width or (_first([table[name]]) if _is_list(table.schema, name) else 0)


def width_in_file(path: Path, name: str) -> int:
    """The same of a Parquet file, of which no more is read than that takes.

    Raises:
        UnreadableFile: it is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            width = vector_width(file.schema_arrow, name)
            if width or not _is_list(file.schema_arrow, name):
                return width
            return _first(batch.column(0) for batch in file.iter_batches(_ROWS, columns=[name]))
    except (pa.ArrowException, OSError) as problem:
        raise UnreadableFile(
            f"{path} cannot be read", found=str(problem).partition("\n")[0], cure="Make it again."
        ) from problem


def _is_list(schema: pa.Schema, name: str) -> bool:
    if name not in schema.names:
        return False
    kind = schema.field(name).type
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in lists) and pa.types.is_floating(kind.value_type)


def _first(columns: Iterable[Column]) -> int:
    lengths = (pc.list_value_length(column.drop_null()) for column in columns)
    return next((min(one[0].as_py(), _WIDEST) for one in lengths if len(one)), 0)


def vector_column(vectors: Sequence[NDArray[np.floating] | None], field: pa.Field) -> pa.Array:
    """A column of vectors, taken over whole and not number by number; None where a row has none."""
    there = [vector for vector in vectors if vector is not None]
    flat = np.concatenate(there) if there else np.zeros(0)
    ends = np.cumsum([0, *(0 if vector is None else len(vector) for vector in vectors)], dtype=np.int32)
    missing = pa.array([vector is None for vector in vectors], pa.bool_())
    return pa.ListArray.from_arrays(ends, pa.array(flat, field.type.value_type), type=field.type, mask=missing)


def vectors_in(column: Column, width: int, kind: type[Number], source: str | Path = "the table") -> NDArray[Number]:
    """The vectors of a column, ``(rows, width)``; not a number where a row has none.

    Args:
        column: of vectors.
        width: of each.
        kind: of the numbers that are wanted.
        source: what the column is of, for messages.

    Raises:
        UnreadableFile: one has another width.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    _require_width(chunks, width, source)
    vectors: NDArray[Number] = np.full((len(column), width), np.nan, kind)
    start = 0
    for chunk in chunks:
        rows = vectors[start : start + len(chunk)]
        start += len(chunk)
        there = chunk.is_valid().to_numpy(zero_copy_only=False)
        rows[there] = chunk.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return vectors


def _require_width(chunks: Iterable[pa.Array], width: int, source: str | Path) -> None:
    """Before room is made for rows: what a field says is no more than said."""
    found: set[int] = set()
    for chunk in chunks:
        found |= set(pc.unique(pc.list_value_length(chunk.drop_null())).to_pylist())
    if found - {width}:
        raise UnreadableFile(
            f"{source} is damaged: its vectors are not as wide as it says",
            found=f"{' and '.join(map(str, sorted(found)[:3]))} numbers in a row",
            expected=f"{width} in each",
            cure="Make it again.",
        )
