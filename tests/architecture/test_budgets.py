"""How large a thing may grow before it must be divided."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FILE_LINES, FILE_LINES_HARD = 400, 600
FUNCTION_LINES = 60
PARAMETERS = 8
INHERITANCE = 2
FOLDERS = 2
DJANGOS = {"management", "commands", "migrations"}
"""Folders that Django looks for under these names; they do not count."""

# Files over 400 lines, by module name, each with its reason; none may pass 600.
LONG: Mapping[str, str] = {}

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def test_files_stay_readable(modules: list[Any]) -> None:
    too_long = {}
    for module in modules:
        lines = module.text.count("\n")
        if lines > (FILE_LINES_HARD if module.name in LONG else FILE_LINES):
            too_long[module.name] = lines
    assert too_long == {}
    assert {module.name for module in modules} >= set(LONG)


def test_functions_fit_on_a_screen(modules: list[Any]) -> None:
    too_long = {}
    for module in modules:
        for node in module.definitions():
            lines = (node.end_lineno or 0) - node.lineno + 1
            if isinstance(node, FUNCTION) and lines > FUNCTION_LINES:
                too_long[f"{module.name}.{node.name}"] = lines
    assert too_long == {}


def test_functions_take_few_parameters(modules: list[Any]) -> None:
    """The command line is exempt: its functions are made from configuration models."""
    too_many = {}
    for module in modules:
        for node in module.definitions():
            if not isinstance(node, FUNCTION) or module.room == "cli":
                continue
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len([name for name in names if name not in {"self", "cls"}])
            if count > PARAMETERS:
                too_many[f"{module.name}.{node.name}"] = count
    assert too_many == {}


def test_inheritance_stays_shallow(modules: list[Any]) -> None:
    """No class stands more than two steps below a class of Arpent's own."""
    family = _Family(modules)
    deep = {name: depth for name in family.bases if (depth := family.depth(name)) > INHERITANCE}
    assert deep == {}


def test_folders_stay_shallow(modules: list[Any], root: Path) -> None:
    package = root / "src" / "arpent"
    chosen = {
        module.name: [part for part in module.path.relative_to(package).parts[:-1] if part not in DJANGOS]
        for module in modules
    }
    deep = [name for name, folders in chosen.items() if len(folders) > FOLDERS]
    assert deep == []


class _Family:
    """Which of Arpent's classes descends from which, found in the source through its imports."""

    def __init__(self, modules: list[Any]) -> None:
        self.scopes: dict[str, dict[str, str]] = {}
        self.bases: dict[str, list[str]] = {}
        for module in modules:
            scope = self.scopes.setdefault(module.name, {})
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("arpent"):
                    scope |= {entry.asname or entry.name: f"{node.module}.{entry.name}" for entry in node.names}
            for node in module.definitions():
                if isinstance(node, ast.ClassDef):
                    scope[node.name] = f"{module.name}.{node.name}"
                    self.bases[f"{module.name}.{node.name}"] = [f"{module.name}.{_dotted(base)}" for base in node.bases]

    def depth(self, name: str) -> int:
        """Steps from a class up to the most distant ancestor that is Arpent's own."""
        own = (self._defined(base) for base in self.bases[name])
        return max((1 + self.depth(base) for base in own if base and base != name), default=0)

    def _defined(self, name: str) -> str | None:
        """Where a name, as one module sees it, is defined as a class; None for foreign classes."""
        module, _, short = name.rpartition(".")
        target = self.scopes.get(module, {}).get(short)
        if target is None or target == name:
            return name if name in self.bases else None
        return target if target in self.bases else self._defined(target)


def _dotted(node: ast.expr) -> str:
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)


def test_the_measure_of_inheritance_can_fail(modules: list[Any]) -> None:
    """The tree of errors is two deep, and one step more would be seen."""
    family = _Family(modules)
    assert family.depth("arpent.errors.UnknownSetting") == INHERITANCE
    family.bases["arpent.errors.Deeper"] = ["arpent.errors.UnknownSetting"]
    assert family.depth("arpent.errors.Deeper") == INHERITANCE + 1


@pytest.mark.parametrize(("source", "lines"), [("def f():\n    return 1\n", 2), ("@d\ndef f(): ...\n", 1)])
def test_a_function_is_measured_without_its_decorators(source: str, lines: int) -> None:
    node = ast.parse(source).body[0]
    assert (node.end_lineno or 0) - node.lineno + 1 == lines
