"""Tables with a row for each pixel say what images of embeddings say there."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio

from arpent.tasks.change import ChangeSettings, Frame, Pair
from arpent.tasks.change.planning import plan_pair

HOLE = (slice(0, 1), slice(20, 30), slice(40, 44))


@pytest.fixture(scope="module")
def image(land, tmp_path_factory):
    """Larger than a tile, with a hole in one band."""
    folder = tmp_path_factory.mktemp("image")
    with rasterio.open(land(folder / "whole.tif", 100, 90)) as file:
        values = file.read()
    values[HOLE] = -9999
    return land(folder / "holed.tif", values=values)


def table_and_image(compared, nano, image, **settings):
    wish = {"features": True, "dims": (3, 0), "table": "geoparquet", "table_pixels": True, "table_type": "float32"}
    arrays, done = compared([image], nano(), **(wish | settings))
    return pq.read_table(done.products["feature_table_0"]), arrays["feature_maps_0"]


def test_each_pixel_with_an_answer_has_one_row_in_its_middle(compared, nano, image):
    table, features = table_and_image(compared, nano, image)
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()
    known = features[0] != -100
    assert known.any() and not known.all()
    assert len(rows) == known.sum() == len(set(zip(rows, cols, strict=True)))
    assert known[rows, cols].all()
    np.testing.assert_array_equal(table["x"].to_numpy(), 500_000 + 30 * (cols + 0.5))
    np.testing.assert_array_equal(table["y"].to_numpy(), 5_000_000 - 30 * (rows + 0.5))
    # Where no other tile is mixed in, table and image hold the same numbers.
    alone = (rows < 16) & (cols < 16)
    assert alone.sum() == 256
    for name, band in (("f3", 0), ("f0", 1)):
        np.testing.assert_allclose(table[name].to_numpy()[alone], features[band, rows[alone], cols[alone]], atol=1e-6)


def test_rows_of_the_reference_begin_at_corners_and_keep_what_is_missing(compared, nano, image):
    table, features = table_and_image(compared, nano, image, profile="planaura", minimum_valid=0.1)
    assert table.column_names[:3] == ["x", "y", "f3"]
    cols = np.rint((table["x"].to_numpy() - 500_000) / 30).astype(int)
    rows = np.rint((5_000_000 - table["y"].to_numpy()) / 30).astype(int)
    seen = np.zeros((100, 90), int)
    np.add.at(seen, (rows, cols), 1)
    assert (seen == 1).all()
    values = np.zeros((100, 90), np.float32)
    values[rows, cols] = table["f0"].to_numpy()
    assert (values == -100).any()
    # The middles of tiles, which are painted last, are their cores; other tiles are seen only through holes.
    middle = (slice(16, 48), slice(16, 42))
    known = values[middle] != -100
    assert 0.5 < known.mean() < 1
    np.testing.assert_allclose(values[middle][known], features[1][middle][known], atol=1e-6)


@pytest.mark.parametrize("stride, wanted", [(4, 100 * 90), (1, 85 * 75)])
def test_answers_on_every_pixel_need_nothing_between_them(compared, nano, land, tmp_path, stride, wanted):
    whole = land(tmp_path / "whole.tif", 100, 90)
    table, _ = table_and_image(compared, nano, whole, stride=stride, dims=(0,))
    assert table.num_rows >= wanted


def test_the_plan_counts_the_rows_and_all_their_numbers(nano, image):
    pair = Pair((Frame(image),), "one")
    coarse, fine = (
        plan_pair(pair, nano(), ChangeSettings(table="geoparquet", table_pixels=pixels), timed=False).disk
        for pixels in (False, True)
    )
    assert fine == 100 * 90 * 32 * 4
    assert coarse == 7 * 6 * 32 * 4
