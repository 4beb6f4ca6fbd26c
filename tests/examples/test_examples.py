"""Every file in examples/ is run, as its own first lines say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(words, folder):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_its_test():
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == {"landcover.yaml", "map_a_commune.py"}


def test_the_python_example(tmp_path):
    said = run([sys.executable, str(EXAMPLES / "map_a_commune.py"), str(tmp_path)], tmp_path)
    assert re.search(r"mIoU 0\.\d{3}, products: \['classes\.tif', 'preview\.png'\]", said)


@pytest.mark.slow
def test_the_yaml_example_by_the_commands_in_its_head(tmp_path):
    (tmp_path / "examples").symlink_to(EXAMPLES)
    head = (EXAMPLES / "landcover.yaml").read_text("utf-8").splitlines()
    commands = [line.removeprefix("#").strip() for line in head if line.startswith("#   arpent ")]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        if "IMAGE.tif" in words:
            words[words.index("IMAGE.tif")] = str(next((tmp_path / "commune").rglob("image_*.tif")))
        run([sys.executable, "-m", *words], tmp_path)
    assert (tmp_path / "map" / "classes.tif").exists()
