"""Models and found images that lie in the cache of one machine, and workers that have another cache."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arpent.core import Grid, Strip, file_sha256
from arpent.engine import on_cluster
from arpent.engine.cluster import Cluster
from arpent.io import CogWriter, RasterSpec
from arpent.io.copies import copies_by_address, local_copy
from arpent.io.search import Wanted, items_as_one_file, search_items
from arpent.store import Place
from arpent.tasks.landcover import MapSettings, map_image
from arpent.testing.toys import toy_bundle

SETTINGS = MapSettings(tile=128, batch_size=2, runtime="torch", device="cpu")
COLOURS = ("red", "green", "blue", "nir")
BANDS = [{"name": name, "eo:common_name": name} for name in COLOURS]
IMAGE = {"href": "./scene.tif", "type": "image/tiff; application=geotiff", "roles": ["data"], "bands": BANDS}
ITEM = {"type": "Feature", "id": "scene", "bbox": [2.2, 48.8, 2.4, 49.0], "assets": {"image": IMAGE}}
ITEM["properties"] = {"datetime": "2026-06-01T10:00:00Z"}


@pytest.fixture
def stored(s3, tmp_path):
    """A model in a store, an image, and a catalog that names the image."""
    toy_bundle(tmp_path / "model.safetensors")
    s3.client.upload_file(str(tmp_path / "model.safetensors"), "land", "models/toy.safetensors")
    values = np.random.default_rng(1).integers(1, 255, (4, 150, 150)).astype("uint8")
    grid = Grid.north_up(650_000, 6_860_000, 0.2, 150, 150, 2154)
    with CogWriter(tmp_path / "scene.tif", RasterSpec(grid, COLOURS, "uint8", nodata=0)) as writer:
        writer.write(Strip(0, values))
    return s3


def told_elsewhere(path, cache):
    """What a process with another cache reads a path as, and the hash of what lies there."""
    with copies_by_address():
        told = pickle.dumps(path)
    read = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()))"
    words, env = [sys.executable, "-c", read], {**os.environ, "ARPENT_CACHE": str(cache)}
    done = subprocess.run(words, input=told, env=env, capture_output=True, check=True)
    return Path(done.stdout.decode().strip())


def test_the_copy_of_a_model_is_told_by_its_address(stored, tmp_path):
    copy = local_copy("s3://land/models/toy.safetensors")
    folder = local_copy("s3://land/models")
    sha256 = file_sha256(copy)
    assert told_elsewhere(copy, tmp_path / "theirs") == copy  # the same machine
    shutil.rmtree(tmp_path / "cache")
    for path in (copy, folder / "toy.safetensors"):
        there = told_elsewhere(path, tmp_path / "theirs")
        assert (tmp_path / "theirs") in there.parents
        assert file_sha256(there) == sha256
    assert told_elsewhere(folder, tmp_path / "theirs").joinpath("toy.safetensors").is_file()
    assert told_elsewhere(tmp_path / "scene.tif", tmp_path / "theirs") == tmp_path / "scene.tif"


@pytest.mark.slow  # Ray starts, and a worker of it
def test_workers_with_another_cache_have_the_model_and_the_images_that_were_found(stored, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")
    (tmp_path / "catalog.json").write_text(json.dumps({"type": "FeatureCollection", "features": [ITEM]}))
    cache, briefed = tmp_path / "cache", Cluster._briefed

    def without_cache(self, opener):
        brief = briefed(self, opener)
        shutil.rmtree(cache)
        return brief

    def mapped(folder):
        model = local_copy("s3://land/models/toy.safetensors")
        image = items_as_one_file(search_items(str(tmp_path / "catalog.json"), Wanted()), "found")
        assert cache in model.parents and cache in image.parents
        map_image(str(image), model, Place(exact=folder), SETTINGS)
        return (folder / "classes.tif").read_bytes()

    plain = mapped(tmp_path / "plain")
    monkeypatch.setattr(Cluster, "_briefed", without_cache)
    theirs = {"env_vars": {"ARPENT_CACHE": str(tmp_path / "theirs")}}
    own = {"address": "local", "_node_ip_address": "127.0.0.1", "include_dashboard": False, "log_to_driver": False}
    ray.init(num_cpus=1, runtime_env=theirs, logging_level="ERROR", **own)
    try:
        with on_cluster(workers=1):
            assert mapped(tmp_path / "shared") == plain
    finally:
        ray.shutdown()
    assert not cache.exists()
    assert [path.name for path in (tmp_path / "theirs").rglob("*.safetensors") if path.is_file()] == ["toy.safetensors"]
