"""Writing files so that what looks finished is finished, and failures say what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arpent.errors import ArpentError, DiskFull, NotWritable

__all__ = ["output_error", "publish_file", "remove_leftovers", "sync_folder", "write_file", "writing"]

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
