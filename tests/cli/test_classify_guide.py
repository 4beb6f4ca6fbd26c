"""The commands of the guide, one after another from a fresh folder, as they are written there, on small pictures."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arpent.cli.app import main
from arpent.models.published import published_names
from arpent.store import open_run, verify

GUIDE = "classify.md"
WEIGHTS = "mobilenet_v2_1.0_224_imagenet_float32_torchvision_layout.pt"
GROUNDS = {"water": (30, 60, 140), "meadow": (60, 150, 50), "sand": (220, 200, 150)}


@pytest.fixture(scope="module")
def written(guide):
    """The commands of all blocks under "Try it", in their order."""
    section = guide.partition("## Try it")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line.removeprefix("$ arpent ")) for block in blocks for line in block.splitlines()]


def typed(words):
    """With stars as a shell reads them, the weights that were fetched as a file, and small simulated images."""
    names = [name for word in words for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    names = ["weights/mobilenet_v2.pt" if name == "mobilenet-v2" else name for name in names]
    return [*names, "--size", "64", "--scenes", "2"] if words[0] == "simulate" else names


@pytest.fixture(scope="module")
def done(written, data_folder, tmp_path_factory):
    """The folder in which they have been typed."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "pictures").mkdir()
    (folder / "weights").mkdir()
    (folder / "weights" / "mobilenet_v2.pt").symlink_to(data_folder / "weights" / WEIGHTS)
    rng = np.random.default_rng(5)
    captions, labels = ["image,caption"], ["name,labels"]
    for number in range(18):
        bearing = [name for place, name in enumerate(GROUNDS) if (number + 1) % 7 & (1 << place)]
        pixels = np.zeros((48, 60, 3)) + rng.normal(0, 12, (48, 60, 1))
        for place, name in enumerate(bearing):
            width = 60 // len(bearing)
            pixels[:, place * width : (place + 1) * width] += GROUNDS[name]
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "pictures" / f"p{number:02}.png")
        told = {"water": "a lake", "meadow": "a field", "sand": "a beach"}
        captions.append(f"p{number:02}.png,{' and '.join(told[name] for name in bearing) or 'nothing'} from above")
        labels.append(f"p{number:02},{';'.join(bearing)}")
    (folder / "captions.csv").write_text("\n".join(captions))
    (folder / "labels.csv").write_text("\n".join(labels))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in written:
            if words[:2] != ["models", "fetch"]:  # tests reach no network: models/test_download.py
                assert main(typed(words)) == 0, words
    return folder


def test_the_guide_goes_from_pictures_to_labels(written):
    called = [words[1] for words in written if words[0] == "classify"]
    assert called == ["predict", "prepare", "train", "evaluate", "predict"]


def test_the_weights_that_are_fetched_are_those_that_the_training_takes(written):
    (fetched,) = [words[2] for words in written if words[:2] == ["models", "fetch"]]
    (train,) = [words for words in written if words[:2] == ["classify", "train"]]
    assert train[train.index("--pretrained") + 1] == fetched
    assert fetched in published_names()


@pytest.mark.requires("data")
def test_each_leaves_what_the_guide_says(done):
    for name in ("first", "labeller", "judged", "labels"):
        run = open_run(done / "runs" / name)
        verify(run)
        assert not run.manifest.failures
    assert (done / "runs" / "judged" / "report.html").is_file()
    with (done / "runs" / "labels" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    assert {f"chance_{name}" for name in GROUNDS} <= set(rows[0])
    assert not (done / "runs" / "labels" / "places.parquet").exists()
