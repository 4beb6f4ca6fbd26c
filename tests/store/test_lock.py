from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

import pytest

from arpent.core.writing import is_running
from arpent.errors import NotWritable, RunLocked
from arpent.store import RunLock


def test_a_lock_is_taken_once_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    lock = RunLock(path)
    assert not RunLock.held(path)
    lock.acquire()
    assert RunLock.held(path)
    assert path.read_text() == f"{os.getpid()} {socket.gethostname()}\n"
    with pytest.raises(RunLocked):
        RunLock(path).acquire()
    lock.release()
    lock.release()
    assert not path.exists()


def test_a_file_left_behind_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text("999999999\nwhatever")
    assert not RunLock.held(path)
    RunLock(path).acquire()
    assert path.read_text() == f"{os.getpid()} {socket.gethostname()}\n"


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".lock").symlink_to(victim)
    with pytest.raises((NotWritable, OSError)):
        RunLock(tmp_path / ".lock").acquire()
    assert victim.read_text() == "precious"


def test_a_file_removed_between_opening_and_locking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, calls = tmp_path / ".lock", fcntl.flock, []

    def removing(handle: int, kind: int) -> None:
        if not calls:
            path.unlink()
        calls.append(kind)
        real(handle, kind)

    monkeypatch.setattr(fcntl, "flock", removing)
    RunLock(path).acquire()
    assert len(calls) == 2
    assert path.read_text() == f"{os.getpid()} {socket.gethostname()}\n"


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)


OWNERS = [("1", False), ("999999999", True), ("9" * 30, True), ("what", True)]


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize(("owner", "free"), [*OWNERS, *((f"{owner} {{here}}\n", free) for owner, free in OWNERS)])
def test_without_locks_the_process_number_decides(tmp_path: Path, owner: str, free: bool) -> None:
    owner = owner.format(here=socket.gethostname())
    path = tmp_path / ".lock"
    path.write_text(owner)
    assert RunLock.held(path) is not free
    if free:
        RunLock(path).acquire()
    else:
        with pytest.raises(RunLocked, match="process 1"):
            RunLock(path).acquire()


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_process_of_another_machine_is_never_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, here = tmp_path / ".lock", socket.gethostname()
    monkeypatch.setattr(socket, "gethostname", lambda: "node7")
    there = RunLock(path)
    there.acquire()
    monkeypatch.setattr(socket, "gethostname", lambda: here)
    assert RunLock.held(path)
    with pytest.raises(RunLocked) as refused:
        RunLock(path).acquire()
    assert f"found process {os.getpid()} on node7" in str(refused.value)
    assert str(refused.value).endswith(f"where it is known to be gone, remove {path}.")
    assert "\n" not in str(refused.value)
    there.release()
    assert not RunLock.held(path)


def test_a_living_process_of_another_user_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(process: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)
    assert is_running(1)


def test_other_errors_of_the_system_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int, kind: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output"):
        RunLock(tmp_path / ".lock").acquire()
