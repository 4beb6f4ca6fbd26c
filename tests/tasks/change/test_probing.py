"""Probes of embeddings: right about what is known, honest about what is not, and closed to leaks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely

from arpent.core import Grid, Strip
from arpent.errors import (
    DatasetError,
    EmptySplit,
    FileMissing,
    InputError,
    InvalidSetting,
    NoOverlap,
    SplitLeak,
    UnknownName,
)
from arpent.io import CogWriter, RasterSpec, RowWriter
from arpent.store import Place, open_run, verify
from arpent.tasks.change.embedding_settings import ProbeSettings
from arpent.tasks.change.embedding_sources import open_embeddings
from arpent.tasks.change.probe_labels import LabelFile, read_labels
from arpent.tasks.change.probing import probe_embeddings
from arpent.tasks.change.raw_bands import raw_bands

PATCH, SIDE, DIMS = 4, 40, 5
IMAGE = Grid.north_up(500_000, 4_900_000, 10, PATCH * SIDE, PATCH * SIDE, 32631)
QUICK = ProbeSettings(folds=3, penalties=(1e-3, 1e-1), draws=200)


def truth():
    """Three classes in blobs, as numbers of a mask: 3, 5, 9."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 3, (SIDE // 4, SIDE // 4))
    return np.array([3, 5, 9], np.uint8)[coarse.repeat(4, 0).repeat(4, 1)]


def features(noise=0.3):
    middles = {3: np.eye(DIMS)[0], 5: np.eye(DIMS)[1], 9: np.eye(DIMS)[2]}
    clean = np.stack([[middles[int(number)] for number in row] for row in truth()])
    return (clean + np.random.default_rng(0).normal(0, noise, clean.shape)).astype(np.float32)


def write(path, grid, values, nodata=None):
    names = tuple("abcdefgh"[: len(values)])
    with CogWriter(path, RasterSpec(grid, names, str(values.dtype), nodata=nodata)) as writer:
        writer.write(Strip(0, values))
    return path


@pytest.fixture
def places(embedding_table, tmp_path):
    """Embeddings, a mask at the image's own pixels, and an image whose bands say nothing."""
    mask = truth().repeat(PATCH, 0).repeat(PATCH, 1)
    mask[:8] = 0
    noise = np.random.default_rng(1).integers(1, 3_000, (2, *IMAGE.shape)).astype(np.uint16)
    return (
        embedding_table(tmp_path / "a.parquet", features(), IMAGE, PATCH),
        write(tmp_path / "mask.tif", IMAGE, mask[None]),
        write(tmp_path / "scene.tif", IMAGE, noise, nodata=0),
    )


def points_file(path, rows, cols, words, column="class"):
    t = IMAGE.transform
    x, y = t.c + t.a * PATCH * (np.asarray(cols) + 0.3), t.f + t.e * PATCH * (np.asarray(rows) + 0.6)
    shapes = pa.array(shapely.to_wkb(shapely.points(x, y)), pa.binary())
    with RowWriter(path, crs=IMAGE.crs) as writer:
        writer.write(pa.table({column: words, "geometry": shapes}))
    return path


def test_embeddings_that_know_the_classes_beat_bands_that_do_not(places, tmp_path):
    table, mask, scene = places
    made = probe_embeddings(table, mask, Place(exact=tmp_path / "run"), QUICK, image=str(scene))
    result = made.result
    assert result.names == ("3", "5", "9")
    assert result.cells == SIDE * (SIDE - 2)  # the first rows are not labelled
    assert result.embeddings.accuracy.value > 0.95
    share = np.bincount(truth()[2:].ravel()).max() / result.cells
    assert result.majority.accuracy.value <= share + 1e-9
    assert abs(result.raw.accuracy.value - 1 / 3) < 0.12
    gain = result.embeddings.accuracy.value - result.raw.accuracy.value
    assert result.difference.value == pytest.approx(gain)
    assert result.difference.low < gain < result.difference.high
    for score in (result.embeddings, result.raw, result.majority):
        assert score.accuracy.low <= score.accuracy.value <= score.accuracy.high
    with rasterio.open(made.map) as file:
        seen = file.read(1)
        assert file.transform.a == 10 * PATCH
    assert (np.array([0, 3, 5, 9])[seen] == truth()).mean() > 0.95
    verify(open_run(made.run.path))
    metrics = made.run.manifest.metrics
    assert metrics["embeddings/accuracy"] == result.embeddings.accuracy.value
    assert {"preview", "confusion", "probe"} == {product.name for product in made.run.manifest.products}


