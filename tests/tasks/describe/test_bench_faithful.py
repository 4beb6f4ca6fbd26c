"""A4's smoke targets: a model made and taught here tells dates it has never seen, from the image alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.requires("data")
def test_blind_texts_about_held_out_dates_are_faithful(root: Path, data_folder: Path) -> None:
    """Values, classes, contradictions, and that texts of other images fail; in 90 seconds of one core."""
    done = subprocess.run(
        [sys.executable, "bench/describe.py", "faithful", "--budget", "smoke"],
        cwd=root,
        env=os.environ | {"ARPENT_DATA": str(data_folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
