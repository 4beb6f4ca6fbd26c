"""When what a run has read was last changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from arpent.store.manifest import MANIFEST
from arpent.store.reading import SCRATCH

__all__ = ["changes_of"]


def changes_of(place: Path) -> Iterator[float]:
    """When a file was last changed, or those of a folder, but for runs in it; nothing where nothing lies.

    In seconds since 1970.
    """
    for file in _files_in(place) if place.is_dir() else (place,):
        with suppress(OSError):  # gone meanwhile
            yield file.stat().st_mtime


def _files_in(place: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(place):
        if folder != str(place) and (MANIFEST in files or SCRATCH in inner):
            inner.clear()
            continue
        yield from (Path(folder) / file for file in files)
