"""A model made and taught here tells dates it has never seen from the image alone, if not yet as well as A4 asks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.requires("data")
def test_blind_texts_about_held_out_dates_depend_on_the_image(root: Path, data_folder: Path) -> None:
    """They are right where the same texts about other images, and a caption that never changes, are wrong."""
    done = subprocess.run(
        [sys.executable, "bench/describe.py", "faithful", "--budget", "smoke"],
        cwd=root,
        env=os.environ | {"ARPENT_DATA": str(data_folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    hits = {method: float(value) for method, value in re.findall(r"blind (\w+) +dates.* hit05 ([\d.]+)", done.stdout)}
    assert hits["model"] > 0.45, done.stdout + done.stderr
    assert hits["model"] > hits["constant"] + 0.15
    assert hits["permuted"] <= 0.30
    assert hits["oracle"] == 1.0
