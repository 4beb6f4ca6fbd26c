"""A model made and taught here tells dates it has never seen from the image alone, as well as A4 asks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.requires("data")
def test_blind_texts_about_held_out_dates_say_what_the_image_shows(root: Path, data_folder: Path) -> None:
    """The smoke goals of A4: right where the same texts of other images, and a caption that never changes, are not."""
    done = subprocess.run(
        [sys.executable, "bench/describe.py", "faithful", "--budget", "smoke", "--every", "5"],
        cwd=root,
        env=os.environ | {"ARPENT_DATA": str(data_folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    told = done.stdout + done.stderr
    figures = {
        method: {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)", rest)}
        for method, rest in re.findall(r"blind (\w+) +dates +\d+ texts: (.*)", told)
    }
    model = figures["model"]
    assert model["hit05"] >= 0.87, told
    assert model["classes"] >= 0.89, told
    assert model["contradiction"] <= 0.02, told
    assert model["stated"] >= 0.98, told
    assert figures["oracle"]["hit05"] == 1.0
    # What is left when texts are swapped is what a caption that never changes would have reached.
    assert figures["permuted"]["hit05"] <= max(0.30, figures["constant"]["hit05"] + 0.03)
    assert model["hit05"] > figures["constant"]["hit05"] + 0.4
    assert {"nearest", "probe"} <= set(figures)
