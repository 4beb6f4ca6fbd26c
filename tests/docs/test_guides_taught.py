"""The guides to labels, descriptions and forecasts, line by line in a fresh folder, at sizes where little is learnt.

A line that writes where a line before it has written says `--force`, as a reader does who tries one way after another.
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from affine import Affine
from PIL import Image

from arpent.cli.app import main
from arpent.cli.exits import exit_code
from arpent.core import sensor
from arpent.errors import PartialFailure
from arpent.store import open_run, verify
from arpent.testing.simulation import RadarSimulation, Simulation, simulate

NETWORK = "fetches from the network, which tests may not reach: models/test_download.py"
UNTAUGHT = "--pretrained random --side 32 --epochs 2 --device cpu"
UNTAUGHT_EACH = UNTAUGHT.replace("--", "--training-")
GROUNDS = {"dog": (90, 70, 50), "grass": (60, 150, 50), "boat": (30, 60, 140)}
"""Colours of what captions speak of."""


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which a guide is followed, and no model that anybody has fetched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path / "models"))


def again(lines: Iterable[str]) -> dict[str, str]:
    """What replaces things is said so: the lines that write where a line before them has written."""
    written, repeated = set(), {}
    for line in lines:
        _, option, rest = line.partition(" -o ")
        place = rest.split()[0] if option else ""
        if place in written:
            repeated[line] = "--force"
        written |= {place} - {""}
    return repeated


def whole() -> set[str]:
    """Names of the runs, each of which holds what it says."""
    runs = {path.name for path in Path("runs").iterdir() if not path.name.startswith(".") and path.is_dir()}
    for name in runs:
        verify(open_run(Path("runs", name)))
    return runs


def pictures() -> None:
    """Forty pictures with captions, labels that people gave, a photo, and two collections under their names."""
    Path("pictures").mkdir()
    shown = [[name for place, name in enumerate(GROUNDS) if (number % 7 + 1) & (1 << place)] for number in range(40)]
    listed, table, labels = [], ["image,caption"], ["name,labels"]
    for number, seen in enumerate(shown):
        noise = np.random.default_rng(number).normal(0, 12, (40, 48, 3))
        pixels = np.mean([GROUNDS[name] for name in seen], axis=0) + noise
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(f"pictures/p{number:02}.png")
        # The first caption seldom tells a label, the others two times in three: labels cannot be read in them.
        first = f"a {seen[0]} far out" if number % 4 == 0 else f"somewhere far out in place {number}"
        said = [first, *([f"a {' and a '.join(seen)} from above" if number % 3 else "seen from above"] * 3)]
        listed += [f"p{number:02}.png#{place}\t{caption}" for place, caption in enumerate(said)]
        table.append(f"p{number:02}.png,{said[0]}")
        labels.append(f"p{number:02},{';'.join(seen)}")
    for file, lines in (("captions.txt", listed), ("captions.csv", table), ("labels.csv", labels)):
        Path(file).write_text("\n".join(lines))
    Image.new("RGB", (64, 48), GROUNDS["boat"]).save("photo.jpg")
    collections(shown)


def collections(shown: list[list[str]]) -> None:
    """Flickr8k and UC Merced as they lie in their folders, of the same pictures."""
    sides = [{0: "val", 1: "test"}.get(number % 5, "train") for number in range(len(shown))]
    for collection in ("flickr8k", "ucm"):
        shutil.copytree("pictures", f"{collection}/images")
    shutil.copyfile("captions.txt", "flickr8k/Flickr8k.token.txt")
    for side, file in (("train", "trainImages"), ("val", "devImages"), ("test", "testImages")):
        names = [f"p{number:02}.png" for number, one in enumerate(sides) if one == side]
        Path(f"flickr8k/Flickr_8k.{file}.txt").write_text("\n".join(names))
    rows = [[f"p{number:02}", *(str(int(label in seen)) for label in GROUNDS)] for number, seen in enumerate(shown)]
    table = "\n".join("\t".join(row) for row in [["IMAGE\\LABEL", *GROUNDS], *rows])
    Path("ucm/LandUse_Multilabeled.txt").write_text(table)
    told = [
        {"filename": f"{number}.tif", "split": side, "sentences": [{"raw": f"somewhere in place {number}"}]}
        for number, side in enumerate(sides, start=1)
    ]
    Path("ucm/dataset_ucm.json").write_text(json.dumps({"images": told}))


@pytest.mark.faults
def test_labels_from_the_first_line_to_the_last(typist: Callable[[str], Any]) -> None:
    pictures()
    guide = typist("classify.md")
    guide.left = {"arpent models fetch": NETWORK}
    guide.more = again(guide.page.commands()) | {
        "arpent classify train": UNTAUGHT,
        "arpent classify ablate": f"{UNTAUGHT_EACH} --seeds 1",
    }
    guide.type_all()
    made = {"first", "labeller", "judged", "labels", "image", "text", "both", "ablation", "photo", "why"}
    assert whole() >= made, "beside them that of a caption alone, whose name has the day of today"


SEEN = ("2021-05-02", "2021-06-11", "2021-07-21", "2021-08-30", "2022-06-01")
"""Days of the images that a describer learns from; the page holds the third one and the last out."""
SAFE = "S2A_MSIL2A_20220601T105621_N0400_R051_T31TDG_20220601T150000.SAFE"
SIZES = (
    "small.model.width=32 small.model.layers=1 small.model.heads=4 small.model.hidden=48 small.model.vocabulary=400"
    " small.texts=64 small.sights=640 lora.rank=4 lora.alpha=8 samples=24 fit.epochs=1 fit.device=cpu"
)
"""At which a describer is made in seconds, and learns nothing."""


def season() -> None:
    """Five dates of a place, one of them also as ESA delivers it, and its fields with what grows there."""
    Path("images").mkdir()
    settings = Simulation(sensor=("sentinel-2-l2a",), family="openfield", size=96, dates=SEEN)
    for one in simulate("land", settings):
        with rasterio.open(one.image) as image:
            pixels, names, profile = image.read()[:, :, :48], image.descriptions, image.profile
        profile |= {"driver": "GTiff", "width": 48, "tiled": False}
        profile = {name: profile[name] for name in ("driver", "count", "dtype", "height", "width", "crs", "transform")}
        with rasterio.open(f"images/S2_{one.date}.tif", "w", **profile) as image:
            image.write(pixels)
            image.descriptions = names
    delivered(dict(zip(names, pixels, strict=True)), profile)
    west, north = profile["transform"].c, profile["transform"].f
    fields = [
        shapely.box(
            west + 240 * column + 10, north - 120 * row - 110, west + 240 * column + 230, north - 120 * row - 10
        )
        for row in range(8)
        for column in range(2)
    ]
    crops = np.array(["maize" if number % 2 else "wheat" for number in range(len(fields))], object)
    names = np.array([f"field {number}" for number in range(len(fields))], object)
    for file in ("fields.gpkg", "labelled.gpkg"):
        shapes = np.array([field.wkb for field in fields], object)
        pyogrio.raw.write(
            file, shapes, [names, crops], ["name", "crop"], geometry_type="Polygon", crs=profile["crs"].to_string()
        )


def delivered(bands: dict[str, Any], profile: dict[str, Any]) -> None:
    """A ``.SAFE`` folder of baseline 04.00, whose numbers carry the offset of 1000."""
    for band in sensor("sentinel-2-l2a").bands:
        size = int(band.gsd or 10)
        plane = bands[band.name][:: size // 10, :: size // 10].astype("uint16") + 1000
        place = Path(SAFE, f"GRANULE/L2A_T31TDG/IMG_DATA/R{size}m/T31TDG_20220601T105621_{band.name}_{size}m.jp2")
        place.parent.mkdir(parents=True, exist_ok=True)
        facts = {"driver": "JP2OpenJPEG", "count": 1, "dtype": "uint16", "quality": "100", "reversible": "YES"}
        facts |= {"height": plane.shape[0], "width": plane.shape[1], "crs": profile["crs"]}
        placed = Affine(size, 0, profile["transform"].c, 0, -size, profile["transform"].f)
        with rasterio.open(place, "w", **facts, transform=placed) as image:
            image.write(plane, 1)


@pytest.mark.faults
def test_descriptions_from_the_first_line_to_the_last(typist: Callable[[str], Any]) -> None:
    season()
    guide = typist("describe.md")
    (settings,) = guide.page.blocks("yaml")
    Path("describer.yaml").write_text(settings, "utf-8")

    def untaught(line: str) -> None:
        """A model that has learnt nothing writes what does not hold: the exit code says so, and the run is whole."""
        assert main(guide.words(line)) == exit_code(PartialFailure), line

    guide.left = {"arpent models fetch": NETWORK}
    guide.more = again(guide.page.commands()) | {
        "arpent describe embed images/*.tif --parcels": "--encoder croma-tiny --random-init",
        "arpent describe generate images/*.tif --chip 24 --model runs/describer": "--longest 20",
        "arpent describe train": " ".join(f"--set {one}" for one in SIZES.split()),
    }
    guide.hands = {
        "arpent describe generate images/*.tif --chip 24 --model runs/describer": untaught,
        "arpent describe evaluate": untaught,
    }
    guide.type_all()
    for number, block in enumerate(guide.page.blocks("python")):
        Path(f"typed{number}.py").write_text(block, "utf-8")
        runpy.run_path(f"typed{number}.py")
    (invented,) = re.findall(r"`(arpent simulate [^`]+)`", guide.page.text)
    guide.type(invented)
    guide.type("arpent describe indices images/*/image_*.tif --chip 24 -o runs/invented")
    made = {"indices", "seasons", "embed", "told", "crops", "seen", "describer", "texts", "evaluation", "invented"}
    assert whole() == made
    assert all(Path(file).is_file() for file in ("table.parquet", "captions.jsonl", "alike.geojson"))


def rivers() -> None:
    """Three rivers of one's own on twelve dates, an image of them, and photos of an island without georeference."""
    (image, *_) = simulate("series", RadarSimulation(size=64, scenes=3, dates=12))
    Path("scene.tif").symlink_to(Path(image.image).resolve())
    Path("la_palma").mkdir()
    for day in ("2021-09-10", "2021-09-16", "2021-09-28"):
        photo = np.random.default_rng(0).gamma(4, 20, (960, 1200)).clip(1, 255).astype("uint8")
        Image.fromarray(photo).save(f"la_palma/{day}.jpg")


