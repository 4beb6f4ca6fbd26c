"""The demo as a stranger types it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import rasterio
from PIL import Image

from arpent.cli.exits import exit_code
from arpent.demo import FAST
from arpent.demo.course import STEPS
from arpent.errors import PartialFailure
from arpent.testing.simulation import RadarSimulation, Simulation, simulate

TINY = replace(
    FAST, ortho=320, block=20.0, patches=16, epochs=1, labelled=192, tuned=16, tuning=1, mapped=192, pair=96,
    river=96, fields=96, parcels=8, scenes=8,
)  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr("arpent.demo.FAST", TINY, raising=False)


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


@pytest.mark.slow
def test_every_capability_has_a_row_though_the_first_attempt_was_killed(arpent, tiny, tmp_path):
    folder = tmp_path / "demo"
    assert subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path).returncode == 9
    assert not (folder / "landcover" / "manifest.json").exists()
    said = arpent("demo", "--fast", "-o", folder, "--language", "fr")
    assert said.code == 0, said.err
    for words in ("occupation du sol", "changement", "parcelles", "mIoU", "F1", "arpent map serve"):
        assert words in said.out
    assert {"landcover", "change", "describe"} <= {path.parent.name for path in folder.glob("*/manifest.json")}
    with rasterio.open(folder / "landcover" / "classes.tif") as made:
        assert made.shape == (192, 192)


@pytest.mark.slow
def test_the_fast_demo_beats_what_anybody_could_have_had(arpent, tmp_path):
    said = arpent("demo", "--fast", "-o", tmp_path / "demo", "--json")
    assert said.code == 0, said.err
    document = said.document
    assert list(document["capabilities"]) == ["landcover", *STEPS]
    for name, one in document["capabilities"].items():
        assert Path(one["product"]).exists(), name
        assert 0 < one["quality"]["beside_value"] < one["quality"]["value"] <= 1, name
        assert all((Path(run) / "manifest.json").is_file() for run in one["runs"]), name
    assert document["peak_memory_bytes"] > 10**8
