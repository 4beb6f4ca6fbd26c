"""The list of registered run folders, kept beside the database so that the database can be thrown away."""

from __future__ import annotations

import json
from pathlib import Path

from arpent.core import write_file
from arpent.core.small_files import read_small
from arpent.errors import FileMissing
from arpent.web.alone import alone

__all__ = ["forget", "has_list", "known_runs", "remember"]

_NAME = "runs.json"
_MOST_BYTES = 16 << 20


def known_runs(data: Path) -> list[Path]:
    """The run folders that were registered, in that order."""
    try:
        listed = json.loads(read_small(data / _NAME, "list of runs", most=_MOST_BYTES))
    except (FileMissing, ValueError, RecursionError):
        return []  # the list is a convenience: without it, runs are named again
    return [Path(path) for path in listed if isinstance(path, str)] if isinstance(listed, list) else []


def has_list(data: Path) -> bool:
    """Whether there is a list at all."""
    return (data / _NAME).is_file()


def remember(data: Path, run: Path) -> None:
    """Adds a run folder; one that is there keeps its place."""
    with alone(data):
        known = known_runs(data)
        if run not in known:
            _write(data, [*known, run])


def forget(data: Path, run: Path) -> None:
    """Takes a run folder off the list."""
    with alone(data):
        _write(data, [path for path in known_runs(data) if path != run])


def _write(data: Path, runs: list[Path]) -> None:
    write_file(data / _NAME, json.dumps([str(path) for path in runs], indent=1) + "\n")