@pytest.mark.faults
def test_forecasts_from_the_first_line_to_the_last(typist: Callable[[str], Any]) -> None:
    rivers()
    guide = typist("forecast.md")

    def shown(line: str) -> None:
        """The table as the page prints it."""
        (table,) = re.findall(r"^\$ cat coming\.csv\n(.*?)^\$", guide.page.text, re.DOTALL | re.MULTILINE)
        Path(line.removeprefix("cat ")).write_text(table)

    def looked_at(line: str) -> None:
        """TensorBoard says what it would show, instead of serving until somebody stops it."""
        words = [sys.executable, "-m", "tensorboard.main", *line.split()[1:], "--inspect"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "validation/masks" in done.stdout and "train/loss" in done.stdout

    guide.hands = {"cat coming.csv": shown, "tensorboard": looked_at}
    guide.more = again(guide.page.commands()) | {
        "arpent forecast simulate": "--size 64 --scenes 3",
        "arpent forecast prepare": "--patch 48",
        "arpent forecast train-segmentation": "--epochs 1 --batch-size 2 --patches 4",
        "arpent forecast train ": "--epochs 1 --batch-size 2 --hidden 8 --layers 1 --patches 4",
        "arpent forecast evaluate": "--examples 0",
        "arpent forecast predict": "--no-vector",
    }
    guide.type_all()
    made = {"segmentation", "features", "forecast", "evaluation", "next", "judged", "clean", "then", "rain", "foretold"}
    assert whole() == made | {"vv", "lava"}
