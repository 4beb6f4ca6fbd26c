"""The page on clusters: its Python, as it is written there, on a cluster of this machine alone."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import rasterio.shutil

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.testing.toys import toy_bundle

THERE = '"10.0.0.1:6379", workers=8'


def block_of(root, name):
    (block,) = re.findall(
        r"^```python\n(.*?)^```$", (root / "docs" / "howto" / name).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return block


@pytest.mark.slow  # Ray is started
def test_the_python_of_the_page_runs_as_it_stands(root, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")
    block = block_of(root, "cluster.md")
    assert THERE in block
    toy_bundle(tmp_path / "model.safetensors")
    spec = RasterSpec(
        Grid.north_up(650_000, 6_860_000, 0.2, 150, 150, 2154), ("red", "green", "blue", "nir"), "uint8", nodata=0
    )
    with CogWriter(tmp_path / "scene.tif", spec) as writer:
        writer.write(Strip(0, np.random.default_rng(1).integers(1, 255, (4, 150, 150)).astype("uint8")))
    rasterio.shutil.copy(tmp_path / "scene.tif", tmp_path / "country.vrt", driver="VRT")
    script = tmp_path / "typed.py"
    script.write_text(block.replace(THERE, "workers=1"), "utf-8")  # no cluster answers there: one of this machine
    here = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, env=here, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Run of landcover" in done.stdout
    assert (tmp_path / "runs" / "country" / "classes.tif").is_file()


def test_both_languages_run_the_same(root):
    assert block_of(root, "cluster.md") == block_of(root, "cluster.fr.md")
