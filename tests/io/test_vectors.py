"""Columns of vectors: kept so that any reader of Parquet can read them, and read back as they were."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arpent.errors import UnreadableFile
from arpent.io import RowWriter
from arpent.io.vectors import vector_column, vector_field, vector_width, vectors_in, width_in_file, width_in_table

FIELD = vector_field("embedding", pa.float32(), 3)


@given(rows=st.lists(st.none() | arrays(np.float32, 3, elements=st.floats(-9, 9, width=32)), max_size=6))
def test_what_goes_in_comes_out(rows):
    found = vectors_in(vector_column(rows, FIELD), 3, np.float32)
    assert found.shape == (len(rows), 3)
    for own, row in zip(found, rows, strict=True):
        assert np.isnan(own).all() if row is None else (own == row).all()


@pytest.mark.parametrize("number", [np.float16, np.float32])
def test_a_column_without_any_vector_has_its_type(number):
    field = vector_field("visual", pa.from_numpy_dtype(number), 2)
    column = vector_column([None, None], field)
    assert column.type == field.type and column.null_count == 2
    assert vectors_in(column, 2, number).dtype == number


def test_a_file_keeps_the_width_in_plain_lists(tmp_path):
    """No reader has to know of lists of one length: those of Arrow up to 23 fail at rows that have none."""
    path = tmp_path / "table.parquet"
    schema = pa.schema([pa.field("parcel", pa.string()), FIELD])
    with RowWriter(path, schema=schema) as writer:
        rows = [np.float32([1, 2, 3]), None, np.float32([4, 5, 6])]
        writer.write(pa.table([pa.array(["a", "b", "c"]), vector_column(rows, FIELD)], schema=schema))
    kept = pq.read_schema(path)
    assert pa.types.is_list(kept.field("embedding").type) and vector_width(kept, "embedding") == 3
    table = pq.read_table(path)
    assert table["embedding"].to_pylist() == [[1, 2, 3], None, [4, 5, 6]]
    assert np.isnan(vectors_in(table["embedding"], 3, np.float32)[1]).all()


def test_lists_of_one_length_by_others_are_read():
    column = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    table = pa.table({"embedding": column})
    assert vector_width(table.schema, "embedding") == 2
    assert vectors_in(table["embedding"], 2, np.float32)[0].tolist() == [1, 2]


def test_columns_in_pieces_and_slices_of_them_are_read_in_order():
    pieces = pa.chunked_array([vector_column([np.float32([i, i, i]), None], FIELD) for i in range(4)])
    found = vectors_in(pieces.slice(1, 6), 3, np.float32)
    assert found[1::2, 0].tolist() == [1, 2, 3] and np.isnan(found[::2]).all()


@pytest.mark.parametrize(
    "field",
    [
        pa.field("embedding", pa.float32()),
        pa.field("embedding", pa.list_(pa.float32())),
        pa.field("embedding", pa.list_(pa.float32()), metadata={"arpent:width": "-3"}),
        pa.field("embedding", pa.list_(pa.float32()), metadata={"arpent:width": "9" * 5000}),
        pa.field("embedding", pa.list_(pa.float32()), metadata={"arpent:width": "9" * 6}),
        pa.field("embedding", pa.list_(pa.float32(), 1 << 30)),
        pa.field("embedding", pa.list_(pa.string()), metadata={"arpent:width": "3"}),
        pa.field("embedding", pa.string(), metadata={"arpent:width": "3"}),
        pa.field("other", pa.list_(pa.float32(), 3)),
    ],
    ids=lambda field: f"{field.name} {field.type} {str(field.metadata)[:30]}",
)
def test_other_columns_hold_no_vectors(field):
    assert vector_width(pa.schema([field]), "embedding") == 0


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)])
def test_the_width_is_that_of_the_first_vector_where_the_field_does_not_say_it(kind, tmp_path):
    table = pa.table({"embedding": pa.array([None, [1.0, 2.0], None], kind)})
    assert width_in_table(table, "embedding") == 2
    pq.write_table(table, tmp_path / "table.parquet")
    assert width_in_file(tmp_path / "table.parquet", "embedding") == 2
    assert width_in_file(tmp_path / "table.parquet", "visual") == 0
    assert vectors_in(table["embedding"], 2, np.float32)[1].tolist() == [1, 2]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "table.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UnreadableFile, match=r"table\.parquet cannot be read"):
        width_in_file(tmp_path / "table.parquet", "embedding")


@pytest.mark.parametrize("width", [3, 1 << 19])
def test_vectors_that_are_not_as_wide_as_said_are_refused(width):
    column = pa.array([[1.0, 2.0, 3.0], None, [4.0]], FIELD.type)
    with pytest.raises(UnreadableFile, match=r"fields\.parquet is damaged") as told:
        vectors_in(column, width, np.float32, "fields.parquet")
    assert told.value.found == "1 and 3 numbers in a row"
