"""The source of Arpent, read once and parsed."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path
    name: str

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        return self.name.split(".")[1] if "." in self.name else ""

    @cached_property
    def exported(self) -> list[str] | None:
        """What `__all__` lists, or None when there is none."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
                return list(ast.literal_eval(node.value))
        return None

    def definitions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
        """Functions, methods and classes, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node


@pytest.fixture(scope="session")
def modules(root: Path) -> list[Module]:
    """Every module of the package, sorted."""
    source = root / "src"
    found = []
    for path in sorted((source / "arpent").rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found.append(Module(path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)))
    return found


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """Every file of the repository, those not yet committed included."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (root / name for name in answer.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())
