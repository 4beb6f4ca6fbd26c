"""Whole files on their way to and from object stores, when this machine's disk fails meanwhile."""

from __future__ import annotations

import errno
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from arpent.errors import FileMissing, NetworkMissing, NotWritable, UnreadableFile
from arpent.io import objects, retry

PLACE = "s3://land/runs/x/classes.tif"


class Disk(io.RawIOBase):
    """A file on a disk that fails after so many bytes."""

    def __init__(self, size: int, fails: BaseException) -> None:
        self.left, self.fails = size, fails

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.left:
            raise self.fails
        count = min(len(buffer), self.left)
        buffer[:count] = b"x" * count
        self.left -= count
        return count


class BadFile(type(Path())):  # type: ignore[misc]
    """A path to such a file."""

    size = 9 << 20
    fails: BaseException = OSError(errno.EIO, "Input/output error")
    opened = 0

    def open(self, *_: Any, **__: Any) -> Any:
        type(self).opened += 1
        return io.BufferedReader(Disk(self.size, self.fails))


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> type[BadFile]:
    """Nobody waits, and the count begins anew."""
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(BadFile, "opened", 0)
    return BadFile


@pytest.mark.parametrize("size", [1000, 9 << 20])
def test_a_disk_that_fails_leaves_no_half_object(
    s3: Any, bad: type[BadFile], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(bad, "size", size)
    with pytest.raises(
        UnreadableFile, match=r"classes.tif cannot be read \(found Input/output error\). Check its disk"
    ):
        objects.put_object(bad("stage/classes.tif"), PLACE)
    assert bad.opened == 1  # no network has failed, so nobody tries again
    assert PLACE.removeprefix("s3://land/") not in s3.keys("land")


def test_who_interrupts_leaves_no_half_object(s3: Any, bad: type[BadFile], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad, "fails", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        objects.put_object(bad("stage/classes.tif"), PLACE)
    assert PLACE.removeprefix("s3://land/") not in s3.keys("land")


def test_a_file_that_is_gone_is_not_sought_in_the_store(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=rf"there is no {tmp_path}/gone.tif"):
        objects.put_object(tmp_path / "gone.tif", PLACE)
    assert s3.keys("land") == []


def test_a_disk_that_takes_no_more_is_no_fault_of_the_network(
    s3: Any, bad: type[BadFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.client.put_object(Bucket="land", Key="runs/x/classes.tif", Body=b"pixels")
    tries = []

    class Worn(io.RawIOBase):
        def write(self, _: Any) -> int:
            tries.append(1)
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Worn())
    with pytest.raises(NotWritable, match=r"cannot be written \(found Input/output error\)"):
        objects.fetch_object(PLACE, tmp_path / "classes.tif")
    assert len(tries) == 1


def test_a_store_that_goes_away_is_still_tried_again(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tif").write_bytes(b"pixels")
    with s3.away():
        monkeypatch.setattr(retry, "PAUSES", (0.01,))
        with pytest.raises(NetworkMissing, match="cannot be reached"):
            objects.put_object(tmp_path / "a.tif", PLACE)
    monkeypatch.setattr(retry, "PAUSES", (1.0, 2.0, 4.0))
    with s3.away(0.5):
        objects.put_object(tmp_path / "a.tif", PLACE)
    assert objects.object_sha256(PLACE) == hashlib.sha256(b"pixels").hexdigest()
