"""``arpent landcover transfer`` and ``budget``, as a user types them, and the benchmark of the study in small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arpent.cli.app import tree
from arpent.cli.landcover import app
from arpent.data import SampleIndex
from arpent.testing.simulation import Simulation, simulate

SCRIPT = Path(__file__).parents[2] / "bench" / "transfer.py"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A study in YAML, of three tiny places."""
    folder = tmp_path_factory.mktemp("study")
    simulate(folder, Simulation(size=32, scenes=3, seed=4))
    index = SampleIndex.read(folder / "index.csv").with_splits(["train", "val", "test"]).write(folder / "sides.csv")
    training = {
        "index": str(index),
        "task": {"network": {"widths": [4]}},
        "patch": 32,
        "workers": 0,
        "fit": {"epochs": 1, "best": "miou", "device": "cpu"},
    }
    path = folder / "study.yaml"
    # JSON is YAML too, and has no aliases.
    path.write_text(json.dumps({"target": training, "source": training, "examples": 0, "judged_patch": 32}))
    return path


def test_a_study_and_its_budget_from_the_command_line(config, tmp_path):
    run = CliRunner().invoke
    wish = ["--set", "strategies=[ft-finetune-head]", "--set", "normalisations=[norma-target]", "--set", "language=fr"]
    done = run(app, ["transfer", str(config), "-o", str(tmp_path / "run"), *wish], catch_exceptions=False)
    assert done.exit_code == 0
    assert "inférence directe, norma-target" in done.output
    assert "essai" in done.output
    assert "absentes" in done.output
    assert "rapport  " in done.output
    assert "exécution" not in done.output
    assert (tmp_path / "run" / "report.html").read_text("utf-8").startswith("<!doctype html>")
    document = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert [row["kind"] for row in document["outcomes"]] == ["source", "direct", "tuned"]
    wish = json.loads(config.read_text())
    curves = {"target": wish["target"], "start": str(tmp_path / "run" / "source"), "judged_patch": 32}
    (tmp_path / "budget.yaml").write_text(json.dumps(curves))
    asked = ["budget", str(tmp_path / "budget.yaml"), "--domains", "1", "-o", str(tmp_path / "curves")]
    done = run(app, asked, catch_exceptions=False)
    assert done.exit_code == 0
    assert "app-scratch" in done.output
    assert len((tmp_path / "curves" / "budget.csv").read_text().splitlines()) == 3


def test_both_commands_are_in_the_tree():
    assert {"transfer", "budget"} <= set(tree().commands["landcover"].commands)


def test_the_quick_benchmark_prints_the_table_beside_the_published_one(tmp_path):
    answer = subprocess.run(
        [sys.executable, SCRIPT, "--fast", "--seeds", "1", "--workers", "1", "--folder", tmp_path],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert "60.58  +14.20" in answer.stdout
    report = json.loads(answer.stdout.splitlines()[-1])
    assert "ft-initialisation takes fewer epochs than app-scratch" in report["plain"]
