"""``arpent describe embed`` as people use it: what it says, its exit codes, and going on with an unfinished run."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from arpent.core import Grid, sensor
from arpent.tasks.describe.embedding_table import read_embeddings, visual_of

BANDS = sensor("sentinel-2-l2a").band_names
GRID = Grid.north_up(500_000, 4_690_000, 10, 100, 140, "EPSG:32631")
TINY = ("--encoder", "croma-tiny", "--random-init", "--device", "cpu")


def scene(path, seed=0):
    pixels = np.random.default_rng(seed).integers(200, 4000, (12, *GRID.shape)).astype(np.uint16)
    profile = {"driver": "GTiff", "count": 12, "dtype": "uint16", "photometric": "MINISBLACK"}
    profile |= {"height": 100, "width": 140, "crs": "EPSG:32631", "transform": GRID.transform}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
        file.descriptions = BANDS
    return path


def test_squares_of_two_dates(arpent, tmp_path):
    images = [scene(tmp_path / f"field_2022060{day}.tif", day) for day in (1, 2)]
    said = arpent("describe", "embed", *images, *TINY, "--chip", 50, "--cells", 8, "-o", tmp_path / "run", "--json")
    assert said.code == 0, said.err
    assert "the weights of croma-tiny are random (--random-init)" in said.document["warnings"][0]
    assert (said.document["rows"], said.document["images"], said.document["width"]) == (12, 2, 256)
    assert said.document["encoder"]["random"] and said.document["encoder"]["identity"].startswith("random:croma-tiny")
    assert visual_of(read_embeddings(tmp_path / "run")).shape == (12, 64, 256)
    plain = arpent("describe", "embed", images[0], *TINY, "-o", tmp_path / "whole", "--language", "fr")
    assert "les poids de croma-tiny sont aléatoires (--random-init)" in plain.err
    assert "1 plongement de dimension 256, de 1 image, par croma-tiny, avec 25 jetons visuels" in plain.out
    again = arpent("describe", "embed", images[0], *TINY, "-o", tmp_path / "whole")
    assert again.code == 7 and "--force" in again.err


def test_one_faulty_image_of_two_is_told_at_the_end(arpent, tmp_path):
    good = scene(tmp_path / "a_20220601.tif")
    (tmp_path / "b_20220602.tif").write_bytes(good.read_bytes()[:500])
    said = arpent("describe", "embed", good, tmp_path / "b_20220602.tif", *TINY, "-o", tmp_path / "run")
    assert said.code == 9 and "1 of 2 images could not be encoded" in said.err and "--force" in said.err
    assert len(read_embeddings(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--encoder", "croma-large"), 4, "arpent models fetch croma-large"),
        (("--encoder", "croma-tiny"), 4, "Add --random-init"),
        (("--encoder", "croma-hughe"), 2, "Did you mean"),
        ((*TINY, "--tile", "4"), 2, "tile"),
        ((*TINY, "--parcels", "nowhere.gpkg"), 3, "nowhere.gpkg"),
    ],
)
def test_faults_are_one_line_with_the_cure(arpent, tmp_path, monkeypatch, words, code, told):
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path))
    said = arpent("describe", "embed", scene(tmp_path / "a_20220601.tif"), *words, "-o", tmp_path / "run")
    assert told in said.err and said.err.count("arpent: error:") == 1
    assert said.code == code
    assert not (tmp_path / "run").exists()