def test_noise_is_judged_as_noise(embedding_table, places, tmp_path):
    blank = np.random.default_rng(9).normal(size=(SIDE, SIDE, DIMS)).astype(np.float32)
    table = embedding_table(tmp_path / "noise.parquet", blank, IMAGE, PATCH)
    made = probe_embeddings(table, places[1], Place(exact=tmp_path / "run"), QUICK)
    assert abs(made.result.embeddings.accuracy.value - made.result.majority.accuracy.value) < 0.12
    assert made.result.raw is None
    assert made.result.difference is None


def test_ground_that_repeats_itself_nearby_does_not_help(embedding_table, tmp_path):
    """Embeddings that only know where they are look good on neighbours, and are found out on blocks."""
    rows, cols = np.indices((SIDE, SIDE)) / SIDE
    waves = [np.sin(2 * np.pi * (rows * a + cols * b)) for a in range(6) for b in range(6)]
    table = embedding_table(tmp_path / "where.parquet", np.stack(waves, axis=-1).astype(np.float32), IMAGE, PATCH)
    mask = write(tmp_path / "mask.tif", IMAGE.coarsened(PATCH), truth()[None])
    made = probe_embeddings(table, mask, Place(exact=tmp_path / "run"), QUICK)
    assert made.result.embeddings.accuracy.value < 0.5


def test_points_give_the_same_as_a_mask_where_they_lie(places, tmp_path):
    table, mask, _ = places
    rows, cols = np.random.default_rng(3).integers(2, SIDE, (2, 300))
    points = points_file(tmp_path / "p.gpkg", rows, cols, [str(n) for n in truth()[rows, cols]])
    grid = open_embeddings(table)[0].grid
    by_points, by_mask = read_labels(LabelFile(points), grid), read_labels(LabelFile(mask), grid)
    known = dict(zip(zip(by_mask.rows, by_mask.cols, strict=True), by_mask.classes, strict=True))
    assert set(zip(by_points.rows, by_points.cols, strict=True)) == set(zip(rows, cols, strict=True))
    found = zip(by_points.rows, by_points.cols, by_points.classes, strict=True)
    assert all(known[row, col] == number for row, col, number in found)
    made = probe_embeddings(table, points, Place(exact=tmp_path / "run"), QUICK)
    assert made.result.embeddings.accuracy.value > 0.9


def test_points_that_disagree_in_a_cell_say_nothing(places, tmp_path):
    points = points_file(tmp_path / "p.gpkg", [5, 5, 6, 6], [5, 5, 6, 7], ["a", "b", "a", "b"])
    found = read_labels(LabelFile(points), open_embeddings(places[0])[0].grid)
    assert list(zip(found.rows, found.cols, strict=True)) == [(6, 6), (6, 7)]


@pytest.mark.parametrize(("pure", "cells"), [(0.5, 2), (0.9, 1)])
def test_a_cell_of_two_classes_counts_by_its_share(places, tmp_path, pure, cells):
    mask = np.zeros(IMAGE.shape, np.uint8)
    mask[:PATCH, :PATCH] = 7
    mask[:3, PATCH : 2 * PATCH] = 4  # three quarters of a cell
    mask[3, PATCH : 2 * PATCH] = 7
    mask[PATCH : 2 * PATCH, :PATCH] = 4 if pure > 0.5 else 0
    path = write(tmp_path / "m.tif", IMAGE, mask[None])
    found = read_labels(LabelFile(path, pure=pure), open_embeddings(places[0])[0].grid)
    assert len(found.rows) == 2
    assert ((found.rows == 0) & (found.cols == 1)).sum() == cells - 1


