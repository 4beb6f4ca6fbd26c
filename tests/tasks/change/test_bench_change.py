"""The benchmark of change runs, and the plain way that it measures against gives the maps of profile planaura."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

SCRIPT = Path(__file__).parents[3] / "bench" / "change.py"


@pytest.fixture
def costs(monkeypatch):
    """The module that measures, as the script sees it."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    from change_ways import costs

    yield costs
    for name in [name for name in sys.modules if name.split(".")[0] == "change_ways"]:
        del sys.modules[name]


def test_the_plain_way_and_profile_planaura_give_the_same_maps(costs, tmp_path):
    shape = {"width": 32, "depth": 2, "heads": 2, "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 2}
    bundle = costs.made_bundle(tmp_path / "model.safetensors", {**shape, "image_size": 64})
    folder = tmp_path / "pair"
    costs.made_pair(folder, 150, 112)
    wanted = {"bundle": bundle, "folder": folder, "runtime": "torch", "precision": "f32"}
    plain, ours = (costs.pair_cost({**wanted, "profile": profile}) for profile in ("plain", "planaura"))
    assert plain["tiles"] == ours["tiles"] == 12
    assert 0 < ours["network"] < 1
    assert min(plain["each"], ours["each"], ours["fixed"]) > 0
    for product in ("cosine_map", "after_date", "quality_fmask"):
        with (
            rasterio.open(folder / "plain" / f"{product}.tif") as one,
            rasterio.open(folder / "planaura-torch-f32" / f"{product}.tif") as other,
        ):
            np.testing.assert_allclose(one.read(1), other.read(1), atol=1e-5)


def test_the_quick_benchmark_says_how_each_part_compares():
    command = [sys.executable, SCRIPT, "--quick", "--sections", "parts", "--json"]
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=own).stdout)
    assert len(found["parts"]) == 3
    assert all(part["ratio"] > 1 for part in found["parts"].values())
