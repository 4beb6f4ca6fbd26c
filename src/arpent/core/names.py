"""The tables of sensors and nomenclatures: those that ship with Arpent, read once, and people's own."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from arpent.core.small_files import read_small
from arpent.core.yaml_files import load_yaml
from arpent.errors import InvalidSetting

__all__ = ["is_document", "load_document", "table"]

_TOML, _YAML = {".toml"}, {".yaml", ".yml"}


@cache
def table(name: str) -> dict[str, Any]:
    """The content of ``core/tables/<name>.toml``. Shared: treat it as read-only."""
    return tomllib.loads(files("arpent.core").joinpath("tables", f"{name}.toml").read_text("utf-8"))


def is_document(name: str) -> bool:
    """Whether a name is that of a file of somebody's own (``mine.yaml``), not of an entry of Arpent's tables."""
    return Path(name).suffix.casefold() in _TOML | _YAML


def load_document(path: Path) -> dict[str, Any]:
    """The content of a TOML or YAML file of somebody's own.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: a folder, or a file that may not be read.
        InvalidSetting: what is there is neither TOML nor YAML, or too large for a table.
    """
    return _load_toml(path) if path.suffix.casefold() in _TOML else load_yaml(path)


def _load_toml(path: Path) -> dict[str, Any]:
    content = read_small(path, "TOML file")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise InvalidSetting(
            f"{path.name} is not TOML that can be used", found=problem, cure="Correct it."
        ) from problem
