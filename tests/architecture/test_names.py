"""Names that say something, public lists that are whole, and none of the words that must not appear."""

import ast
import re
from pathlib import Path
from typing import Any

from arpent import errors

EMPTY_NAMES = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "stuff", "tools", "util", "utils"}

# Written in pieces, so that this list is not what it forbids.
MACHINE_WORDS = [
    r"(^|[^\w.])/(" + "|".join(["work", "root", "farm"]) + r")/",
    r"/t" r"mp/\w",
    r"files\.\w*" r"hosted",
    r"https?://\S*/sim" r"ple\b",
    r"\bwork" r"place\b",
    r"\bthis ses" r"sion\b",
    r"\bhelper" r"-\d",
    r"\bshared" r"(/|[\"'][/, ]+[\"'])data\b",
]
FALLBACK = (
    "tests/conftest.py",
    'return Path(os.environ.get("ARPENT_DATA") or ROOT.parent / "share' + 'd" / "data")',
)  # where the build machine keeps its images, beside `$ARPENT_DATA`
UNFINISHED = ["TODO", "FIXME", "XXX", "HACK", "NotImplementedError"]
TEXT = {".cff", ".css", ".html", ".js", ".json", ".lock", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}


def test_no_module_is_named_after_nothing(modules: list[Any]) -> None:
    empty = [module.name for module in modules if set(re.split(r"[._]", module.name)) & EMPTY_NAMES]
    assert empty == []


def test_every_module_lists_what_it_offers(modules: list[Any]) -> None:
    """A sorted `__all__` in each module that defines anything: constants, then classes, then functions."""
    for module in modules:
        body = [node for node in module.tree.body if not isinstance(node, ast.Expr)]
        if not body or module.name == "arpent.__main__":  # `python -m arpent` offers nothing to importers
            continue
        assert module.exported is not None, f"{module.name} has no __all__"
        assert module.exported == sorted(module.exported, key=_kind_and_name), f"{module.name}: __all__ is not sorted"
        assert len(set(module.exported)) == len(module.exported), f"{module.name}: __all__ names a thing twice"


def _kind_and_name(name: str) -> tuple[int, str]:
    """Sorts as the linter does."""
    if name.isupper():
        return 0, name
    return (1 if name[:1].isupper() else 2), name


def test_what_a_module_offers_is_there(modules: list[Any]) -> None:
    for module in modules:
        bound = set(_bound(module.tree))
        lazy = "__getattr__" in bound
        missing = [name for name in module.exported or [] if name not in bound and not lazy]
        assert missing == [], f"{module.name} exports what it does not have"


def test_every_public_thing_is_explained(modules: list[Any]) -> None:
    """Modules, and the functions and classes that they export, have a docstring."""
    for module in modules:
        assert ast.get_docstring(module.tree), f"{module.name} has no docstring"
        for node in module.tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and not _is_an_overload(node)
            ):
                assert ast.get_docstring(node), f"{module.name}.{node.name} has no docstring"


def _is_an_overload(node: ast.stmt) -> bool:
    """What several signatures have in common is explained once, where the function itself stands."""
    return any(getattr(mark, "id", "") == "overload" for mark in getattr(node, "decorator_list", ()))


def test_no_print_and_no_broad_except(modules: list[Any]) -> None:
    """Results go through the console of the command line; errors are named, not swallowed."""
    found = []
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                found.append(f"{module.name}:{node.lineno} prints")
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _is_the_last_net(module, node):
                found.append(f"{module.name}:{node.lineno} catches everything")
    assert found == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or getattr(name, "id", "") in {"Exception", "BaseException"} for name in names)


def _is_the_last_net(module: Any, handler: ast.ExceptHandler) -> bool:
    """The command line's main may catch what nobody foresaw; anyone may clean up and raise again."""
    raises_again = any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    return module.name == "arpent.cli.app" or raises_again


def test_the_tree_of_errors_is_drawn_whole() -> None:
    """The docstring of `errors` shows each class once, under its parent, with the class's own sentence."""
    drawn = dict(re.findall(r"(?:├── |└── )(\w+) +(.+)", errors.__doc__ or ""))
    classes = {name: getattr(errors, name) for name in errors.__all__ if name not in {"ArpentError", "nearest"}}
    assert set(drawn) == set(classes)
    for name, kind in classes.items():
        sentence = (kind.__doc__ or "").rstrip(".")
        assert drawn[name].casefold() == sentence.casefold(), name


def test_nothing_tells_where_it_was_made(tracked: list[Path], root: Path) -> None:
    """No path of one machine, no registry host: what is written here holds anywhere."""
    pattern = re.compile("|".join(MACHINE_WORDS), re.IGNORECASE)
    found = []
    for path in tracked:
        if path.suffix not in TEXT:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if (match := pattern.search(line)) and (str(path.relative_to(root)), line.strip()) != FALLBACK:
                found.append(f"{path.relative_to(root)}:{number}: {match[0].strip()}")
    assert found == []


def test_the_forbidden_words_would_be_found() -> None:
    pattern = re.compile("|".join(MACHINE_WORDS), re.IGNORECASE)
    for line in (
        "see /" + "work/main",
        '"share' + 'd" / "data"',
        "../share" + "d/data",
        "in /t" + "mp/result.tif",
        "https://host/sim" + "ple/",
        "the work" + "place",
    ):
        assert pattern.search(line), line
    for line in ("network/tiles", "a framework/", "tmp_path / 'a.tif'", "https://host/simpler"):
        assert not pattern.search(line), line


def test_nothing_is_left_unfinished(modules: list[Any]) -> None:
    found = [
        f"{module.name}: {word}" for module in modules for word in UNFINISHED if re.search(rf"\b{word}\b", module.text)
    ]
    assert found == []


def test_exceptions_to_the_rules_name_the_rule(modules: list[Any]) -> None:
    """`type: ignore` and `noqa` say which complaint they silence."""
    found = []
    for module in modules:
        for number, line in enumerate(module.text.splitlines(), 1):
            if re.search(r"#\s*type:\s*ignore(?!\[)", line) or re.search(r"#\s*noqa(?!:)", line):
                found.append(f"{module.name}:{number}")
    assert found == []


def _bound(tree: ast.Module) -> list[str]:
    """Names that a module binds at its top level, also under ``if``, ``try`` and ``with``."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [(entry.asname or entry.name).split(".")[0] for entry in node.names]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
    return names
