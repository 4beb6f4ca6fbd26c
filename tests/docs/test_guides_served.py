"""Guides that speak with a server, line by line in a fresh folder: an object store, the map, the tutorial."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import shapely
from PIL import Image

import arpent.demo
from arpent.cli.app import main
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec, open_image, retry
from arpent.store import open_run
from arpent.store.sending import Goal
from arpent.testing.simulation import RadarSimulation, Simulation, simulate
from arpent.testing.toys import toy_bundle

COLOURS = ("red", "green", "blue", "nir")
KEY = "of-this-test-and-of-nothing-else-0123456789-0123456789"

# Tests that run in the background ignore Ctrl-C, and so would what they start.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from arpent.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing in it, where nobody has used Arpent before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "map-data"))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    return tmp_path


def an_image(path: str, side: int = 96) -> None:
    values = np.random.default_rng(0).integers(1, 255, (4, side, side)).astype("uint8")
    grid = Grid.north_up(549_000, 6_701_500, 0.2, side, side, "EPSG:2154")
    with CogWriter(Path(path), RasterSpec(grid, COLOURS, "uint8", nodata=0)) as writer:
        writer.write(Strip(0, values))


def a_map(folder: str) -> None:
    """A run of land cover, as a reader of the guides has some; it goes by the name of its folder."""
    if not Path("model.safetensors").exists():
        toy_bundle(Path("model.safetensors"))
    image = f"{Path(folder).name}.tif"
    an_image(image)
    words = [image, "--model", "model.safetensors", "-o", folder, "--vector", "--device", "cpu", "--quiet"]
    assert main(["landcover", "predict", *words]) == 0


class Served:
    """A map that answers."""

    def __init__(self, port: str, host: str) -> None:
        self.port, self.host = port, host

    def text(self, address: str) -> bytes:
        """What an address of it gives."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{address}", headers={"Host": self.host})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.status == 200
            return bytes(answer.read())

    def json(self, address: str) -> Any:
        """The same, read."""
        return json.loads(self.text(address))

    @property
    def runs(self) -> list[Any]:
        """All that are on the map."""
        return list(self.json("/api/layers")["runs"])


