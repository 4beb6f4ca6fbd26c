"""How a run begins: in an empty folder, over another run, or where an earlier attempt has stopped."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from arpent.core import remove_leftovers, sync_folder, write_file, writing
from arpent.errors import FileMissing, InvalidSetting, NotWritable, RunDamaged, RunExists
from arpent.store.belongings import MADE, clear, is_run, set_aside
from arpent.store.manifest import MANIFEST, read_manifest
from arpent.store.reading import LOCK, SCRATCH, START

__all__ = ["KEPT", "Begun", "Start", "Wish", "begin", "file_name", "folder_for", "keep_open", "make_folder", "refuse"]

KEPT = "kept"
"""Folder in the scratch folder of a task that can do later what has failed: what it needs for that."""


class Start(BaseModel):
    """What a run was begun as; kept in its scratch folder until nothing of it is left to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: str
    name: str
    created: AwareDatetime
    settings: Mapping[str, Any] = {}
    attempts: int = 1


@dataclass(frozen=True)
class Wish:
    """What to do with what is in the folder.

    Attributes:
        force: replace it.
        resume: go on with it, where it is the same run, unfinished or finished in part.
    """

    force: bool = False
    resume: bool = False

    def reopens(self, path: Path) -> bool:
        """Whether a finished run is to be gone on with."""
        return self.resume and not self.force and _can_reopen(path)


@dataclass(frozen=True)
class Begun:
    """A folder made ready: what the run was begun as, and what in it is not the run's."""

    start: Start
    foreign: tuple[str, ...] = ()


def file_name(name: str) -> str:
    """The name in small letters, digits and dashes: "Été à Cahors" becomes "ete-a-cahors"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80] or "run"


def folder_for(root: Path, start: Start, wish: Wish) -> Path:
    """The dated folder of a run below `root`."""
    today = root / f"{start.created.astimezone():%Y-%m-%d}-{file_name(start.task)}-{start.name}"
    if wish.resume and root.is_dir():
        # A run begun on an earlier day keeps that day's name.
        dated = re.compile(rf"\d{{4}}-\d\d-\d\d-{re.escape(today.name[11:])}")
        begun = [p for p in root.iterdir() if dated.fullmatch(p.name) and (p / SCRATCH / START).exists()]
        return max((p for p in begun if not (p / MANIFEST).exists() or wish.reopens(p)), default=today)
    return today


def make_folder(path: Path) -> None:
    """Makes the folder of a run.

    Raises:
        NotWritable: it cannot be made.
    """
    try:
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:  # /proc says that there is no such file, other places have words of their own
        raise NotWritable(
            f"the folder {path} cannot be made",
            found=problem.strerror,
            cure="Choose a folder that you may write to.",
        ) from problem


def refuse(path: Path, wish: Wish) -> None:
    """Refuses to begin where a finished run is that is neither to be replaced nor gone on with.

    Raises:
        RunExists: there is one.
    """
    if not (path / MANIFEST).exists() or wish.force or wish.reopens(path):
        return
    if _can_reopen(path):
        raise RunExists(
            f"the run {path} is there already, and some of it has failed",
            cure="Do that with --resume, choose another folder with -o, or replace the run with --force.",
        )
    raise RunExists(
        f"the run {path} is there already",
        cure="Choose another folder with -o, or replace it with --force.",
    )


def begin(path: Path, start: Start, wish: Wish) -> Begun:
    """Makes the folder ready, under the lock."""
    refuse(path, wish)
    record = path / SCRATCH / START
    begun = record.exists()
    if not begun:
        remove_leftovers(record.parent)  # of one that was killed while it noted what it was begun as
    others = sorted(p.name for p in path.iterdir() if p.name != LOCK and p != record.parent)
    if not begun and not is_run(path) and (others or any(path.glob(f"{SCRATCH}/*"))):
        raise RunExists(
            f"the folder {path} holds something else",
            found=", ".join(others[:3]) or SCRATCH,
            expected="an empty folder or a run",
            cure="Choose another folder.",
        )
    if begun and not wish.force and not wish.resume:
        raise RunExists(
            f"the run {path} was begun and not finished",
            cure="Go on with --resume, or start over with --force.",
        )
    if begun and wish.resume and not wish.force:
        start = _resumed(record, start)
        if wish.reopens(path):
            _reopen(path)
        set_aside(path)
        remove_leftovers(path)
        write_file(record, start.model_dump_json(indent=2))
        return Begun(start)
    return Begun(start, clear(path, start.model_dump_json(indent=2)))


def keep_open(path: Path) -> None:
    """Leaves of the scratch folder of a run, finished in part, what `begin` needs to go on with it."""
    scratch = path / SCRATCH
    for child in scratch.iterdir():
        if child.name in (START, MADE, KEPT):
            continue
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)


def _can_reopen(path: Path) -> bool:
    """Whether there is a partial run that has kept what it needs, and not one that another was to replace."""
    if not (path / SCRATCH / KEPT).is_dir():
        return False
    try:
        manifest = read_manifest(path / MANIFEST)
    except (FileMissing, RunDamaged):
        return False
    return manifest.status == "partial" and _created(path / SCRATCH / START) == manifest.created


def _created(record: Path) -> datetime | None:
    try:
        return Start.model_validate_json(record.read_bytes()).created
    except (OSError, ValidationError):
        return None


def _reopen(path: Path) -> None:
    """Makes a partial run an unfinished one, whose products stay in their places."""
    with writing(path):
        (path / MANIFEST).unlink()
        sync_folder(path)


def _resumed(record: Path, start: Start) -> Start:
    try:
        before = Start.model_validate_json(record.read_bytes())
    except ValidationError as problem:
        raise RunExists(
            f"the unfinished run {record.parent.parent} cannot be understood", cure="Start over with --force."
        ) from problem
    wanted = json.loads(start.model_dump_json())["settings"]
    differing = sorted(k for k in wanted.keys() | before.settings.keys() if wanted.get(k) != before.settings.get(k))
    if before.task != start.task or differing:
        raise InvalidSetting(
            f"the run {record.parent.parent} was begun with other settings",
            found=f"a difference in {', '.join(differing) or 'the task'}",
            cure="Resume with the same settings, or start over with --force.",
        )
    return before.model_copy(update={"attempts": before.attempts + 1})
