"""Fine-tuning as typed."""

import json

import pytest
import yaml


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A commune seen by two cameras, and a model of the first."""
    from arpent.cli.app import main

    folder = tmp_path_factory.mktemp("tuned")
    for camera in ("bd-ortho", "pleiades-neo"):
        words = ["simulate", "-o", str(folder / camera), "--sensor", camera, "--size", "96", "--scenes", "3", "--quiet"]
        assert main(words) == 0
    fit = {"epochs": 2, "best": "miou", "device": "cpu"}
    common = {"patch": 32, "batch_size": 8, "fit": fit}
    ortho = {"index": str(folder / "bd-ortho" / "index.csv"), "task": {"network": {"widths": [4, 8]}}}
    neo = {"index": str(folder / "pleiades-neo" / "index.csv"), "start": str(folder / "run"), "language": "fr"}
    bands = {"task": {"bands": ["red", "green", "blue", "nir", "deep_blue", "red_edge"]}}
    (folder / "train.yaml").write_text(yaml.safe_dump({**common, **ortho}))
    (folder / "tune.yaml").write_text(yaml.safe_dump({**common, **neo, **bands}))
    assert main(["landcover", "train", str(folder / "train.yaml"), "-o", str(folder / "run"), "--quiet"]) == 0
    return folder


def test_finetune_says_what_it_trained_and_both_best_epochs(arpent, folder, tmp_path):
    words = ("--strategy", "ft-freeze-encoder", "--normalise", "norma-target", "--stem", "spectral")
    said = arpent("landcover", "finetune", folder / "tune.yaml", *words, "-o", tmp_path / "run")
    assert said.code == 0, said.err
    for phrase in ("paramètres entraînés sur", "meilleure perte", "meilleur mIoU", "gardée", "model.safetensors"):
        assert phrase in said.out
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["settings"]["strategy"] == "ft-freeze-encoder"
    assert 0 < manifest["metrics"]["parameters/trained"] < manifest["metrics"]["parameters/total"]
    start = next(entry for entry in manifest["inputs"] if entry["role"] == "start")
    assert start["sha256"]
    scene = next((folder / "pleiades-neo").rglob("image_*.tif"))
    assert arpent("landcover", "predict", scene, "--model", tmp_path / "run", "-o", tmp_path / "map").code == 0


def test_batch_norm_alone_is_said(arpent, folder, tmp_path):
    words = ("--strategy", "bn-only", "--set", "language=en", "--json")
    said = arpent("landcover", "finetune", folder / "tune.yaml", *words, "-o", tmp_path / "run")
    assert said.code == 0, said.err
    assert said.document["metrics"]["epochs"] == 0
    again = arpent("landcover", "finetune", folder / "tune.yaml", *words[:-1], "-o", tmp_path / "run", "--force")
    assert "without labels" in again.out
    assert "0 of" in again.out


@pytest.mark.parametrize(
    ("words", "code", "phrase"),
    [
        (("--strategy", "ft-initialization"), 2, "strategy"),
        (("--from", "nowhere.safetensors"), 3, "nowhere.safetensors"),
        (("--normalise", "norma-target", "--set", "task.classes=comune"), 2, "commune"),
        (("--set", "stages=[{train: all, epochs: 1, rate: 0.1}]"), 2, "stages"),
    ],
)
def test_a_wrong_fine_tuning_is_one_line_with_its_cure(arpent, folder, tmp_path, words, code, phrase):
    said = arpent("landcover", "finetune", folder / "tune.yaml", *words, "-o", tmp_path / "run")
    assert said.code == code, said.err
    assert phrase in said.err
    assert len(said.err.strip().splitlines()) == 1


@pytest.mark.parametrize(("language", "words"), [("en", "of the movement"), ("fr", "du mouvement")])
def test_moved_shows_layers_and_shares(arpent, folder, tmp_path, language, words):
    tuned = ("--strategy", "ft-finetune-head", "--set", "fit.epochs=1", "-o", tmp_path / "run")
    assert arpent("landcover", "finetune", folder / "tune.yaml", *tuned).code == 0
    chart = tmp_path / "moved.png"
    compare = ("landcover", "moved", folder / "run", tmp_path / "run", "--language", language, "-o", chart)
    said = arpent(*compare)
    assert said.code == 0, said.err
    assert words in said.out
    assert "encoder.0.0 (red, green, blue, nir)" in said.out
    assert chart.read_bytes().startswith(b"\x89PNG")
    document = arpent(*compare, "--json").document
    assert document["shares"] == {"encoder": 0.0, "decoder": 0.0, "head": 1.0}
    assert document["still"] == len(document["layers"]) - 1
    assert arpent("landcover", "moved", folder / "run", tmp_path / "none").code != 0
