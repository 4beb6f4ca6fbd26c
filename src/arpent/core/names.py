"""The tables of sensors and nomenclatures that ship with Arpent, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["table"]


@cache
def table(name: str) -> dict[str, Any]:
    """The content of ``core/tables/<name>.toml``. Shared: treat it as read-only."""
    return tomllib.loads(files("arpent.core").joinpath("tables", f"{name}.toml").read_text("utf-8"))
