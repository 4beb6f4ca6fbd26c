"""The page of benchmarks lists every script, and scripts that take a moment are run in small."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_every_script_is_in_the_table_and_has_its_figures(root: Path) -> None:
    text = (root / "docs" / "benchmarks.md").read_text("utf-8")
    head, _, figures = text.partition("## Figures")
    listed = set(re.findall(r"^\| `(bench/\w+\.py)`", head, re.MULTILINE))
    told = set(re.findall(r"^### .*`(bench/\w+\.py)`$", figures, re.MULTILINE))
    scripts = {f"bench/{path.name}" for path in (root / "bench").glob("*.py")}
    assert len(scripts) > 15
    assert listed == scripts
    assert told == scripts


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("reading.py --side 512 --rounds 1", ("rasterio, 512²", "arpent, 512²", "arpent, warped", "peak memory")),
        ("describe.py indices --side 64 --rounds 1", ("Arpent", "spyndex, float32", "× (goal 3 ×)")),
        ("describe.py search --rows 200 --width 16 --rounds 1", ("what is found is numpy's answer: yes", "goal 20 ms")),
    ],
)
def test_a_benchmark_runs(root: Path, tmp_path: Path, line: str, printed: tuple[str, ...]) -> None:
    """It prints what it compares; that a goal is reached, which its exit code may tell, is for idle machines."""
    script, *options = line.split()
    done = subprocess.run(
        [sys.executable, str(root / "bench" / script), *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode in {0, 1}, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    for words in printed:
        assert words in done.stdout, words
