"""Land-cover maps of large images: memory, and what GDAL sees of the file."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rio_cogeo.cogeo import cog_validate

from arpent.core import Contract, Grid, Normalisation, Strip, nomenclature, sensor
from arpent.io import CogWriter, RasterSpec
from arpent.models import build, save_bundle

SCRIPT = """
import json, sys
from pathlib import Path
from arpent.store import Place
from arpent.tasks.landcover import MapSettings, map_image
from arpent.testing.memory import peak_memory
image, model, run = sys.argv[1:]
settings = MapSettings(runtime="torch", device="cpu", vector=True, min_area=10.0, read_threads=1)
made = map_image(image, Path(model), Place(exact=Path(run)), settings)
print(json.dumps({"peak": peak_memory(), "tiles": made.prediction.tiles, "map": str(made.path)}))
"""
WIDTH = 1_500


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Nineteen classes from a network of few weights."""
    settings = {"widths": [2, 4], "channels": 4, "classes": 19}
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=settings,
        bands=sensor("bd-ortho").bands,
        normalisation=Normalisation(origin="test", mean=(128.0,) * 4, std=(60.0,) * 4),
        classes=nomenclature("flair-19"),
        arpent="0.1.0",
    )
    return save_bundle(tmp_path_factory.mktemp("slim") / "slim.safetensors", build("unet", settings), contract)


def mapped(folder, model, height):
    grid = Grid.north_up(650_000, 6_860_000, 0.2, height, WIDTH, 2154)
    image = folder / f"high{height}.tif"
    with CogWriter(image, RasterSpec(grid, ("red", "green", "blue", "nir"), "uint8", compression="zstd")) as writer:
        for strip in grid.window.strips(512):
            writer.write(Strip(strip.row, np.full((4, strip.height, WIDTH), 10 + strip.row % 200, np.uint8)))
    command = [sys.executable, "-c", SCRIPT, str(image), str(model), str(folder / f"run{height}")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def two(tmp_path_factory, model):
    """Maps of an image, and of one four times as high."""
    folder = tmp_path_factory.mktemp("large")
    return mapped(folder, model, 800), mapped(folder, model, 3_200)


def test_memory_does_not_grow_with_the_height_of_the_image(two):
    """The map alone would take 19 classes × 3.6 Mpx × 4 bytes = 270 MB more."""
    low, high = two
    assert high["tiles"] >= 3 * low["tiles"]
    assert high["peak"] - low["peak"] < 80 * 2**20


def test_gdal_sees_a_valid_cog_with_palette_and_names(two, tmp_path):
    path = two[1]["map"]
    valid, errors, _ = cog_validate(path, strict=True)
    assert valid, errors
    classes = nomenclature("flair-19")
    with rasterio.open(path) as product:
        assert len(product.overviews(1)) >= 2
        colours = product.colormap(1)
        for entry in classes.classes:
            assert colours[entry.id][:3] == tuple(bytes.fromhex(entry.colour[1:]))
    rasterio.shutil.copy(path, tmp_path / "seen.vrt", driver="VRT")
    names = [one.text for one in ET.parse(tmp_path / "seen.vrt").iter("Category")]
    assert [names[entry.id] for entry in classes.classes] == list(classes.labels("en"))
