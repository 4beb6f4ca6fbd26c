"""``arpent classify train`` as a stranger meets it."""

import json

import numpy as np
import pytest
from PIL import Image

QUICK = ("--pretrained", "random", "--side", "32", "--epochs", "1", "--device", "cpu", "--workers", "1")


@pytest.fixture
def dataset(arpent, tmp_path):
    """Twenty pictures, each with a caption and labels, prepared."""
    folder = tmp_path / "farm"
    folder.mkdir()
    captions, labels = ["image,caption"], ["name,labels"]
    for number in range(20):
        patches = np.random.default_rng(number).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((30, 40), Image.Resampling.BICUBIC).save(folder / f"p{number:02}.jpg")
        captions.append(f"p{number:02}.jpg,somewhere far out in field {number}")
        labels.append(f"p{number:02}.jpg,{'dog;grass' if number % 2 else 'sea'}")
    (tmp_path / "captions.csv").write_text("\n".join(captions))
    (tmp_path / "labels.csv").write_text("\n".join(labels))
    files = ("--captions", tmp_path / "captions.csv", "--labels", tmp_path / "labels.csv")
    assert arpent("classify", "prepare", folder, *files, "-o", tmp_path / "set").code == 0
    return tmp_path / "set"


def test_a_fusion_is_trained_from_two_branches(arpent, dataset, tmp_path):
    for branch in ("image", "text"):
        said = arpent("classify", "train", dataset, "--branch", branch, *QUICK, "-o", tmp_path / branch)
        assert said.code == 0, said.err
        assert "validation/map" in said.out
    start = ("--from", tmp_path / "image", "--from", tmp_path / "text")
    said = arpent("classify", "train", dataset, *start, "--fusion", "gated", *QUICK, "-o", tmp_path / "both", "--json")
    assert said.code == 0, said.err
    assert said.document["model"] == str(tmp_path / "both" / "model.safetensors")
    assert (dataset / "features").is_dir()  # made once, kept for the next training
    settings = json.loads((tmp_path / "both" / "manifest.json").read_text())["settings"]
    assert (settings["branch"], settings["fusion"]) == ("fusion", "gated")


def test_what_does_not_fit_is_said_in_one_line(arpent, dataset, tmp_path):
    place = ("-o", tmp_path / "run")
    said = arpent("classify", "train", dataset, "--fusion", "early", *place)
    assert said.code == 2
    assert "concat" in said.err
    said = arpent("classify", "train", tmp_path / "nowhere", *QUICK, *place)
    assert said.code == 3
    assert "nowhere" in said.err
    said = arpent("classify", "train", dataset, *QUICK, "--image-encoder", "resnet18", "--padding", "same", *place)
    assert said.code == 2
    assert "knows no padding but its own" in said.err
    assert not (tmp_path / "run").exists()
