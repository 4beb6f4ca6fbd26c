"""One writer per run folder."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from arpent.core import writing
from arpent.core.writing import is_running
from arpent.errors import RunLocked

__all__ = ["RunLock"]

_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""Answers of file systems that have no advisory locks (some network mounts)."""


_LONGEST = 512
"""Bytes of a lock file: a number, and a name of a machine, which has 253 letters at most."""


@dataclass(frozen=True)
class _Owner:
    """Who has written a lock file.

    Attributes:
        process: its number.
        host: name of its machine; of this one where the file names none.
    """

    process: int
    host: str

    @property
    def elsewhere(self) -> bool:
        """Whether it is on another machine, whose processes cannot be seen from here."""
        return self.host != socket.gethostname()


class RunLock:
    """An advisory lock on a file that also names its owner's process and machine.

    The kernel drops the lock when its process ends, however it ends: a file left behind by a killed run is no
    obstacle. Where the file system has no locks, the process number decides; that of another machine counts as alive,
    since nothing tells that it is not.

    Args:
        path: of the lock file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
            RunLocked: another living process has it.
            NotWritable: the lock file cannot be made.
        """
        while self._handle is None:
            with writing(self.path):
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                if _busy(handle, fcntl.LOCK_EX):
                    raise self._refusal(handle)
                # Between our opening and locking it, the last owner may have removed the file: then it locks nothing.
                if not _still_there(handle, self.path):
                    continue
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
                self._handle, handle = handle, -1
            finally:
                if handle >= 0:
                    os.close(handle)

    def release(self) -> None:
        """Gives the lock back and removes its file; harmless when it is not held."""
        if self._handle is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    @staticmethod
    def held(path: Path) -> bool:
        """Whether a living process holds the lock at `path`."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            return _busy(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)

    def _refusal(self, handle: int) -> RunLocked:
        owner = _owner(handle)
        if owner is not None and owner.elsewhere:
            return RunLocked(
                f"{self.path.parent} is being written from another machine",
                found=f"process {owner.process} on {owner.host}",
                cure=f"Wait for it to end; where it is known to be gone, remove {self.path}.",
            )
        return RunLocked(
            f"{self.path.parent} is being written by another process",
            found=f"process {owner.process}" if owner else None,
            cure="Wait for it to end, or choose another name or folder.",
        )


def _busy(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as problem:
        if problem.errno not in _UNSUPPORTED:
            raise
        owner = _owner(handle)
        if owner is None:
            return False
        return owner.elsewhere or (owner.process != os.getpid() and is_running(owner.process))
    return False


def _owner(handle: int) -> _Owner | None:
    process, _, host = os.pread(handle, _LONGEST, 0).decode("ascii", "replace").partition("\n")[0].partition(" ")
    return _Owner(int(process), host.strip() or socket.gethostname()) if process.isdecimal() else None


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
