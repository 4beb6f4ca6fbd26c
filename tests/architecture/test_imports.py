"""Who may import whom, on paper and in a running Python."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "timm", "transformers", "accelerate", "ray")

# What a person must not pay for by importing the room.
FREE = {
    "arpent": (*HEAVY, "numpy", "rasterio", "pydantic"),
    "arpent.cli.app": (*HEAVY, "numpy", "rasterio", "pyarrow", "matplotlib"),
    "arpent.core": (*HEAVY, "rasterio"),
    "arpent.io": HEAVY,
    "arpent.language": (*HEAVY, "rasterio"),
    "arpent.pixels": HEAVY,
    "arpent.report": HEAVY,
    "arpent.store": HEAVY,
    "arpent.testing": (*HEAVY, "hypothesis"),
    "arpent.tiling": (*HEAVY, "rasterio"),
    "arpent.web": HEAVY,
}


def test_the_floors_of_the_house(root: Path) -> None:
    """Every contract of .importlinter holds."""
    answer = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout.partition("Contracts\n")[2]


def test_every_room_has_its_floor(root: Path) -> None:
    """A new room must be named in the contract before it can be built."""
    contract = (root / ".importlinter").read_text("utf-8")
    rooms = {path.parent.name for path in (root / "src" / "arpent").glob("*/__init__.py")}
    named = {word for line in contract.splitlines() for word in line.replace("|", " ").split()}
    assert rooms <= named


@pytest.mark.parametrize("room", FREE)
def test_importing_a_room_is_light(room: str) -> None:
    """Really import it, in a Python of its own, and see what came along."""
    program = f"import sys, {room}; print(*sorted(set(sys.modules) & {set(FREE[room])!r}))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [], f"import {room} brings {answer.stdout}"
