"""Embeddings as rows: each patch once, in its exact place, and maps made of rows again."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS

from arpent.core import Grid
from arpent.errors import UnreadableFile
from arpent.io import RowWriter
from arpent.tasks.change.embedding_tables import EmbeddingRows, PatchLayout
from arpent.tiling import TilePlan, TileShape

UTM = CRS("EPSG:32631")
FINE = Affine(0.1, 0.0, 500_000.05, 0.0, -0.1, 4_900_000.07)  # a fraction that float32 could not hold


def answered(tile, patch, stride, dims, holes=()):
    """Features of a tile that say which patch of the image each is: row and column in the first two."""
    count = (tile.window.height - patch) // stride + 1
    rows = tile.down.start + stride * np.arange(count)
    cols = tile.across.start + stride * np.arange(count)
    features = np.zeros((count, count, dims), np.float32)
    features[..., 0], features[..., 1] = np.meshgrid(rows, cols, indexing="ij")
    for hole in holes:
        features[np.ix_(rows == hole[0], cols == hole[1])] = -100
    return features


def rows_of(height, width, patch, stride, shape, **options):
    holes = options.pop("holes", ())
    layout = PatchLayout.of(Grid(height, width, FINE, UTM), patch, stride)
    writer = EmbeddingRows(layout, (0, 70), precision="float32", **options)
    plan = TilePlan.of(height, width, shape)
    tables = [
        writer.of(np.stack([answered(tile, patch, stride, 2, holes) for tile in tiles]), tiles)
        for tiles in (list(plan.row_of_tiles(row)) for row in range(len(plan.rows)))
    ]
    return layout, pa.concat_tables(tables)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.sampled_from([(16, 16), (16, 8), (16, 4), (4, 4), (4, 1)]),
    st.integers(0, 1),
)
def test_each_patch_is_written_once_at_its_exact_centre(height, width, sizes, ring):
    patch, stride = sizes
    shape = TileShape(96, ring * patch, patch, patch, patch, fixed=True)
    _, table = rows_of(height, width, patch, stride, shape)
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()
    assert len(set(zip(rows, cols, strict=True))) == table.num_rows
    np.testing.assert_array_equal(table["f0"].to_numpy(), rows)
    np.testing.assert_array_equal(table["f70"].to_numpy(), cols)
    # Every patch that lies in the image is there.
    inside = {(r, c) for r in range(0, height - patch + 1, stride) for c in range(0, width - patch + 1, stride)}
    assert inside <= set(zip(rows.tolist(), cols.tolist(), strict=True))
    x, y = FINE.c + 0.1 * (cols + patch / 2), FINE.f - 0.1 * (rows + patch / 2)
    np.testing.assert_allclose(table["x"].to_numpy(), x, rtol=0, atol=1e-8)
    np.testing.assert_allclose(table["y"].to_numpy(), y, rtol=0, atol=1e-8)
    assert table["x"].type == pa.float64()
    points = shapely.from_wkb(table["geometry"].to_numpy())
    np.testing.assert_array_equal(shapely.get_x(points), table["x"].to_numpy())


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from([(16, 16), (16, 8), (16, 2), (4, 2)]))
def test_cells_lie_around_the_centres_of_their_patches(height, width, sizes):
    patch, stride = sizes
    layout, table = rows_of(height, width, patch, stride, TileShape(64, 0, patch, patch, patch, fixed=True))
    down, across = (layout.cell_of(table[name].to_numpy().astype(np.int64)) for name in ("row", "col"))
    inside = (down < layout.cells.height) & (across < layout.cells.width)
    assert inside.any()
    t = layout.cells.transform
    np.testing.assert_allclose(t.c + t.a * (across + 0.5), table["x"].to_numpy(), atol=1e-6)
    np.testing.assert_allclose(t.f + t.e * (down + 0.5), table["y"].to_numpy(), atol=1e-6)
    # No row or column of cells is left empty.
    assert set(down[inside]) == set(range(layout.cells.height))
    assert set(across[inside]) == set(range(layout.cells.width))


def test_patches_without_data_are_left_out():
    _, table = rows_of(64, 64, 16, 16, TileShape(64, 0, 0, 16, 16, fixed=True), holes=[(16, 32)])
    assert table.num_rows == 15
    assert (16, 32) not in set(zip(table["row"].to_pylist(), table["col"].to_pylist(), strict=True))


@pytest.mark.parametrize(("stride", "offset"), [(16, 0), (4, 7), (1, 7)])
def test_the_references_own_table_has_corners_and_keeps_patches_without_data(stride, offset):
    shape = TileShape(64, 0, 16, 1, 1, fixed=True)
    _, table = rows_of(100, 64, 16, stride, shape, reference=True, holes=[(16, 32)])
    assert table.column_names == ["x", "y", "f0", "f70"]
    values = np.column_stack([table[name].to_numpy() for name in table.column_names])
    empty = values[:, 2] == -100
    assert empty.sum() == 1
    x, y = FINE.c + 0.1 * (32 + offset), FINE.f - 0.1 * (16 + offset)
    np.testing.assert_allclose(values[empty, :2], [[x, y]], atol=1e-8)
    assert len(np.unique(values[:, :2], axis=0)) == len(values)


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_a_file_carries_its_layout_and_its_place(tmp_path, precision):
    layout = PatchLayout.of(Grid(64, 64, FINE, UTM), 16, 16)
    writer = EmbeddingRows(layout, (3, 5), precision=precision)
    tiles = list(TilePlan.of(64, 64, TileShape(64, 0, 0, 16, 16, fixed=True)))
    path = tmp_path / "a.parquet"
    with RowWriter(path, schema=writer.schema, crs=UTM) as rows:
        rows.write(writer.of(np.full((1, 4, 4, 2), 0.3, np.float32), tiles))
        rows.write(writer.of(np.empty((0, 4, 4, 2), np.float32), []))
    schema = pq.read_schema(path)
    assert PatchLayout.read(schema, "a") == layout
    assert layout.image.matches(Grid(64, 64, FINE, UTM))
    assert str(schema.field("f5").type) in {precision, "halffloat", "float"}
    assert b'"EPSG"' in pq.ParquetFile(path).metadata.metadata[b"geo"]
    np.testing.assert_allclose(pq.read_table(path)["f3"].to_numpy().astype(float), 0.3, rtol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"patch": 0},
        {"stride": 0},
        {"stride": 3},
        {"height": -5},
        {"width": 1 << 40},
        {"transform": [0, 0, 0, 0, 0, 0]},
        {"transform": [float("inf"), 0, 0, 0, 1, 0]},
        {"crs": "not a system"},
        {"more": 1},
    ],
)
def test_layouts_that_make_no_sense_are_refused(change):
    layout = PatchLayout.of(Grid(64, 64, FINE, UTM), 16, 16).model_dump() | change
    schema = pa.schema([("f0", pa.float32())], metadata={"arpent:patches": json.dumps(layout)})
    with pytest.raises(UnreadableFile, match="does not say how its patches lie"):
        PatchLayout.read(schema, "a.parquet")


@pytest.mark.parametrize("metadata", [None, {"arpent:patches": "{"}, {"arpent:patches": '{"patch": 16}'}])
def test_other_tables_are_refused(metadata):
    with pytest.raises(UnreadableFile, match="change embed"):
        PatchLayout.read(pa.schema([("f0", pa.float32())], metadata=metadata), "a.parquet")
