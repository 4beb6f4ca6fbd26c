"""Who may import whom, on paper and in a running Python."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HEAVY = ("torch", "timm", "transformers", "accelerate", "ray")

# What a person must not pay for by importing the room.
FREE = {
    "arpent": (*HEAVY, "numpy", "rasterio", "pydantic"),
    "arpent.api": (*HEAVY, "rasterio", "matplotlib", "xarray"),
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


def test_each_room_imports_what_the_architecture_page_allows(root: Path, modules: list[Any]) -> None:
    """The table of docs/architecture.md, read against every import there is."""
    page = (root / "docs" / "architecture.md").read_text("utf-8")
    allowed = {
        room: set(re.findall(r"\w+", cells.rpartition("|")[2]))
        for room, cells in re.findall(r"^\| `(\w+)/` \|(.*) \|$", page, re.MULTILINE)
    }
    everything = set(allowed)
    allowed["cli"], allowed["tasks"] = everything, everything - {"cli", "testing", "web"}
    trespasses = {
        f"{module.name} imports {name}"
        for module in modules
        if module.room in allowed
        for name in _imported_rooms(module.tree) - {module.room, "errors", "version"} - allowed[module.room]
    }
    assert trespasses == set()
    assert everything == {path.parent.name for path in (root / "src" / "arpent").glob("*/__init__.py")}


def _imported_rooms(tree: ast.Module) -> set[str]:
    """Rooms that a module names in any import, at its top or inside a function."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {entry.name for entry in node.names}
    return {name.split(".")[1] for name in names if name.startswith("arpent.")}


@pytest.mark.parametrize("room", FREE)
def test_importing_a_room_is_light(room: str) -> None:
    """Really import it, in a Python of its own, and see what came along."""
    program = f"import sys, {room}; print(*sorted(set(sys.modules) & {set(FREE[room])!r}))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [], f"import {room} brings {answer.stdout}"