@contextmanager
def served(line: str, host: str = "localhost") -> Iterator[Served]:
    """Types a line that serves the map, at a port that is free; Ctrl-C must end it well."""
    words = shlex.split(line)
    said = dict(word.split("=", 1) for word in words[: words.index("arpent")])
    env = os.environ | {name: KEY if value == "…" else value for name, value in said.items()}
    command = [sys.executable, "-c", PROGRAM, *words[words.index("arpent") + 1 :], "--port", "0", "--no-open"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            told = program.stdout.readline()
            found = re.search(r"http://[\w.]+:(\d+)", told)
            assert found is not None, told
            yield Served(found[1], host)
            program.send_signal(signal.SIGINT)
            assert program.wait(60) == 0, "Ctrl-C ends it"
        finally:
            program.kill()


def test_object_storage_from_the_first_line_to_the_last(
    typist: Callable[[str], Any], s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_bundle(Path("model.safetensors"))
    an_image("scene.tif")
    s3.client.upload_file("scene.tif", "land", "images/scene.tif")
    s3.client.upload_file("model.safetensors", "land", "models/model.safetensors")
    guide = typist("object-storage.md")
    guide.more = {"arpent landcover predict": "--device cpu --runtime torch"}
    send = Goal.send

    def resumed(line: str) -> None:
        """The store does not answer while the run is sent; then the line of the page goes on with it."""
        made = {one.file: one.sha256 for one in open_run("s3://land/runs/map").manifest.products}
        for key in s3.keys("land", "runs/"):
            s3.client.delete_object(Bucket="land", Key=key)

        def without_store(*arguments: Any) -> None:
            with s3.away():
                send(*arguments)

        words = [*shlex.split(line.replace(" --resume", ""))[1:], "--device", "cpu", "--runtime", "torch", "--quiet"]
        with monkeypatch.context() as patched:
            patched.setattr(retry, "PAUSES", (0.01,))
            patched.setattr(Goal, "send", without_store)
            assert main(words) == 8
        assert s3.keys("land", "runs/") == [], "whoever sees the manifest sees a whole run"
        del guide.hands[last]
        guide.type(line)
        assert {one.file: one.sha256 for one in open_run("s3://land/runs/map").manifest.products} == made

    last = next(line for line in guide.page.commands() if line.endswith("--resume"))
    guide.hands = {last: resumed}
    guide.type_all()


def asked_once(line: str, names: set[str], host: str = "localhost") -> None:
    """The map of that line has these runs, each with something to be drawn, and a page to draw it on."""
    with served(line, host) as site:
        assert names <= {run["name"] for run in site.runs}
        assert b"<title>" in site.text("/") and b"openapi" in site.text("/api/docs").lower()
        layer = next(one for run in site.runs for one in run["layers"] if one["source"] == "raster")
        described = site.json(f"/tiles/{layer['id']}/tilejson.json")
        west, south, east, north = described["bounds"]
        box = f"bbox={west},{south},{east},{north}"
        assert site.text(f"/api/layers/{layer['id']}/clip?{box}")[:2] == b"II", "a GeoTIFF with its own values"
        place = f"lat={(south + north) / 2}&lon={(west + east) / 2}&layers={layer['id']}"
        assert site.json(f"/api/point?{place}")
        (shapes, *_) = [one for run in site.runs for one in run["layers"] if one["source"] == "vector"]
        assert "features" in site.json(f"/api/layers/{shapes['id']}/features?{box}")


def managed(line: str, *more: str) -> None:
    """Types a line of ``manage.py``, which lies in the folder of a clone."""
    done = subprocess.run([sys.executable, *shlex.split(line)[1:], *more], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{line}\n{done.stderr}"


def programmers_own(line: str) -> None:
    """Django's own server, at a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *shlex.split(line)[1:], "--noreload", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    assert any("preds" in run["name"] for run in Served(str(port), "localhost").runs)
                    break
                except urllib.error.URLError:
                    assert time.monotonic() < until and program.poll() is None, line
                    time.sleep(0.2)
        finally:
            program.kill()


def predictions() -> None:
    """What other programs foretell, in the forms that the page names."""
    square = shapely.box(549_000, 6_701_480, 549_010, 6_701_490)
    rows = [("2026-07-14", 0, 0.9, "water"), ("2026-07-20", 1, 0.6, "water")]
    with Path("preds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["date", "horizon", "prob", "class", "wkt"])
        table.writerows([*row, square.wkt] for row in rows)
    round_here = {"type": "Polygon", "coordinates": [[[1.4, 44.4], [1.5, 44.4], [1.5, 44.5], [1.4, 44.4]]]}
    names = ("date", "horizon", "prob", "class")
    features = [
        {"type": "Feature", "properties": dict(zip(names, row, strict=True)), "geometry": round_here} for row in rows
    ]
    Path("preds.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.mark.slow
def test_the_map_from_the_first_line_to_the_last(typist: Callable[[str], Any], root: Path) -> None:
    Path("manage.py").symlink_to(root / "manage.py")
    a_map("runs/village")
    a_map("arpent-demo/landcover")
    predictions()

    def registered(line: str) -> None:
        a_map(shlex.split(line)[-1])
        managed(line)

    guide = typist("map.md")
    guide.hands = {
        "arpent map serve": lambda line: asked_once(line, {"village"}),
        "arpent map serve runs arpent-demo": lambda line: asked_once(line, {"village", "landcover"}),
        "python manage.py": managed,
        "python manage.py runserver": programmers_own,
        "python manage.py register": registered,
        "ALLOWED_HOSTS=": lambda line: asked_once(line, {"2026-07-14-landcover-cahors"}, "map.example.org"),
    }
    guide.type_all()


SCALE = {
    "ortho": 320, "block": 20.0, "patches": 16, "epochs": 1, "labelled": 192, "tuned": 16, "tuning": 1, "mapped": 192,
    "pair": 96, "river": 96, "fields": 96, "parcels": 8, "scenes": 8,
}  # fmt: skip
"""Of a demo that shows everything and proves nothing."""


def drawn(block: str) -> set[str]:
    """The files of a tree of folders, as a page draws it."""
    path: list[str] = []
    files = set()
    for line in block.splitlines():
        found = re.search(r"[\w.-]+", line)
        assert found is not None, line
        depth = found.start() // 4
        path[depth:] = [found[0]]
        if "." in found[0]:
            files.add("/".join(path))
    return files


def images_of_ones_own() -> None:
    """What the page draws, with images that simulate those of a reader."""
    for name in ("landcover", "change", "forecast", "describe", "classify"):
        Path("mine", name).mkdir(parents=True)
    an_image("mine/landcover/ortho.tif")
    toy_bundle(Path("mine/landcover/flair.safetensors"))
    seen = Simulation(sensor=("hls-s30",), family="openfield", size=48, dates=("2021-09-10", "2022-09-12"))
    for one in simulate("seen", seen):
        shutil.copyfile(one.image, f"mine/change/HLS_{one.date}.tif")
        shutil.copyfile(one.quality, f"mine/change/fmask_HLS_{one.date}.tif")
    days = ("20230101", "20230107", "20230113")
    for day, one in zip(days, simulate("river", RadarSimulation(size=48, scenes=1, dates=3)), strict=True):
        shutil.copyfile(one.image, f"mine/forecast/S1_{day}_VVVH.tif")
    (scene,) = simulate("fields", Simulation(sensor=("sentinel-2-l2a",), size=48, dates=("2024-06-20",)))
    shutil.copyfile(scene.image, "mine/describe/S2_2024-06-20.tif")
    with open_image(scene.image) as image:
        seen_here, reference = image.grid.bounds, image.grid.crs_name
    field = shapely.box(seen_here.left + 50, seen_here.bottom + 50, seen_here.right - 50, seen_here.top - 50)
    pyogrio.raw.write(
        "mine/describe/fields.gpkg", np.array([field.wkb], object), [], [], geometry_type="Polygon", crs=reference
    )
    Image.new("RGB", (64, 64), (90, 120, 60)).save("mine/classify/harbour.jpg")
    Path("mine/classify/captions.csv").write_text("image,caption\nharbour.jpg,boats at a pier\n")


@pytest.mark.faults
def test_the_tutorial_from_the_first_line_to_the_last(
    typist: Callable[[str], Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two minutes of processor time: the demo twice, small, and once on images of one's own."""
    small = replace(arpent.demo.FAST, **SCALE)
    monkeypatch.setattr("arpent.demo.FAST", small)
    monkeypatch.setattr("arpent.demo.FULL", small)
    guide = typist("tutorial.md")
    tree = next(block for block in guide.page.blocks("text") if "mine" in block)
    images_of_ones_own()
    assert {str(path) for path in Path("mine").rglob("*.*")} == drawn(tree)
    shown = set(re.findall(r"(?<=[ *])\*([a-z][a-z-]+)\*(?=[ :])", guide.page.text.partition("## 3.")[0]))
    assert {"landcover-before", "change-score", "classify"} <= shown, "what the page tells to look at"

    def recipe(line: str) -> None:
        """What make types, as its Makefile says."""
        lines = re.search(r"^demo:.*\n((?:\t.*\n)+)", (root / "Makefile").read_text(), re.MULTILINE)
        assert lines is not None
        for found in re.findall(r"\$\(BIN\)/(arpent .*)", lines[1]):
            guide.type(found)

    def looked_at(line: str) -> None:
        with served(line) as site:
            layers = {run["name"] for run in site.runs}
            assert {"forecast", "describe", "classify"} <= layers
            assert "mine" in line or shown - {"run"} <= layers

    guide.left = {
        "source .venv/bin/activate": "the tests run in the environment that this line enters",
        "arpent models fetch": "fetches from the network, which tests may not reach: models/test_download.py",
        "arpent models import": "published weights, which are not here: models/test_published.py",
    }
    guide.hands = {"make demo": recipe, "arpent map serve": looked_at}
    guide.type_all()
    for file in ("landcover/classes.tif", "landcover/preview.png", "describe/report.html"):
        assert Path("arpent-demo", file).is_file(), file
