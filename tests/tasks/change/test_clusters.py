"""Clusters of embeddings: from tables and images, of several dates, to maps that mean the same everywhere."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio

from arpent.core import Grid, Strip
from arpent.errors import BandMismatch, FileMissing, InputError, RunExists, UnreadableFile
from arpent.io import CogWriter, RasterSpec, RowWriter
from arpent.store import Place, open_run, verify
from arpent.tasks.change.cell_maps import class_map
from arpent.tasks.change.clusters import cluster_embeddings
from arpent.tasks.change.embedding_settings import ClusterSettings
from arpent.tasks.change.embedding_sources import open_embeddings
from arpent.tasks.change.embedding_tables import EmbeddingRows, PatchLayout

PATCH, SIDE, DIMS = 8, 20, 6
IMAGE = Grid.north_up(500_000, 4_900_000, 10, PATCH * SIDE, PATCH * SIDE, 32631)


def field(shift=0, seed=0):
    """Groups in squares of five cells, and their embeddings ``(SIDE, SIDE, DIMS)``."""
    truth = (np.arange(SIDE)[:, None] // 5 + np.arange(SIDE)[None] // 5 + shift) % 4
    middles = np.eye(4, DIMS, dtype=np.float32) + 0.2
    noise = np.random.default_rng(seed).normal(0, 0.08, (SIDE, SIDE, DIMS))
    features = (middles[truth] + noise).astype(np.float32)
    features[0, 0] = -100
    return truth, features


def image_file(path, features):
    names = tuple(f"embedding {number}" for number in range(DIMS))
    spec = RasterSpec(IMAGE.coarsened(PATCH), names, "float32", nodata=-100)
    with CogWriter(path, spec) as writer:
        writer.write(Strip(0, features.transpose(2, 0, 1).copy()))
    return path


@pytest.fixture
def run(embedding_table, tmp_path):
    """A run that keeps two dates, as a comparison of two images would."""
    with Place(exact=tmp_path / "pair").begin("change", "pair", {}) as folder:
        for number in range(2):
            file = embedding_table(
                folder.scratch / f"feature_maps_{number}.parquet", field(number, number)[1], IMAGE, PATCH
            )
            folder.publish(file, kind="table")
        image = image_file(folder.scratch / "feature_maps_0.tif", field()[1])
        folder.publish(image, kind="raster", name="feature_image")
        folder.finish()
    return tmp_path / "pair"


def agreement(labels, truth):
    """Share of cells whose cluster is the one most of their group are in; each group has one of its own."""
    owners = [np.bincount(labels[truth == group]).argmax() for group in range(4)]
    assert len(set(owners)) == 4
    return np.mean(labels == np.array(owners)[truth])


def test_a_table_and_an_image_hold_the_same_embeddings(embedding_table, tmp_path):
    _, features = field()
    table = open_embeddings(embedding_table(tmp_path / "a.parquet", features, IMAGE, PATCH))[0]
    image = open_embeddings(image_file(tmp_path / "a.tif", features))[0]
    assert table.dims == image.dims == tuple(range(DIMS))
    assert table.grid.matches(image.grid)
    for source in (table, image):
        found = np.full(features.shape, -100, np.float32)
        for batch in source.batches():
            found[batch.rows, batch.cols] = batch.values
        np.testing.assert_allclose(found, features, atol=1e-3)


def test_two_dates_are_clustered_together(run, tmp_path):
    made = cluster_embeddings([run], Place(exact=tmp_path / "out"), ClusterSettings(clusters=4, sample=300))
    verify(open_run(made.run.path))
    assert [path.name for path in made.maps] == ["clusters_feature_maps_0.tif", "clusters_feature_maps_1.tif"]
    numbers = []
    for shift, path in enumerate(made.maps):
        with rasterio.open(path) as file:
            labels = file.read(1)
            assert file.crs.to_epsg() == 32631
            assert file.transform.a == 10 * PATCH
            assert file.colormap(1)[1][3] == 255
        assert labels[0, 0] == 0
        assert agreement(labels[1:], field(shift)[0][1:]) > 0.99
        numbers.append(labels)
    # The same group has the same number at both dates.
    same = field(0)[0] == 2
    assert np.bincount(numbers[0][same]).argmax() == np.bincount(numbers[1][field(1)[0] == 2]).argmax()
    metrics = made.run.manifest.metrics
    assert metrics["embeddings"] == 2 * (SIDE**2 - 1)
    assert sum(metrics[f"share/cluster {n}"] for n in range(1, 5)) == pytest.approx(1)
    assert made.curve is not None
    # The groups that are there are told apart best.
    assert made.curve.counts[int(np.argmax(made.curve.silhouette))] == 4
    names = {product.name for product in made.run.manifest.products}
    assert {"preview", "curve", "clusters_feature_maps_0_table"} <= names


def test_the_table_says_what_the_map_shows(embedding_table, tmp_path):
    source = embedding_table(tmp_path / "a.parquet", field()[1], IMAGE, PATCH)
    made = cluster_embeddings([source], Place(exact=tmp_path / "out"), ClusterSettings(clusters=4, curve=False))
    rows = pq.read_table(made.run.path / "clusters.parquet")
    with rasterio.open(made.maps[0]) as file:
        labels = file.read(1)
        places = [file.index(x, y) for x, y in zip(rows["x"].to_pylist(), rows["y"].to_pylist(), strict=True)]
    assert rows.num_rows == SIDE**2 - 1
    assert [labels[place] for place in places] == rows["cluster"].to_pylist()


def test_a_second_run_gives_the_same_bytes(embedding_table, tmp_path):
    source = embedding_table(tmp_path / "a.parquet", field()[1], IMAGE, PATCH)
    settings = ClusterSettings(clusters=3, seed=5, table=False, curve=False)
    first, second = (cluster_embeddings([source], Place(exact=tmp_path / name), settings) for name in "ab")
    assert first.maps[0].read_bytes() == second.maps[0].read_bytes()
    with pytest.raises(RunExists):
        cluster_embeddings([source], Place(exact=tmp_path / "a"), settings)


def test_other_dimensions_are_refused(embedding_table, tmp_path):
    features = field()[1]
    sources = [
        embedding_table(tmp_path / "a.parquet", features, IMAGE, PATCH),
        embedding_table(tmp_path / "b.parquet", features, IMAGE, PATCH, range(1, 7)),
    ]
    with pytest.raises(BandMismatch, match="same model"):
        cluster_embeddings(sources, Place(exact=tmp_path / "out"), ClusterSettings())
    assert not (tmp_path / "out").exists()


def test_what_holds_no_embeddings_is_said(tmp_path):
    with pytest.raises(FileMissing):
        open_embeddings(tmp_path / "nothing")
    text = tmp_path / "a.csv"
    text.write_text("x,y,f0\n")
    with pytest.raises(InputError, match="geoparquet"):
        open_embeddings(text)
    broken = tmp_path / "b.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(UnreadableFile):
        open_embeddings(broken)
    with Place(exact=tmp_path / "run").begin("change", "empty", {}) as folder:
        folder.finish()
    with pytest.raises(InputError, match="change embed"):
        open_embeddings(tmp_path / "run")
    layout = PatchLayout.of(IMAGE, PATCH, PATCH)
    bare = tmp_path / "c.parquet"
    with RowWriter(bare, schema=EmbeddingRows(layout, (0,), reference=True).schema):
        pass
    with pytest.raises(UnreadableFile, match="profile arpent"):
        open_embeddings(bare)


def test_a_damaged_table_is_one_line_and_leaves_no_run(embedding_table, tmp_path):
    path = embedding_table(tmp_path / "a.parquet", field()[1], IMAGE, PATCH)
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="damaged"):
        cluster_embeddings([path], Place(exact=tmp_path / "out"), ClusterSettings(clusters=2))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_colours_of_many_classes_differ():
    classes = class_map("many", tuple(map(str, range(64))))
    assert len({entry.colour for entry in classes.classes}) == 64
