"""The commands of the guide, one after another from a fresh folder, as they are written there, on small pictures."""

import csv

import numpy as np
import pytest
from PIL import Image

from arpent.cli.app import main
from arpent.store import open_run, verify

GUIDE = "classify.md"
WEIGHTS = "mobilenet_v2_1.0_224_imagenet_float32_torchvision_layout.pt"
GROUNDS = {"water": (30, 60, 140), "meadow": (60, 150, 50), "sand": (220, 200, 150)}


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
            assert main(words) == 0, words
    return folder


def test_the_guide_goes_from_pictures_to_labels(written):
    assert [words[1] for words in written] == ["prepare", "train", "evaluate", "predict"]


@pytest.mark.requires("data")
def test_each_leaves_what_the_guide_says(done):
    for name in ("labeller", "judged", "labels"):
        run = open_run(done / "runs" / name)
        verify(run)
        assert not run.manifest.failures
    assert (done / "runs" / "judged" / "report.html").is_file()
    with (done / "runs" / "labels" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    assert {f"chance_{name}" for name in GROUNDS} <= set(rows[0])
    assert not (done / "runs" / "labels" / "places.parquet").exists()
