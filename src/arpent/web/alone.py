"""One at a time: what several processes on one folder must not do at the same moment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arpent.core import writing

__all__ = ["alone", "beside_others", "undisturbed"]

_FILE = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other process or thread is in such a block of that folder, which is made if need be.

    The kernel ends the wait when a process ends, however it ends.

    Raises:
        NotWritable: the folder cannot be written.
    """
    with _locked(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def beside_others(folder: Path) -> Iterator[None]:
    """For long work that several may do at once in that folder, but nobody who must be `undisturbed`."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def undisturbed(folder: Path) -> Iterator[bool]:
    """Whether nobody works in that folder now; if so, nobody begins until the block ends."""
    with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_alone:
        yield is_alone


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[bool]:
    with writing(folder / _FILE):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        is_free = True
        try:
            fcntl.flock(handle, kind)
        except BlockingIOError:
            is_free = False
        except OSError:
            pass  # a file system without locks: the last to write wins, as without all this
        yield is_free
    finally:
        os.close(handle)
