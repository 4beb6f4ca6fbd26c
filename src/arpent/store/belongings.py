"""What in a run folder is the run's own: the rest is somebody's, and stays when the run goes."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from arpent.core import sync_folder, write_file, writing
from arpent.errors import RunDamaged
from arpent.store.manifest import MANIFEST, read_manifest
from arpent.store.reading import LOCK, SCRATCH, START

__all__ = ["clear", "is_run", "remember"]

_MADE = "made.jsonl"
"""File in the scratch folder that names, line by line, what the run has put beside it."""

_UNFINISHED = re.compile(r"\..+\.partial")
"""What writers call the files and folders that they have not finished."""


def is_run(path: Path) -> bool:
    """Whether the manifest is one of Arpent's, damaged or not: nothing else may be replaced by force."""
    try:
        content = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"format", "task", "products"} <= content.keys()


def remember(path: Path, names: Iterable[str]) -> None:
    """Notes files, by their names inside the run folder `path`, before they are put there."""
    record = path / SCRATCH / _MADE
    with writing(record):
        record.parent.mkdir(exist_ok=True)
        with record.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{json.dumps(name)}\n" for name in names)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(record.parent)


def clear(path: Path, start: str | None = None) -> tuple[str, ...]:
    """Removes what a run consists of, its manifest before its products: no half run is ever taken for one.

    Killed on the way, the folder is still a run, finished or unfinished, whose files are known.

    Args:
        path: the run folder, locked by the caller.
        start: the record of the run that begins in its place; None when there is to be none.

    Returns:
        The names of what is left, which is not the run's.
    """
    listed = list(_of_manifest(path))
    made = [*listed, *_of_scratch(path)]
    scratch = path / SCRATCH
    with writing(path):
        for child in scratch.iterdir() if scratch.is_dir() else ():
            if child.name not in (START, _MADE):
                _remove(child)
        remember(path, listed)
        if start is not None:
            write_file(scratch / START, start)
        (path / MANIFEST).unlink(missing_ok=True)
        for name in made:
            _remove_inside(path, name)
        for child in path.iterdir():
            if _UNFINISHED.fullmatch(child.name):
                _remove(child)
        (scratch / _MADE).unlink(missing_ok=True)
        if start is None:
            shutil.rmtree(scratch)
    return tuple(sorted(child.name for child in path.iterdir() if child.name not in (LOCK, SCRATCH)))


def _of_manifest(path: Path) -> Iterator[str]:
    if not is_run(path):
        return
    try:
        manifest = read_manifest(path / MANIFEST)
    except RunDamaged:  # nothing that it says can be trusted, least of all to name what to remove
        return
    for record in manifest.files():
        yield record.file


def _of_scratch(path: Path) -> Iterator[str]:
    record = path / SCRATCH / _MADE
    lines = record.read_text("utf-8").splitlines() if record.is_file() else []
    for line in lines:
        try:
            name = json.loads(line)
        except ValueError:  # its writer was killed before the file was put in its place
            continue
        if isinstance(name, str):
            yield name


def _remove_inside(path: Path, name: str) -> None:
    """Removes a file of the run, and the folders below the run's that are empty then; nothing outside."""
    file = path / name
    home = path.resolve()
    if not file.parent.resolve().is_relative_to(home) or file.is_dir():
        return
    file.unlink(missing_ok=True)
    folder = file.parent
    while folder.resolve() != home and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _remove(child: Path) -> None:
    if child.is_dir() and not child.is_symlink():
        shutil.rmtree(child)
    else:
        child.unlink()
