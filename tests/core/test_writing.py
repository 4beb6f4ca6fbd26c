from __future__ import annotations

import errno
import hashlib
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arpent.core import Silent, file_sha256, output_error, write_file, writing
from arpent.core.writing import publish_folder, require_room
from arpent.errors import DiskFull, FileMissing, NotWritable, RunExists, UnreadableFile


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert file_sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()
    with pytest.raises(FileMissing):
        file_sha256(tmp_path / "y")
    with pytest.raises(UnreadableFile):
        file_sha256(tmp_path)


def test_a_written_file_is_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_file(path, "été")
    write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["m.json"]


@pytest.mark.parametrize("place", ["no/such/folder/x", "file/x"])
def test_other_failures_keep_their_name(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((FileNotFoundError, NotWritable)):
        write_file(tmp_path / place, "x")


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(NotWritable):
        write_file(tmp_path / "m", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that the test may not write to, even where the tests are run by root."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    yield tmp_path
    os.seteuid(me)
    tmp_path.chmod(stat.S_IRWXU)


def test_a_folder_without_the_right_to_write(closed_folder: Path) -> None:
    with pytest.raises(NotWritable):
        write_file(closed_folder / "x", "x")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("old")
    script = (
        "import resource, signal, sys; from pathlib import Path; from arpent.core import write_file\n"
        "from arpent.errors import DiskFull\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_file(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except DiskFull as error: print(error); sys.exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "m"], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert "no space is left" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_text() == "old"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_errors_of_other_kinds_are_nobodys() -> None:
    assert isinstance(output_error(OSError(errno.ENOSPC, "full"), "x"), DiskFull)
    assert output_error(OSError(errno.EIO, "broken"), "x") is None
    with pytest.raises(OSError, match="broken"), writing("x"):
        raise OSError(errno.EIO, "broken")


def test_silence_takes_everything() -> None:
    with Silent().bar("reading", 3, "rows") as bar:
        bar.advance()
        bar.note("so far")


def folder_of(place: Path, word: str) -> Path:
    place.mkdir()
    (place / "word").write_text(word)
    return place


KILLED = """
import os, signal, sys
from pathlib import Path
from arpent.core.writing import publish_folder
real, left = Path.rename, [int(sys.argv[3])]
def rename(self, target):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return real(self, target)
Path.rename = rename
publish_folder(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("renames", [1, 2])
def test_a_folder_whose_replacement_was_killed_is_put_back_or_gone(tmp_path: Path, renames: int) -> None:
    """After the first rename nothing is in its place; after the second one the new folder is."""
    place, new = folder_of(tmp_path / "land [1]", "old"), folder_of(tmp_path / "new", "new")
    done = subprocess.run([sys.executable, "-c", KILLED, new, place, str(renames)], check=False)
    assert done.returncode == -9
    assert place.exists() == (renames == 2)
    with pytest.raises(RunExists, match="is there already"):  # it is not taken for a free place
        require_room(place, "word", force=False)
    assert (place / "word").read_text() == ("old" if renames == 1 else "new")
    publish_folder(folder_of(tmp_path / "newer", "newer"), place)
    assert (place / "word").read_text() == "newer"
    assert {one.name for one in tmp_path.iterdir()} <= {"land [1]", "new"}


def test_a_folder_is_published_where_one_of_the_same_process_number_was_killed(tmp_path: Path) -> None:
    """In a container every process may be the first one."""
    folder_of(tmp_path / f".land.{os.getpid()}.old", "old")
    (foreign := tmp_path / ".land.notes.old").mkdir()
    (busy := tmp_path / f".land.{os.getppid()}.old").mkdir()  # of one that is about to rename
    publish_folder(folder_of(tmp_path / "new", "new"), tmp_path / "land")
    assert {one.name for one in tmp_path.iterdir()} == {"land", foreign.name, busy.name}
    assert (tmp_path / "land" / "word").read_text() == "new"
