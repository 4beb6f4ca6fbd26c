"""The commands of land cover and the demo, as typed."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

TINY = {
    "name": "tiny",
    "task": {"network": {"widths": [8, 16]}},
    "patch": 64,
    "batch_size": 4,
    "fit": {"epochs": 2, "best": "miou", "device": "cpu"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from arpent.cli.app import main

    folder = tmp_path_factory.mktemp("typed")
    code = main(["simulate", "-o", str(folder / "data"), "--size", "256", "--scenes", "3", "--quiet"])
    assert code == 0
    (folder / "train.yaml").write_text(yaml.safe_dump({**TINY, "index": str(folder / "data" / "index.csv")}))
    return folder


@pytest.fixture(scope="module")
def model(folder):
    from arpent.cli.app import main

    assert main(["landcover", "train", str(folder / "train.yaml"), "-o", str(folder / "run"), "--quiet"]) == 0
    return folder / "run" / "model.safetensors"


@pytest.fixture
def scene(folder):
    return next((folder / "data").rglob("image_bd-ortho_*.tif"))


def test_predict_prints_areas_and_where_the_map_is(arpent, model, scene, tmp_path):
    said = arpent("landcover", "predict", scene, "--model", model, "-o", tmp_path / "map", "--language", "fr")
    assert said.code == 0, said.err
    assert "bâtiment" in said.out
    assert "%" in said.out
    assert str(tmp_path / "map" / "classes.tif") in said.out
    assert "\\x" not in said.out


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["error-adjusted area", "95% interval"]), ("fr", ["surface corrigée de l’erreur", "intervalle à 95"])],
)
def test_with_a_truth_areas_are_corrected_for_errors(arpent, model, scene, tmp_path, language, words):
    truth = scene.with_name(scene.name.replace("image_", "truth_"))
    command = ("landcover", "predict", scene, "--model", model, "--truth", truth, "--language", language, "--force")
    said = arpent(*command, "-o", tmp_path / "map")
    assert said.code == 0, said.err
    assert words[0] in said.out
    assert "±" in said.out
    assert words[1] in said.err
    document = arpent(*command, "-o", tmp_path / "map", "--json").document
    corrected = document["adjusted_areas"]
    assert sum(one["area"] for one in corrected.values()) == pytest.approx(sum(document["areas"].values()))
    assert all(one["low"] <= one["area"] <= one["high"] for one in corrected.values())
    metrics = json.loads((tmp_path / "map" / "manifest.json").read_text())["metrics"]
    assert metrics["adjusted_area_m2/building"] == corrected["building"]["area"]


def test_a_truth_that_lacks_a_mapped_class_is_scored_and_corrects_nothing(arpent, model, scene, tmp_path):
    truth = tmp_path / "truth.tif"
    with rasterio.open(scene) as image:
        profile = image.profile | {"count": 1, "dtype": "uint8", "nodata": 0}
        profile.pop("photometric", None)
    with rasterio.open(truth, "w", **profile) as known:
        corner = np.zeros((1, 256, 256), np.uint8)
        corner[0, 0, 0] = 5
        known.write(corner)
    said = arpent("landcover", "predict", scene, "--model", model, "--truth", truth, "-o", tmp_path / "map")
    assert said.code == 0, said.err
    assert "not corrected for errors" in said.err
    assert "±" not in said.out


def test_a_run_has_the_name_that_it_is_given(arpent, model, scene, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ("landcover", "predict", scene, "--model", model, "--name", "Été à Cahors", "--json")
    run = Path(arpent(*command).document["run"])
    assert run.name.endswith("-landcover-ete-a-cahors")
    (run / "notes.txt").touch()
    again = arpent(*command[:-1], "--force")
    assert again.code == 0, again.err
    assert "since no run made it: notes.txt" in again.err
    assert (run / "notes.txt").exists()


def test_the_run_of_a_training_stands_for_its_model(arpent, model, scene, tmp_path):
    said = arpent("landcover", "predict", scene, "--model", model.parent, "-o", tmp_path / "map", "--json")
    assert said.code == 0, said.err
    wrong = arpent("landcover", "predict", scene, "--model", tmp_path / "map", "-o", tmp_path / "other")
    assert wrong.code == 2
    assert "product" in wrong.err


def test_predict_tells_machines_everything_once(arpent, model, scene, tmp_path):
    words = ("--model", model, "-o", tmp_path / "map", "--runtime", "torch", "--precision", "bf16", "--json")
    said = arpent("landcover", "predict", scene, *words)
    assert said.code == 0, said.err
    assert sum(said.document["areas"].values()) == pytest.approx((256 * 0.2) ** 2, rel=2e-3)
    with rasterio.open(said.document["map"]) as made:
        assert made.shape == (256, 256)
    manifest = json.loads((tmp_path / "map" / "manifest.json").read_text())
    assert manifest["settings"]["precision"] == "bf16"


def test_a_second_run_into_the_same_folder_needs_force(arpent, model, scene, tmp_path):
    words = ("landcover", "predict", scene, "--model", model, "-o", tmp_path / "map")
    assert arpent(*words).code == 0
    refused = arpent(*words)
    assert refused.code == 7
    assert "--force" in refused.err
    assert arpent(*words, "--force").code == 0


def test_train_prints_the_model(arpent, folder, model, tmp_path):
    said = arpent(
        "landcover", "train", folder / "train.yaml", "-o", tmp_path / "run", "--set", "fit.epochs=1", "--json"
    )
    assert said.code == 0, said.err
    assert Path(said.document["model"]).exists()
    assert 0 <= said.document["metrics"]["validation/miou"] <= 1


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"epoch": 3}, 2, "no setting 'epoch'"),
        ({"fit": {"epochs": 0}}, 2, "fit.epochs"),
        ({"fit": {"optimizer": {}}}, 2, "Did you mean 'optimiser'?"),
        ({"index": "nowhere.csv"}, 3, "nowhere.csv"),
        ({"task": {"classes": "comune"}}, 2, "Did you mean 'commune'?"),
        ({"task": {"architecture": "unett"}}, 2, "Did you mean 'unet'?"),
        ({"task": {"bands": ["red", "swir"]}}, 3, "swir"),
        ({"fit": {"device": "cuda:9"}}, 8, "--device cpu"),
        ({"fit": {"best": "f1"}}, 2, "'f1'"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_cure(arpent, folder, tmp_path, change, code, words):
    settings = {**TINY, "index": str(folder / "data" / "index.csv"), **change}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(settings))
    said = arpent("landcover", "train", tmp_path / "wrong.yaml", "-o", tmp_path / "run")
    assert said.code == code, said.err
    assert words in said.err
    assert len([line for line in said.err.splitlines() if not line.startswith("warning:")]) == 1
    assert not (tmp_path / "run" / "manifest.json").exists()


def bad_inputs(tmp_path, scene):
    """Each is a file, what is wrong with it in the error's words, and the exit code."""
    content = scene.read_bytes()
    (tmp_path / "empty.tif").write_bytes(b"")
    yield "empty.tif", "empty", 3
    (tmp_path / "short.tif").write_bytes(content[: len(content) // 3])
    yield "short.tif", "short.tif", 3
    (tmp_path / "text.tif").write_text("a letter to my aunt")
    yield "text.tif", "text.tif", 3
    yield "scen.tif", "scen.tif", 3


@pytest.mark.parametrize("number", range(4))
def test_a_bad_image_is_one_line_and_leaves_no_product(arpent, model, scene, tmp_path, number):
    name, words, code = list(bad_inputs(tmp_path, scene))[number]
    said = arpent("landcover", "predict", tmp_path / name, "--model", model, "-o", tmp_path / "map")
    assert said.code == code, said.err
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("classes.tif"))


def test_a_missing_or_damaged_model_is_one_line(arpent, scene, tmp_path, model):
    said = arpent("landcover", "predict", scene, "--model", tmp_path / "none.safetensors", "-o", tmp_path / "map")
    assert said.code == 3
    (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:2000])
    said = arpent("landcover", "predict", scene, "--model", tmp_path / "cut.safetensors", "-o", tmp_path / "map")
    assert said.code == 4
    assert len(said.err.strip().splitlines()) == 1


def test_evaluate_shows_both_ways_of_counting_absent_classes(arpent, folder, model, tmp_path):
    said = arpent(
        *("landcover", "evaluate", "--model", model, "--data", folder / "data" / "index.csv", "-o", tmp_path / "run"),
        *("--runtime", "torch", "--patch", 128, "--draws", 50, "--json"),
    )
    assert said.code == 0, said.err
    assert set(said.document["absent_excluded"]) == set(said.document["absent_zero"])
    assert Path(said.document["report"]).is_file()
    assert said.document["intervals"]["over"] == "domains"
    people = arpent(
        *("landcover", "evaluate", "--model", model, "--data", folder / "data" / "index.csv", "-o", tmp_path / "run"),
        *("--runtime", "torch", "--draws", 50, "--language", "fr", "--force"),
    )
    assert "classes absentes à zéro" in people.out
