"""Embeddings of parcels: the tables of 'arpent describe embed', clustered and probed like any others."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.cli.app import main
from arpent.errors import GeoreferenceMissing
from arpent.io.vectors import vector_field
from arpent.store import Place, open_run
from arpent.tasks.change.clusters import cluster_embeddings
from arpent.tasks.change.embedding_settings import ClusterSettings, ProbeSettings
from arpent.tasks.change.embedding_sources import open_embeddings
from arpent.tasks.change.parcel_embeddings import ParcelEmbeddings
from arpent.tasks.change.probing import probe_embeddings

SIDE, WIDTH, STEP = 12, 5, 0.002
NORTH = 43.0


def outlines(count: int = SIDE) -> list[shapely.Polygon]:
    """Squares side by side, row by row from the north."""
    return [
        shapely.box(2 + col * STEP, NORTH - (row + 1) * STEP, 2 + (col + 1) * STEP, NORTH - row * STEP)
        for row in range(count)
        for col in range(count)
    ]


def kinds() -> np.ndarray:
    """Of each square one of three kinds, in stripes of three columns."""
    return np.tile(np.arange(SIDE) // 3 % 3, SIDE)


def table(path: Path, *, images: tuple[str, ...] = ("one",), lacking: int | None = None, **changed: object) -> Path:
    """A table as 'arpent describe embed' writes it; of the square `lacking` nothing is seen."""
    rng, rows = np.random.default_rng(0), []
    for number, image in enumerate(images):
        values = np.eye(3, WIDTH, dtype=np.float32)[kinds()] + rng.normal(0, 0.05, (SIDE**2, WIDTH))
        for place, outline in enumerate(outlines()):
            row = {"parcel": f"p{place}", "place": "x", "image": image, "taken": dt.date(2022, 9 - number, 1)}
            row |= {"valid": 1.0, "embedding": None if place == lacking else values[place].astype(np.float32).tolist()}
            rows.append(row | {"geometry": shapely.to_wkb(outline)} | changed)
    kept = dict.fromkeys(("parcel", "place", "image"), pa.string()) | {"taken": pa.date32(), "valid": pa.float64()}
    schema = pa.schema(
        [*kept.items(), vector_field("embedding", pa.float32(), WIDTH), ("geometry", pa.binary())],
        metadata={"arpent:encoder": "random:croma-tiny:seed0:ab", "arpent:encoder-name": "croma-tiny"},
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return path


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A point somewhere in each square, of its kind; two that disagree in the first one."""
    rng, features = np.random.default_rng(1), []
    for outline, kind in [*zip(outlines(), kinds(), strict=True), (outlines()[0], 1)]:
        left, bottom, *_ = outline.bounds
        x, y = np.array([left, bottom]) + rng.uniform(0.1, 0.9, 2) * STEP
        point = {"type": "Point", "coordinates": [x, y]}
        features.append({"type": "Feature", "properties": {"class": f"kind {kind}"}, "geometry": point})
    path = tmp_path_factory.mktemp("labels") / "labels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_every_cell_has_the_embedding_of_the_parcel_that_it_lies_in(tmp_path: Path) -> None:
    (source,) = open_embeddings(table(tmp_path / "embeddings.parquet", lacking=5))
    assert source.dims == tuple(range(WIDTH))
    found = np.full((*source.grid.shape, WIDTH), np.nan)
    for batch in source.batches():
        found[batch.rows, batch.cols] = batch.values
    t, stored = source.grid.transform, pq.read_table(source.path)["embedding"].to_pylist()
    for place, outline in enumerate(outlines()):
        col, row = ~t @ (outline.centroid.x, outline.centroid.y)
        here = found[int(row), int(col)]
        assert np.isnan(here).all() if place == 5 else np.allclose(here, stored[place])
    assert not np.isnan(np.delete(found.reshape(-1, WIDTH), np.flatnonzero(np.isnan(found[..., 0])), 0)).any()


def test_images_are_told_apart_and_come_by_day(tmp_path: Path) -> None:
    sources = open_embeddings(table(tmp_path / "embeddings.parquet", images=("later", "../earlier day")))
    assert [source.name for source in sources] == ["_earlier_day", "later"], "no name leads out of a run"
    assert sources[0].grid.matches(sources[1].grid)
    one, two = (np.concatenate([batch.values for batch in source.batches()]) for source in sources)
    assert one.shape == two.shape
    assert not np.array_equal(one, two)


def test_kinds_of_parcels_are_found_and_mapped(tmp_path: Path) -> None:
    path = table(tmp_path / "embeddings.parquet")
    made = cluster_embeddings([path], Place(exact=tmp_path / "out"), ClusterSettings(clusters=3, sample=500))
    with rasterio.open(made.maps[0]) as image:
        numbers = image.read(1)
        middles = [one.centroid for one in outlines()]
        found = np.array([numbers[image.index(one.x, one.y)] for one in middles])
    for kind in range(3):
        assert len(set(found[kinds() == kind])) == 1
    assert len(set(found)) == 3
    assert (made.run.path / "preview.png").is_file()
    assert any("croma-tiny" in line for line in made.run.manifest.warnings), "random weights are said"


def test_a_probe_takes_each_parcel_once_and_only_what_labels_agree_on(tmp_path: Path, labels: Path) -> None:
    source = table(tmp_path / "embeddings.parquet")
    made = probe_embeddings(source, labels, Place(exact=tmp_path / "probe"), ProbeSettings(draws=100))
    assert made.result.cells == SIDE**2 - 1, "a parcel counts once, and not where its points disagree"
    assert made.result.embeddings.accuracy.value > 0.95 > made.result.majority.accuracy.value
    with rasterio.open(made.map) as image:
        assert set(np.unique(image.read(1))) >= {1, 2, 3}


def test_where_parcels_lie_nowhere_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(GeoreferenceMissing, match="no place on the ground"):
        open_embeddings(table(tmp_path / "embeddings.parquet", geometry=None))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1) for _ in range(2)], *[st.floats(1e-5, 0.3) for _ in range(2)]), min_size=1))
def test_every_parcel_has_a_cell_however_thin_or_hidden(tmp_path_factory, boxes) -> None:
    """Also slivers and parcels that others cover, unless their middles are one place."""
    shapes = np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes], object)
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    vectors = np.arange(len(boxes), dtype=np.float32)[:, None].repeat(2, 1) + 1
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 2)
    pq.write_table(pa.table({"embedding": column, "image": ["i"] * len(boxes)}), path)
    source = ParcelEmbeddings(path, "i", np.arange(len(boxes)), shapes)
    said = np.concatenate([batch.values[:, 0] for batch in source.batches()]).astype(int) - 1
    places = {tuple(one) for one in source._middles}
    assert len(set(said)) >= len(places)
    assert max(source.grid.shape) <= 4097


def test_the_command_line_takes_a_run_of_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Place(exact=tmp_path / "run").begin("describe-embed", "x", {}) as run:
        run.publish(table(run.scratch / "embeddings.parquet"), kind="table", name="embeddings")
        run.finish()
    assert main(["embed", "cluster", str(tmp_path / "run"), "-k", "3", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "cluster 3" in said.out
    assert "random" in said.err
    assert open_run(tmp_path / "out").file("clusters").is_file()
