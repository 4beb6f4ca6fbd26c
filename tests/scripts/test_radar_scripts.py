"""The lines of a radar project, one after another as its page documents them, and the commands that they stand for."""

import json
import os
import shlex
import subprocess
import sys

import pytest
import torch

from arpent.cli.app import main
from arpent.core import file_sha256
from arpent.models import load_bundle
from arpent.store import bundle_in, runs_under

SMALL = "--epochs 1 --batch-size 2 --patches 4"
LINES = (
    ("preprocess_data.py", "--patch 48", "forecast prepare rivers --output dataset --patch 48"),
    (
        "train_segmentation.py",
        f"{SMALL} --widths 4,8",
        f"forecast train-segmentation dataset {SMALL} --widths 4,8",
    ),
    ("extract_features.py", "--checkpoint best_cnn.pth", "forecast features dataset --model {segmentation}"),
    ("train_lstm.py", f"{SMALL} --hidden 8", f"forecast train dataset {SMALL} --hidden 8"),
)


def only(folder, task):
    """The run of that task."""
    (run,) = [one.run for one in runs_under(folder / "runs") if one.run and one.run.manifest.task == task]
    return run


def weights(run):
    return load_bundle(bundle_in(run.path)).model.state_dict()


def hashes(folder):
    return {path.relative_to(folder): file_sha256(path) for path in sorted(folder.rglob("*.tif"))}


@pytest.fixture(scope="module")
def rivers(tmp_path_factory):
    """A small simulation."""
    folder = tmp_path_factory.mktemp("rivers")
    assert main([*shlex.split("forecast simulate --size 64 --scenes 3 --dates 7 -o"), str(folder / "rivers")]) == 0
    return folder / "rivers"


@pytest.fixture
def places(rivers, tmp_path):
    """Two folders with the same images: one for scripts, one for commands."""
    for name in ("scripts", "commands"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rivers").symlink_to(rivers)
    (tmp_path / "scripts" / ".env").write_text("DATA_PATH=rivers\n")
    return tmp_path / "scripts", tmp_path / "commands"


@pytest.mark.slow
def test_the_documented_lines_give_what_the_commands_give(places, typed, arpent, monkeypatch):
    monkeypatch.delenv("DATA_PATH", raising=False)
    theirs, ours = places
    for name, words, command in LINES:
        for folder in places:
            monkeypatch.chdir(folder)
            known = {}
            if "{segmentation}" in command:
                known["segmentation"] = only(folder, "forecast-segmentation").path.relative_to(folder)
            wanted = command.format(**known)
            if folder is ours:
                assert arpent(*shlex.split(wanted)).code == 0
                continue
            said = typed(name, *shlex.split(words))
            assert said.code == 0, said.err
            assert f"{name} → arpent {wanted}\n" in said.err
    assert hashes(theirs / "dataset") == hashes(ours / "dataset") != {}
    for task in ("forecast-segmentation", "forecast-train"):
        made, wanted = (weights(only(folder, task)) for folder in places)
        assert made.keys() == wanted.keys()
        assert all(torch.equal(made[key], wanted[key]) for key in made)
    made, wanted = (hashes(only(folder, "forecast-features").path) for folder in places)
    assert made == wanted != {}


def test_a_script_ends_as_its_command_does(places, typed, arpent, monkeypatch):
    monkeypatch.chdir(places[1])
    for name, words, command, code in (
        ("train_segmentation.py", "--epochs some", "forecast train-segmentation dataset --epochs some", 2),
        ("train_lstm.py", "", "forecast train dataset", 3),
        ("extract_features.py", "--checkpoint gone.pth", "forecast features dataset --model gone.pth", 3),
        ("preprocess_data.py", "--data gone", "forecast prepare gone -o dataset", 3),
    ):
        said, wanted = typed(name, *shlex.split(words)), arpent(*shlex.split(command))
        assert said.code == wanted.code == code, said.err
        assert said.err.splitlines()[1:] == wanted.err.splitlines()


def test_what_only_the_script_knows_is_told_in_a_line_too(tmp_path, typed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_PATH", raising=False)
    said = typed("preprocess_data.py")
    assert said.code == 2
    assert "nothing says where the radar images are" in said.err and len(said.err.splitlines()) == 1
    said = typed("extract_features.py", "--json")
    assert said.code == json.loads(said.out)["error"]["exit_code"] != 0
    said = typed("train_lstm.py", "--dataset")
    assert said.code == 2
    assert said.err == "arpent: error: argument --dataset: expected one argument. See 'train_lstm.py --help'.\n"


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("preprocess_data.py", "--filter"),
        ("train_segmentation.py", "--batch-size"),
        ("extract_features.py", "--checkpoint"),
        ("train_lstm.py", "--hidden"),
        ("infer_geotiff.py", "--profile"),
        ("infer_photo.py", "--fit"),
    ],
)
def test_help_tells_the_own_options_and_those_of_the_command(typed, name, option):
    said = typed(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: {name}") and "Usage: arpent " in said.out and option in said.out


@pytest.mark.slow
def test_predictions_come_on_the_map_as_by_its_own_command(root, tmp_path):
    point = {"type": "Point", "coordinates": [1.2, 44.1]}
    facts = {"date": "2026-07-14", "horizon": 1, "prob": 0.9, "class": "water"}
    features = [{"type": "Feature", "geometry": point, "properties": facts}] * 2
    features.append({"type": "Feature", "geometry": None, "properties": facts})
    (tmp_path / "preds.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    def run(folder, *words):
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=tmp_path,
            env=os.environ | {"DATA_PATH": str(tmp_path / folder)},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    script, manage = root / "scripts" / "load_predictions.py", root / "manage.py"
    words = ("--file", "preds.geojson")
    code, _, told = run("bare", script, *words)
    assert code == 1 and "manage.py migrate" in told.splitlines()[-1]
    for folder in ("theirs", "ours"):
        assert run(folder, manage, "migrate")[0] == 0
    code, out, told = run("theirs", script, *words)
    assert (code, out, told.partition("\n")[2]) == run("ours", manage, "load_predictions", *words)
    assert told.startswith("load_predictions.py → python manage.py load_predictions --file preds.geojson\n")
    assert code == 0 and "2 rows" in out and "row 3" in told


def test_the_map_without_its_environment_is_one_line(root):
    """As a Python in which nothing is installed sees it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(root / "manage.py"), "migrate"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no module arpent" in done.stderr and "source .venv/bin/activate" in done.stderr
    assert len(done.stderr.splitlines()) == 1
