"""Writing files so that what looks finished is finished, and failures say what to do."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arpent.errors import ArpentError, DiskFull, NotWritable, RunExists

__all__ = [
    "is_running",
    "output_error",
    "publish_file",
    "publish_folder",
    "remove_leftovers",
    "require_room",
    "sync_folder",
    "write_file",
    "writing",
]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}


def output_error(problem: OSError, path: str | Path) -> ArpentError | None:
    """The error of the house for an `OSError` met while writing `path`; None when it is of another kind."""
    if problem.errno in _FULL:
        return DiskFull(
            f"no space is left to write {path}",
            found=problem.strerror,
            cure="Free some space or choose another folder, then run again.",
        )
    if problem.errno in _CLOSED:
        return NotWritable(
            f"{path} cannot be written",
            found=problem.strerror,
            cure="Choose a folder that you may write to.",
        )
    return None


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns the operating system's refusals to write `path` into `DiskFull` and `NotWritable`."""
    try:
        yield
    except OSError as problem:
        known = output_error(problem, path)
        if known is None:
            raise
        raise known from problem


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable; file systems that cannot are left to their own rules."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems do not sync folders; the rename itself stays atomic there.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def publish_file(finished: Path, path: Path) -> Path:
    """Renames a `finished` file to `path`, on the same disk, such that both content and name are durable."""
    with writing(path):
        with finished.open("rb") as stream:
            os.fsync(stream.fileno())
        finished.replace(path)
        sync_folder(path.parent)
    return path


def publish_folder(finished: Path, folder: Path) -> None:
    """Renames a `finished` folder to `folder`, on the same disk; what was there goes once that is done.

    A process that is killed in between leaves the old one aside; the next call, or one of `require_room`, ends that.
    """
    with writing(folder):
        _put_back(folder)
        if not folder.is_dir():
            finished.rename(folder)
        else:
            # A folder cannot replace one that holds files, so the old one steps aside first.
            aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
            folder.rename(aside)
            try:
                finished.rename(folder)
            finally:
                if not folder.exists():
                    aside.rename(folder)
            _discard(aside)
        sync_folder(folder.parent)


def _put_back(folder: Path) -> None:
    """Ends what processes that were killed while they published a folder have begun."""
    for aside in sorted(folder.parent.glob(f".{glob.escape(folder.name)}.*")):
        match = re.fullmatch(r"(\d+)\.(old|gone)", aside.name.removeprefix(f".{folder.name}."))
        if match is None or not aside.is_dir() or _elsewhere(int(match[1])):
            continue
        if match[2] == "old" and not folder.exists():
            aside.rename(folder)
        else:
            _discard(aside)


def _discard(aside: Path) -> None:
    """Removes an old folder, under another name first: one that is removed in part is never taken for a whole one."""
    gone = aside.with_suffix(".gone")
    aside.rename(gone)
    shutil.rmtree(gone)


def _elsewhere(process: int) -> bool:
    """Whether another process of this number runs; one before this one may have had the same, as in containers."""
    return process != os.getpid() and is_running(process)


def is_running(process: int) -> bool:
    """Whether a process of this number runs on this machine, whoever's it is."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def require_room(folder: Path, mark: str, *, force: bool, read: Iterable[str | Path] = ()) -> None:
    """Refuses to put a data set where something is, unless that is one too and may be replaced.

    Args:
        folder: of the data set.
        mark: the file by which a data set of this kind is known.
        force: whether one that is there may be replaced.
        read: what it is made from, none of which may go with what is replaced.

    Raises:
        RunExists: says what is there.
    """
    with writing(folder):
        _put_back(folder)
    if not folder.exists():
        return
    if not force:
        raise RunExists(f"{folder} is there already", cure="Choose another folder, or replace it with --force.")
    if not (folder / mark).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunExists(f"{folder} is no data set, and is not replaced", cure="Choose another folder.")
    place = folder.resolve()
    inside = next((one for one in read if Path(one).resolve().is_relative_to(place)), None)
    if inside is not None:
        raise RunExists(f"{folder} holds {inside}, and is not replaced", cure="Choose another folder.")


def remove_leftovers(folder: Path) -> None:
    """Removes what `write_file` was writing when its process was killed; nobody else may be writing there."""
    for file in folder.glob(".*.partial"):
        if re.fullmatch(r"\..+\.\d+\.partial", file.name) and file.is_file():
            file.unlink()


def write_file(path: Path, content: str | bytes) -> Path:
    """Writes a small file whole or not at all: beside its place first, then renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    data = content.encode() if isinstance(content, str) else content
    with writing(path):
        try:
            beside.write_bytes(data)
            return publish_file(beside, path)
        finally:
            beside.unlink(missing_ok=True)
