"""The demo as a stranger types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
from PIL import Image

from arpent.cli import console
from arpent.cli.exits import exit_code
from arpent.demo import FAST
from arpent.demo.course import STEPS
from arpent.errors import PartialFailure
from arpent.testing.simulation import RadarSimulation, Simulation, simulate


def test_a_folder_that_no_demo_made_is_left_alone(arpent, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "aunt.txt").write_text("dear aunt")
    said = arpent("demo", "-o", tmp_path / "letters")
    assert said.code == 7
    assert "no demo made it" in said.err.splitlines()[-1]
    assert [one.name for one in (tmp_path / "letters").iterdir()] == ["aunt.txt"]


def test_what_cannot_be_done_of_ones_own_images_is_told_and_ends_the_command(arpent, tmp_path):
    for name in ("classify", "forecast"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for one in simulate(tmp_path / "radar", RadarSimulation(size=32, scenes=1, dates=2)):
        shutil.copyfile(one.image, tmp_path / "own" / "forecast" / f"S1_{one.date:%Y%m%d}_VVVH.tif")
    Image.new("RGB", (64, 64), (90, 120, 60)).save(tmp_path / "own" / "classify" / "field.jpg")
    said = arpent("demo", "--data", tmp_path / "own", "-o", tmp_path / "demo")
    assert said.code == exit_code(PartialFailure)
    assert "forecast: cannot be done: forecast has too few dates" in said.err
    assert "1 of 2 folders could not be done; first: forecast" in said.err.splitlines()[-1]
    assert (tmp_path / "demo" / "classify" / "labels.csv").is_file()


def test_an_image_that_is_left_out_is_named_and_ends_the_command(arpent, tmp_path):
    for name in ("classify", "describe"):
        (tmp_path / "own" / name).mkdir(parents=True)
    good = simulate(tmp_path / "made", Simulation(sensor=("sentinel-2-l2a",), size=32))[0].image
    shutil.copyfile(good, tmp_path / "own" / "describe" / good.name)
    (tmp_path / "own" / "describe" / "torn.tif").write_bytes(b"no image at all")
    Image.new("RGB", (64, 64), (90, 120, 60)).save(tmp_path / "own" / "classify" / "field.jpg")
    (tmp_path / "own" / "classify" / "torn.jpg").write_bytes(b"no picture at all")
    asked = ("demo", "--data", tmp_path / "own", "-o", tmp_path / "demo")
    said = arpent(*asked)
    assert said.code == exit_code(PartialFailure)
    assert said.err.count(": left out: ") == 2
    assert "2 single images could not be done; first: describe: " in said.err.splitlines()[-1]
    again = arpent(*asked, "--json")
    named = [name for one in again.document["result"]["capabilities"].values() for name in one["failed"]]
    assert [Path(name).name for name in named] == ["torn.tif", "torn.jpg"]


KILLED = """
import os, pathlib
from arpent.demo import Stage
stage = Stage(pathlib.Path("demo"))
stage.open()
stage.images("ortho").mkdir(parents=True)
run = stage.place("landcover").begin("landcover", "commune", {})
(run.scratch / "classes.tif").write_bytes(b"half of a map")
os._exit(9)
"""


@pytest.fixture
def documents(monkeypatch):
    """What commands show, as machines read it, beside what people read of the same work."""
    shown, show = [], console.show

    def both(document, *parts):
        shown.append(json.loads(json.dumps(console.plain(document))))
        show(document, *parts)

    monkeypatch.setattr("arpent.cli.demo.show", both)
    return shown


@pytest.mark.slow
def test_the_fast_demo_beats_what_anybody_could_have_had(arpent, documents, tmp_path):
    """And every capability has a row, in French, though the first attempt was killed."""
    folder = tmp_path / "demo"
    assert subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path).returncode == 9
    assert not (folder / "landcover" / "manifest.json").exists()
    said = arpent("demo", "--fast", "-o", folder, "--language", "fr")
    assert said.code == 0, said.err
    for words in ("occupation du sol", "changement", "parcelles", "mIoU", "F1", "arpent map serve"):
        assert words in said.out
    assert {"landcover", "change", "describe"} <= {path.parent.name for path in folder.glob("*/manifest.json")}
    with rasterio.open(folder / "landcover" / "classes.tif") as made:
        assert made.shape == (FAST.mapped, FAST.mapped)
    (document,) = documents
    assert list(document["capabilities"]) == ["landcover", *STEPS]
    for name, one in document["capabilities"].items():
        assert Path(one["product"]).exists(), name
        assert 0 < one["quality"]["beside_value"] < one["quality"]["value"] <= 1, name
        assert all((Path(run) / "manifest.json").is_file() for run in one["runs"]), name
    assert document["peak_memory_bytes"] > 10**8
    assert document["bytes_on_disk"] > 10**7
