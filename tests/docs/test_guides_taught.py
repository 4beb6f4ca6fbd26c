"""The guides to labels and forecasts, line by line in a fresh folder, at sizes where little is learnt.

A line that writes where a line before it has written says `--force`, as a reader does who tries one way after another.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from arpent.store import open_run, verify
from arpent.testing.simulation import RadarSimulation, simulate

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
