"""What in a run folder is the run's own: the rest is somebody's, and stays when the run goes."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from arpent.core import sync_folder, write_file, writing
from arpent.errors import InvalidSetting, RunDamaged
from arpent.store.manifest import MANIFEST, read_manifest
from arpent.store.reading import LOCK, SCRATCH, START

__all__ = ["MADE", "clear", "is_replacing", "is_run", "put_back", "refuse_inputs", "remember", "set_aside"]

MADE = "made.jsonl"
"""File in the scratch folder that names, line by line, what the run has put beside it."""

_REPLACED = "replaced"
"""Folder in the scratch folder that holds a finished run until the one that replaces it is finished too."""

_REPLACING = "replacing"
"""What `_REPLACED` is called while files of the old run are on their way there or back: the others lie in their old
places, and those in their old places are the old run's."""

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
    record = path / SCRATCH / MADE
    with writing(record):
        record.parent.mkdir(exist_ok=True)
        with record.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{json.dumps(name)}\n" for name in names)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(record.parent)


def refuse_inputs(path: Path, inputs: Iterable[str | Path]) -> None:
    """Refuses to replace what is to be read.

    Args:
        path: the run folder that would be replaced.
        inputs: files and folders that the new run reads; what is not there, as an address, is nobody's loss.

    Raises:
        InvalidSetting: an input is the folder or lies in it, or is a run in which the folder lies.
    """
    home = path.resolve()
    for source in inputs:
        given = Path(source)
        if not os.path.lexists(given):
            continue
        places = (given.resolve(), given.parent.resolve() / given.name)
        if any(place.is_relative_to(home) for place in places) or (is_run(given) and home.is_relative_to(places[0])):
            raise InvalidSetting(
                f"the run {path} cannot be replaced by one that reads {given}",
                expected="an output folder apart from every input",
                cure="Choose another folder with -o.",
            )


def clear(path: Path, start: str | None = None) -> tuple[str, ...]:
    """Removes what an unfinished run consists of, and sets a finished one aside: no half run is ever taken for one.

    Killed on the way, the folder is still a run, finished or unfinished, whose files are known.

    Args:
        path: the run folder, locked by the caller.
        start: the record of the run that begins in its place; None when there is to be none.

    Returns:
        The names of what is left, which is not the run's.
    """
    scratch = path / SCRATCH
    # Beside a manifest, what was replaced is what that very run has replaced: nobody cleared up after it.
    kept = {START, MADE, _REPLACING} if (path / MANIFEST).exists() else {START, MADE, _REPLACING, _REPLACED}
    with writing(path):
        scratch.mkdir(exist_ok=True)
        for child in scratch.iterdir():
            if child.name not in kept:
                _remove(child)
        if start is not None:
            write_file(scratch / START, start)
        set_aside(path)
        _remove_made(path)
        if start is None:
            shutil.rmtree(scratch)
    return tuple(sorted(child.name for child in path.iterdir() if child.name not in (LOCK, SCRATCH)))


def set_aside(path: Path) -> None:
    """Moves a finished run into the scratch folder, its manifest first; goes on where an earlier try was killed."""
    stage = path / SCRATCH / _REPLACING
    with writing(path):
        if (path / MANIFEST).exists():
            stage.mkdir(exist_ok=True)
            (path / MANIFEST).replace(stage / MANIFEST)
            sync_folder(stage)
        elif not (stage / MANIFEST).exists():
            return
        home = path.resolve()
        for name in _of_manifest(stage):
            file = path / name
            if _is_inside(file, home):
                goal = stage / file.parent.resolve().relative_to(home) / file.name
                goal.parent.mkdir(parents=True, exist_ok=True)
                file.replace(goal)
                _prune(file.parent, home)
        stage.rename(stage.with_name(_REPLACED))
        sync_folder(stage.parent)


def is_replacing(path: Path) -> bool:
    """Whether a finished run stands aside for the one that is being written."""
    return (path / SCRATCH / _REPLACED).is_dir()


def put_back(path: Path) -> bool:
    """Removes an unfinished run in favour of the finished one that it was to replace; whether there was one."""
    scratch = path / SCRATCH
    if not is_replacing(path):
        return False
    with writing(path):
        _remove_made(path)
        stage = (scratch / _REPLACED).rename(scratch / _REPLACING)
        for file in sorted(stage.rglob("*")):
            goal = path / file.relative_to(stage)
            if goal != path / MANIFEST and (file.is_symlink() or not file.is_dir()):
                goal.parent.mkdir(parents=True, exist_ok=True)
                file.replace(goal)
        sync_folder(path)
        (stage / MANIFEST).replace(path / MANIFEST)
        sync_folder(path)
    shutil.rmtree(scratch, ignore_errors=True)  # the old run is whole again whether or not this succeeds
    return True


def _remove_made(path: Path) -> None:
    """Removes what an unfinished run has put beside its scratch folder, and then the list of it."""
    home = path.resolve()
    for name in _of_scratch(path):
        file = path / name
        if _is_inside(file, home):
            file.unlink()
            _prune(file.parent, home)
    for child in path.iterdir():
        if _UNFINISHED.fullmatch(child.name):
            _remove(child)
    (path / SCRATCH / MADE).unlink(missing_ok=True)


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
    record = path / SCRATCH / MADE
    lines = record.read_text("utf-8").splitlines() if record.is_file() else []
    for line in lines:
        try:
            name = json.loads(line)
        except (ValueError, RecursionError):  # its writer was killed before the file was put in its place
            continue
        if isinstance(name, str):
            yield name


def _is_inside(file: Path, home: Path) -> bool:
    """Whether there is such a file or link, in the run folder itself and not where a link leads out of it."""
    return os.path.lexists(file) and not file.is_dir() and file.parent.resolve().is_relative_to(home)


def _prune(folder: Path, home: Path) -> None:
    """Removes the folder and those above it, below the run's, as far as they are empty."""
    while folder.resolve() != home and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _remove(child: Path) -> None:
    if child.is_dir() and not child.is_symlink():
        shutil.rmtree(child)
    else:
        child.unlink()
