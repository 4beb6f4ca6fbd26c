"""Columns of vectors: each row has one of the same width, or none.

Arrow has a type for lists of one length, but up to its release 23 it cannot read a Parquet file in which a row lacks
its list, and neither can what reads with it: QGIS, pandas, geopandas. So vectors are kept as plain lists, and the field
says their width. Columns of that type, as other tools write them, are read all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from arpent.errors import UnreadableFile

__all__ = ["vector_column", "vector_field", "vector_width", "vectors_in"]

Number = TypeVar("Number", bound=np.floating)

_WIDTH = b"arpent:width"


def vector_field(name: str, kind: pa.DataType, width: int) -> pa.Field:
    """The field of a column of vectors.

    Args:
        name: of the column.
        kind: of the numbers.
        width: numbers of each vector.
    """
    return pa.field(name, pa.list_(kind), metadata={_WIDTH: str(width)})


def vector_width(schema: pa.Schema, name: str) -> int:
    """Numbers of each vector of a column; 0 where there is no such column, or where it holds something else."""
    if name not in schema.names:
        return 0
    field = schema.field(name)
    if pa.types.is_fixed_size_list(field.type):
        return int(field.type.list_size)
    said = (field.metadata or {}).get(_WIDTH, b"")
    return int(said) if pa.types.is_list(field.type) and said.isdigit() else 0


def vector_column(vectors: Sequence[NDArray[np.floating] | None], field: pa.Field) -> pa.Array:
    """A column of vectors, taken over whole and not number by number; None where a row has none."""
    there = [vector for vector in vectors if vector is not None]
    flat = np.concatenate(there) if there else np.zeros(0)
    ends = np.cumsum([0, *(0 if vector is None else len(vector) for vector in vectors)], dtype=np.int32)
    missing = pa.array([vector is None for vector in vectors], pa.bool_())
    return pa.ListArray.from_arrays(ends, pa.array(flat, field.type.value_type), type=field.type, mask=missing)


def vectors_in(column: pa.Array | pa.ChunkedArray, width: int, kind: type[Number]) -> NDArray[Number]:
    """The vectors of a column, ``(rows, width)``; not a number where a row has none.

    Raises:
        UnreadableFile: one has another width than all are said to have.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    vectors: NDArray[Number] = np.full((len(column), width), np.nan, kind)
    start = 0
    for chunk in chunks:
        rows = vectors[start : start + len(chunk)]
        start += len(chunk)
        given = chunk.drop_null()
        odd = pc.min_max(pc.list_value_length(given)).as_py()
        if len(given) and set(odd.values()) != {width}:
            raise UnreadableFile(
                "a column of vectors is damaged",
                found=f"{' and '.join(map(str, sorted(set(odd.values()))))} numbers in a row",
                expected=f"{width} in each",
                cure="Make the table again.",
            )
        there = chunk.is_valid().to_numpy(zero_copy_only=False)
        rows[there] = given.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return vectors
