"""Every file in examples/ is run, as its own first lines say; notebooks by a kernel, as people do."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arpent.cli.app import main

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = ("change.ipynb", "classify.ipynb", "describe.ipynb")


def run(words, folder):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_its_test():
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == {
        "landcover.yaml",
        "map_a_commune.py",
        *NOTEBOOKS,
    }


def test_the_python_example(tmp_path):
    said = run([sys.executable, str(EXAMPLES / "map_a_commune.py"), str(tmp_path)], tmp_path)
    assert re.search(r"mIoU 0\.\d{3}, products: \['classes\.tif', 'preview\.png'\]", said)


@pytest.mark.slow
def test_the_yaml_example_by_the_commands_in_its_head(tmp_path, monkeypatch):
    """In this process: each of three others would first load the libraries anew."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    head = (EXAMPLES / "landcover.yaml").read_text("utf-8").splitlines()
    commands = [line.removeprefix("#").strip() for line in head if line.startswith("#   arpent ")]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        if "IMAGE.tif" in words:
            words[words.index("IMAGE.tif")] = str(next((tmp_path / "commune").rglob("image_*.tif")))
        assert words[0] == "arpent" and main(words[1:]) == 0, command
    assert (tmp_path / "map" / "classes.tif").exists()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_what_it_has_shown(name):
    """What it shows is seen by running it; a summary in French stands at its top."""
    cells = json.loads((EXAMPLES / name).read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert cells[0]["source"][0].startswith("# ")
    assert cells[1]["cell_type"] == "markdown" and "**En français.**" in "".join(cells[1]["source"])


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_its_first_cell_to_its_last(name, tmp_path, monkeypatch):
    for name_of_folder in ("TMPDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name_of_folder, str(tmp_path))  # nothing is left elsewhere
    copy = shutil.copy(EXAMPLES / name, tmp_path)
    program = Path(sys.executable).with_name("jupyter-execute")
    run([str(program), "--inplace", "--timeout=600", str(copy)], tmp_path)
    cells = json.loads(Path(copy).read_text("utf-8"))["cells"]
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert sum("arpent-run" in "".join(data.get("text/html", "")) for data in shown) >= 2, "cards of runs"
    assert any("image/png" in data for data in shown), "figures"
