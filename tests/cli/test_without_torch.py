"""What ``pip install arpent`` alone can do: read, measure, tell, keep runs; and what it says where it cannot.

`make wheel` looks at the same in an environment where torch is truly not installed.
"""

import json
import os
import subprocess
import sys

import pytest

ABSENT = ("accelerate", "openvino", "segmentation_models_pytorch", "timm", "torch", "torchvision")
PROGRAM = """
import contextlib, io, json, sys
from importlib.machinery import PathFinder

class Without:
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else PathFinder.find_spec(name, path, target)

ABSENT, lines = json.loads(sys.argv[1])
sys.meta_path[:] = [Without() if finder is PathFinder else finder for finder in sys.meta_path]
from arpent.cli.app import main

told = []
for words in lines:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    told.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""


@pytest.fixture
def typed(tmp_path):
    """Commands, one after another, in one process that has no torch."""

    def run(*lines):
        words = [sys.executable, "-c", PROGRAM, json.dumps([ABSENT, lines])]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.slow
def test_reading_measuring_telling_and_keeping_need_no_torch(typed, tmp_path):
    lines = [
        ["doctor"],
        ["simulate", "-o", "land", "--sensor", "sentinel-1", "--size", "48", "--scenes", "1", "--quiet"],
        ["simulate", "-o", "fields", "--sensor", "sentinel-2-l2a", "--size", "48", "--scenes", "1", "--quiet"],
        ["models", "list"],
        ["models", "show", "change-nano"],
    ]
    told = typed(*lines)
    assert [code for code, _, _ in told] == [0] * len(lines), told
    assert "not installed" in told[0][1]
    radar, optical = (str(next(tmp_path.glob(f"{name}/*/image_*.tif"))) for name in ("land", "fields"))
    lines = [
        ["stats", optical, "-o", "stats.json"],
        ["forecast", "despeckle", radar, "-o", "runs/clean", "--quiet"],
        ["describe", "indices", optical, "-o", "runs/indices", "--quiet"],
        ["runs", "list"],
        ["runs", "verify", "runs/indices"],
        ["runs", "catalog", "runs"],
    ]
    told = typed(*lines)
    assert [code for code, _, _ in told] == [0] * len(lines), told


@pytest.mark.slow
def test_a_command_that_needs_torch_says_in_a_line_what_to_install(typed, tmp_path):
    lines = [
        ["landcover", "predict", "image.tif", "--model", "none.safetensors"],
        ["landcover", "train", "train.yaml"],
        ["change", "pair", "a.tif", "b.tif", "--model", "change-nano"],
        ["classify", "predict", "a.jpg", "--model", "none.safetensors"],
        ["demo"],
    ]
    for words, (code, _, err) in zip(lines, typed(*lines), strict=True):
        assert code == 8, (words, err)
        assert err.splitlines()[-1] == (
            "arpent: error: this command needs the 'learn' part of Arpent, which is not installed. "
            "Install it: pip install 'arpent[learn]'."
        )
    assert not any(tmp_path.iterdir())
