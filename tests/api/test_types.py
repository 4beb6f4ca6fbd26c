"""What a type checker tells those who use the package: `py.typed` is there, and the functions say what they give."""

import re
import subprocess
import sys

import pytest

RIGHT = """
from collections.abc import Mapping
from pathlib import Path

import arpent as ap

run = ap.change("before.tif", Path("after.tif"), model="change-nano", output="runs/change", threshold=0.75)
shown = run.plot("change", language="fr")
where: Path = run.products["change"]
figures: Mapping[str, float | None] = run.metrics
reveal_type(ap.change("before.tif", "after.tif"))
reveal_type(ap.describe(["a.tif"]))
reveal_type(ap.describe("a.tif", model="runs/describer"))
reveal_type(ap.open_run("runs/change").made)
"""
WRONG = """
import arpent as ap

ap.change("before.tif", 3, model="change-nano")
ap.landcover("ortho.tif")
ap.open_run("runs/change").plott()
"""


@pytest.mark.faults  # a minute of mypy, which reads all that the functions name, torch among it
def test_a_users_script_is_checked_strictly_against_the_installed_package(tmp_path):
    """By mypy as a user calls it, in a folder of their own: what is right passes, and what is wrong is found."""
    for name, text in (("right.py", RIGHT), ("wrong.py", WRONG)):
        (tmp_path / name).write_text(text.lstrip("\n"))
    words = ("--strict", "--no-error-summary", "right.py", "wrong.py")
    done = subprocess.run([sys.executable, "-m", "mypy", *words], cwd=tmp_path, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    told = [
        re.findall(r'"([^"]+)"', line)[0] for line in lines if line.startswith("right.py") and "note: Revealed" in line
    ]
    assert told == [
        "arpent.api.runs.Run[arpent.tasks.change.pairs.ChangeRun]",
        "arpent.api.runs.Run[arpent.tasks.describe.indexing.Indexed]",
        "arpent.api.runs.Run[arpent.tasks.describe.generating.Generated]",
        "None",
    ], done.stdout
    wrong = {re.match(r"(\w+\.py):(\d+): error: .*\[([a-z-]+)\]", line) for line in lines if ": error: " in line}
    assert {found.groups() for found in wrong if found} == {
        ("wrong.py", "3", "arg-type"),
        ("wrong.py", "4", "call-arg"),
        ("wrong.py", "5", "attr-defined"),
    }, done.stdout
