"""Reading YAML that a stranger wrote, and the ``key=value`` pairs that refine it."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from arpent.core.small_files import read_small
from arpent.errors import InvalidSetting

__all__ = ["load_yaml", "merge", "place"]

_DEEPEST = 32
"""Levels of nesting; settings have three or four."""


class _Loader(yaml.SafeLoader):
    """Plain values only, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is given twice or cannot be a key", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping.

    Only plain values are read: tags that build objects, anchors and aliases (which can unfold to gigabytes),
    repeated keys, deep nesting and files of more than 256 KiB are refused.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: a folder, or a file that may not be read.
        InvalidSetting: what is there is not such a mapping.
    """
    file = Path(path)
    content = read_small(file, "settings file")
    value = _plain(content, file.name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidSetting(
            f"{file.name} is not a table of settings",
            found=type(value).__name__ if not isinstance(value, dict) else "keys that are not words",
            expected="lines like 'epochs: 30'",
            cure="Write one 'name: value' per line.",
        )
    return value


def merge(mapping: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """A copy of `mapping` refined by ``["optimizer.rate=1e-3", "bands=[red, green]"]``.

    The part after the first ``=`` is read as YAML, so a value means what it would mean in the file.
    """
    merged = copy.deepcopy(dict(mapping))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InvalidSetting(
                f"'{assignment}' sets nothing", expected="name=value", cure="For example: --set epochs=30."
            )
        place(merged, key.strip(), _plain(text.encode(), f"--set {key.strip()}"))
    return merged


def place(mapping: dict[str, Any], path: str, value: object) -> None:
    """Puts `value` at a dotted `path` of nested mappings, in place; missing levels are made."""
    *groups, name = path.split(".")
    if not name or not all(groups):
        raise InvalidSetting(
            f"'{path}' is not the name of a setting", expected="name or group.name", cure="For example: epochs."
        )
    inner = mapping
    for group in groups:
        below = inner.setdefault(group, {})
        if not isinstance(below, dict):
            raise InvalidSetting(
                f"'{path}' cannot be set since '{group}' is not a group",
                found=f"{group}: {below!r}",
                cure=f"Set '{group}' itself, or drop its value.",
            )
        inner = below
    inner[name] = value


def _plain(content: bytes, where: str) -> object:
    """The value of a YAML text."""
    try:
        text = content.decode("utf-8-sig")
        _refuse_bombs(text, where)
        return yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidSetting(
            f"{where} is not YAML that can be used{line}",
            found=" ".join(filter(None, (problem.context, problem.problem))),
            cure="Correct that line.",
        ) from problem
    # ValueError: not UTF-8, or no such date or number. The others: a value that its tag belies (!!bool maybe).
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, TypeError) as problem:
        raise InvalidSetting(
            f"{where} is not YAML that can be used", found=problem, cure="Save it as plain UTF-8 text."
        ) from problem


def _refuse_bombs(text: str, where: str) -> None:
    """Looks at the events first: they take memory in proportion to the text, whatever it would unfold to."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        reason = None
        if getattr(event, "anchor", None):
            reason = "anchors and aliases"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            reason = reason or (f"more than {_DEEPEST} levels" if depth > _DEEPEST else None)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if reason:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InvalidSetting(
                f"{where} holds {reason} at line {line}, which are not read here",
                cure="Write the values out in full.",
            )