def test_leaks_are_refused(places, tmp_path):
    table = places[0]
    rows, cols = (part.ravel() for part in np.mgrid[0:SIDE:2, 0:SIDE:2])
    words = truth()[rows, cols].astype(str)
    west = cols < SIDE // 2
    learn = points_file(tmp_path / "learn.gpkg", rows[west], cols[west], words[west])
    near = points_file(tmp_path / "near.gpkg", rows[~west], cols[~west] - 1, words[~west])
    for held_out in (learn, near):
        with pytest.raises(SplitLeak, match="learnt from"):
            probe_embeddings(table, learn, Place(exact=tmp_path / "run", force=True), QUICK, held_out=held_out)
    far = cols >= SIDE // 2 + 2
    judged = points_file(tmp_path / "far.gpkg", rows[far], cols[far], words[far])
    place = Place(exact=tmp_path / "run", force=True)
    made = probe_embeddings(table, learn, place, QUICK, held_out=judged)
    assert made.result.cells == far.sum()
    assert made.result.embeddings.accuracy.value > 0.9


def test_raw_bands_are_means_and_deviations_over_the_patch(places, embedding_table, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 9_000, (2, *IMAGE.shape)).astype(np.int16)
    pixels[:, 8:12, 4:6] = -9999
    pixels[:, 12:16, 4:8] = -9999
    scene = write(tmp_path / "b.tif", IMAGE, pixels, nodata=-9999)
    source = open_embeddings(places[0])[0]
    rows, cols = np.array([2, 0, 3, 39]), np.array([1, 0, 1, 39])
    found = raw_bands(str(scene), source, rows, cols)
    for values, row, col in zip(found, rows, cols, strict=True):
        patch = pixels[:, row * 4 : row * 4 + 4, col * 4 : col * 4 + 4].reshape(2, -1).astype(float)
        known = patch[:, patch[0] != -9999]
        if known.size:
            np.testing.assert_allclose(values, [*known.mean(axis=1), *known.std(axis=1)], rtol=1e-5)
        else:
            assert np.isnan(values).all()


def test_an_image_of_embeddings_is_probed_as_its_table_is(places, tmp_path):
    table, mask, scene = places
    names = tuple(f"embedding {number}" for number in range(DIMS))
    path = tmp_path / "features.tif"
    with CogWriter(path, RasterSpec(IMAGE.coarsened(PATCH), names, "float32", nodata=-100)) as writer:
        writer.write(Strip(0, features().transpose(2, 0, 1).copy()))
    rows, cols = np.array([0, 7, 39]), np.array([3, 39, 0])
    by_image, by_table = (raw_bands(str(scene), open_embeddings(one)[0], rows, cols) for one in (path, table))
    np.testing.assert_allclose(by_image, by_table, rtol=1e-6)
    made = probe_embeddings(path, mask, Place(exact=tmp_path / "run"), QUICK)
    assert made.result.embeddings.accuracy.value > 0.95


def test_what_cannot_be_probed_is_said(places, tmp_path):
    table, mask, _ = places
    place = Place(exact=tmp_path / "run", force=True)

    def probe(labels, settings=QUICK):
        return probe_embeddings(table, labels, place, settings)

    with pytest.raises(FileMissing):
        probe(tmp_path / "nothing.gpkg")
    one = points_file(tmp_path / "one.gpkg", [1, 9], [1, 9], ["a", "a"])
    with pytest.raises(DatasetError, match="too few classes"):
        probe(one)
    with pytest.raises(UnknownName, match="class"):
        probe(one, QUICK.model_copy(update={"column": "klasse"}))
    away = points_file(tmp_path / "away.gpkg", [900, 901], [900, 901], ["a", "b"])
    with pytest.raises(NoOverlap):
        probe(away)
    few = points_file(tmp_path / "few.gpkg", [1, 9], [1, 9], ["a", "b"])
    with pytest.raises(EmptySplit):
        probe(few)
    with pytest.raises(InputError, match="whole numbers"):
        probe(write(tmp_path / "f.tif", IMAGE, np.ones((1, *IMAGE.shape), np.float32)))
    with pytest.raises(InvalidSetting, match="--date"):
        probe(mask, QUICK.model_copy(update={"date": 1}))
    assert not (tmp_path / "run" / "manifest.json").exists()
