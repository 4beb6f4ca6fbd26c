"""Runs made for an object store: whole or not there, resumed, replaced, verified."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from arpent.errors import FileMissing, InvalidSetting, NetworkMissing, RunDamaged, RunExists, UnreadableFile
from arpent.io import retry
from arpent.io.copies import local_copy
from arpent.store import RunFolder, bundle_in, open_run, remote, runs_under, sending, stage_of, verify
from arpent.store.reading import SCRATCH

PLACE = "s3://land/runs/x"


def make(place: str = PLACE, content: str = "pixels", finish: bool = True, **how: Any) -> RunFolder:
    """A run of one product, finished or not."""
    with RunFolder.create(place, "landcover", "x", settings={"tile": 1}, exact=True, **how) as run:
        (run.scratch / "classes.tif").write_text(content)
        run.publish(run.scratch / "classes.tif", kind="raster", stac={"id": "x"})
        if finish:
            run.finish()
    return run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a store that is away."""
    monkeypatch.setattr(retry, "PAUSES", (0.01,))


def test_a_run_is_there_when_its_manifest_is(s3: Any) -> None:
    make(finish=False)
    assert s3.keys("land") == []
    make(resume=True)
    assert s3.keys("land") == [f"runs/x/{name}" for name in ("classes.tif", "classes.tif.stac.json", "manifest.json")]
    run = open_run(PLACE)
    assert (run.place, run.manifest.attempts) == (PLACE, 2)
    assert run.file("classes").read_text() == "pixels"
    assert verify(run).files == 2


def test_a_path_made_of_an_address_is_still_one(s3: Any) -> None:
    with pytest.raises(FileMissing, match="no run at s3://land/runs/x"):
        open_run(Path(PLACE))


def test_what_is_too_large_for_a_manifest_is_not_kept(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    monkeypatch.setattr(remote, "MOST_BYTES", 10)
    with pytest.raises(InvalidSetting, match=r"runs/x/manifest\.json is too large for a manifest"):
        open_run(PLACE)


def test_nothing_is_replaced_unasked(s3: Any) -> None:
    make()
    with pytest.raises(RunExists, match=r"s3://land/runs/x is there already.*--force"):
        make(content="other")
    with pytest.raises(RunExists):
        make(content="other", resume=True)
    assert open_run(PLACE).file("classes").read_text() == "pixels"


def test_a_run_that_replaces_another_leaves_nothing_of_it(s3: Any) -> None:
    with RunFolder.create(PLACE, "landcover", "x", exact=True) as run:
        (run.scratch / "old.tif").write_text("old")
        run.publish(run.scratch / "old.tif", kind="raster")
        run.finish()
    s3.client.put_object(Bucket="land", Key="runs/x/letter.txt", Body=b"somebody's")
    make(force=True, finish=False)
    assert verify(open_run(PLACE)).files == 1  # the old one stays until the new one is made
    make(force=True)
    assert "runs/x/old.tif" not in s3.keys("land")
    assert "runs/x/letter.txt" in s3.keys("land")
    assert open_run(PLACE).file("classes").read_text() == "pixels"


def test_what_was_replaced_goes_even_where_the_sending_was_stopped_at_its_last_step(
    s3: Any, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arpent.io import objects

    with RunFolder.create(PLACE, "landcover", "x", exact=True) as run:
        (run.scratch / "old.tif").write_text("old")
        run.publish(run.scratch / "old.tif", kind="raster")
        run.finish()
    real = objects.remove_object

    def stopped(address: str) -> None:
        if address.endswith("old.tif"):
            raise KeyboardInterrupt
        real(address)

    with monkeypatch.context() as patched:
        patched.setattr(objects, "remove_object", stopped)
        with pytest.raises(KeyboardInterrupt):
            make(content="newer", force=True)
    assert {"runs/x/manifest.json", "runs/x/old.tif"} <= set(s3.keys("land"))
    make(content="newer", resume=True)
    assert "runs/x/old.tif" not in s3.keys("land")
    assert verify(open_run(PLACE)).files == 2


def test_a_run_that_was_removed_from_its_store_is_made_anew(s3: Any) -> None:
    make()
    s3.client.delete_object(Bucket="land", Key="runs/x/manifest.json")
    make(content="other")
    assert open_run(PLACE).file("classes").read_text() == "other"


def test_a_store_that_goes_away_leaves_no_run_and_is_gone_on_with(s3: Any, impatient: None) -> None:
    make()
    run = RunFolder.create(PLACE, "landcover", "x", settings={"tile": 1}, exact=True, force=True)
    with pytest.raises(NetworkMissing, match=r"not all of it has reached s3://land/runs/x.*--resume"), run:
        (run.scratch / "classes.tif").write_text("newer")
        run.publish(run.scratch / "classes.tif", kind="raster")
        with s3.away():
            run.finish()
    assert (stage_of(PLACE) / "classes.tif").read_text() == "newer"
    assert open_run(PLACE).file("classes").read_text() == "pixels"  # not one file of it was touched
    make(content="newer", resume=True)
    assert open_run(PLACE).file("classes").read_text() == "newer"


def test_an_upload_that_fails_between_two_files(s3: Any, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from arpent.io import objects

    real = objects.put_text
    monkeypatch.setattr(objects, "put_text", lambda text, address: _fails(s3, real, text, address))
    with pytest.raises(NetworkMissing, match="--resume"):
        make()
    monkeypatch.setattr(objects, "put_text", real)
    assert s3.keys("land") == ["runs/x/classes.tif", "runs/x/classes.tif.stac.json"]
    with pytest.raises(FileMissing, match="--resume"):
        open_run(PLACE)
    before = s3.client.head_object(Bucket="land", Key="runs/x/classes.tif")["LastModified"]
    time.sleep(1.1)  # the store counts in seconds
    make(resume=True)
    assert s3.client.head_object(Bucket="land", Key="runs/x/classes.tif")["LastModified"] == before
    assert verify(open_run(PLACE)).files == 2


def test_a_file_that_cannot_be_sent_is_sent_later(s3: Any, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from arpent.io import objects

    real = objects.put_object

    def refuse(path: Path, address: str, stopped: Any) -> None:
        if address.endswith(".stac.json"):
            raise NetworkMissing(f"the store refuses access to {address}", found="denied", cure="Give credentials.")
        real(path, address, stopped)

    with monkeypatch.context() as patched:
        patched.setattr(objects, "put_object", refuse)
        with pytest.raises(NetworkMissing, match=r"not all of it has reached .* \(found denied\).*--resume"):
            make()
    assert s3.keys("land") == ["runs/x/classes.tif"]
    make(resume=True)
    assert verify(open_run(PLACE)).files == 2


MANY = """
import sys
from arpent.store import RunFolder
with RunFolder.create("s3://land/runs/many", "landcover", "many", exact=True, resume=True) as run:
    for number in range(60):
        (run.scratch / f"{number:03}.bin").write_bytes(bytes([number]) * 1000)
        run.publish(run.scratch / f"{number:03}.bin", kind="raster")
    run.finish()
"""


def test_who_interrupts_the_sending_is_obeyed_and_goes_on_later(s3: Any) -> None:
    process = subprocess.Popen([sys.executable, "-c", MANY], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not s3.keys("land", "runs/many/0"):
        assert process.poll() is None, "it was faster than the test"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=60)[1]
    arrived = {key.rpartition("/")[2] for key in s3.keys("land", "runs/many/") if not key.endswith("/")}
    assert 0 < len(arrived) < 60
    # What has arrived is known to have, but for the few that arrived while the process ended.
    noted = json.loads((stage_of("s3://land/runs/many") / SCRATCH / sending._SENT).read_bytes())["sent"]
    assert noted.keys() <= arrived
    assert len(arrived) - len(noted) <= 4
    exec(MANY)
    assert verify(open_run("s3://land/runs/many")).files == 60


def test_a_file_is_noted_when_it_arrives_and_not_in_its_turn(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from arpent.io import objects

    real = objects.put_object
    second = threading.Event()

    def slow(path: Path, address: str, stopped: Any) -> None:
        if address.endswith("classes.tif"):
            assert second.wait(30)
            raise NetworkMissing(f"the store refuses access to {address}", found="denied", cure="Give credentials.")
        real(path, address, stopped)
        second.set()

    monkeypatch.setattr(objects, "put_object", slow)
    with pytest.raises(NetworkMissing, match="--resume"):
        make()
    noted = json.loads((stage_of(PLACE) / SCRATCH / sending._SENT).read_bytes())["sent"]
    assert list(noted) == ["classes.tif.stac.json"]


def test_nobody_finds_the_old_manifest_over_new_files(
    s3: Any, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arpent.io import objects

    make()
    real = objects.put_object

    def refuse(path: Path, address: str, stopped: Any) -> None:
        assert "runs/x/manifest.json" not in s3.keys("land")  # gone before the first file of the new run comes
        if address.endswith(".stac.json"):
            raise NetworkMissing(f"the store refuses access to {address}", found="denied", cure="Give credentials.")
        real(path, address, stopped)

    with monkeypatch.context() as patched:
        patched.setattr(objects, "put_object", refuse)
        with pytest.raises(NetworkMissing, match="--resume"):
            make(content="newer", force=True)
    assert "runs/x/manifest.json" not in s3.keys("land")
    with pytest.raises(FileMissing, match="--resume"):
        open_run(PLACE)
    make(content="newer", resume=True)
    assert verify(open_run(PLACE)).files == 2


@pytest.mark.parametrize("there", [None, b"half"])
def test_what_was_sent_and_is_no_longer_there_is_sent_again(
    s3: Any, impatient: None, monkeypatch: pytest.MonkeyPatch, there: bytes | None
) -> None:
    from arpent.io import objects

    real = objects.put_text
    with monkeypatch.context() as patched:
        patched.setattr(objects, "put_text", lambda text, address: _fails(s3, real, text, address))
        with pytest.raises(NetworkMissing, match="--resume"):
            make()
    if there is None:
        s3.client.delete_object(Bucket="land", Key="runs/x/classes.tif")
    else:
        s3.client.put_object(Bucket="land", Key="runs/x/classes.tif", Body=there)
    make(resume=True)
    assert verify(open_run(PLACE)).files == 2


def test_a_copy_that_was_broken_off_does_not_pass_for_a_run(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from arpent.io import copies, objects

    names = ("a.tif.stac.json", "manifest.json", "z.tif")  # in the order of the store, the manifest in the middle
    for name in names:
        s3.client.put_object(Bucket="land", Key=f"copied/{name}", Body=b"{}")
    real = objects.fetch_object
    home = copies.place_for("copies", "s3://land/copied")
    fetched: list[str] = []

    def broken(address: str, path: Path) -> Path:
        if len(fetched) == 2:
            raise NetworkMissing("gone", cure="Wait.")
        fetched.append(path.name)
        return real(address, path)

    with monkeypatch.context() as patched:
        patched.setattr(copies, "fetch_object", broken)
        with pytest.raises(NetworkMissing):
            local_copy("s3://land/copied")
    assert fetched == ["a.tif.stac.json", "z.tif"]
    assert not (home / "manifest.json").exists()
    assert {path.name for path in local_copy("s3://land/copied").iterdir()} >= set(names)
    for name in names:
        s3.client.put_object(Bucket="land", Key=f"copied/{name}", Body=b"another")
    with monkeypatch.context() as patched:
        patched.setattr(copies, "fetch_object", broken)
        with pytest.raises(NetworkMissing):
            local_copy("s3://land/copied")
    assert not (home / "manifest.json").exists()  # the old one does not vouch for the new files
    assert (local_copy("s3://land/copied") / "manifest.json").read_bytes() == b"another"


def test_what_has_come_of_a_copy_is_noted_now_and_then(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from arpent.io import copies

    for number in range(5):
        s3.client.put_object(Bucket="land", Key=f"photos/{number}.jpg", Body=b"jpg")
    noted: list[int] = []
    real = copies.write_file
    monkeypatch.setattr(
        copies, "write_file", lambda path, text: noted.append(len(json.loads(text))) or real(path, text)
    )
    monkeypatch.setattr(copies, "_NOTED", 3)
    local_copy("s3://land/photos")
    assert noted == [3, 5]  # and not with each file, which would be quadratic
    local_copy("s3://land/photos")
    assert noted == [3, 5]


def test_what_has_failed_of_a_run_is_done_later(s3: Any) -> None:
    with RunFolder.create(PLACE, "change", "x", exact=True) as run:
        run.kept.mkdir(parents=True)
        (run.scratch / "a.tif").write_text("a")
        run.publish(run.scratch / "a.tif", kind="raster")
        run.add_failure("b", FileMissing("there is no b", cure="Make it."))
        run.finish()
    sending._left(stage_of(PLACE))  # keeps what the rest needs
    assert open_run(PLACE).manifest.status == "partial"
    with RunFolder.create(PLACE, "change", "x", exact=True, resume=True) as run:
        assert run.resumed
        assert set(s3.keys("land")) - {"runs/x/"} == {"runs/x/a.tif"}  # half a run is none, until it is whole again
        run.publish(run.path / "a.tif", kind="raster")
        run.finish()
    assert open_run(PLACE).manifest.status == "complete"


def _fails(s3: Any, real: Any, text: str, address: str) -> None:
    with s3.away():
        real(text, address)


PROGRAM = """
import sys
from arpent.store import RunFolder
with RunFolder.create("s3://land/runs/big", "landcover", "big", exact=True, resume=True) as run:
    (run.scratch / "small.txt").write_text("small")
    run.publish(run.scratch / "small.txt", kind="text")
    with (run.scratch / "big.tif").open("wb") as stream:
        stream.truncate(12 << 20)
    run.publish(run.scratch / "big.tif", kind="raster")
    print("ready", flush=True)
    run.finish()
"""


def test_an_upload_that_is_killed_half_way(s3: Any) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not s3.client.list_multipart_uploads(Bucket="land").get("Uploads"):
        assert process.poll() is None, "it was faster than the test"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert not {"runs/big/big.tif", "runs/big/manifest.json"} & set(s3.keys("land"))
    exec(PROGRAM)
    run = open_run("s3://land/runs/big")
    assert run.manifest.attempts == 2
    assert verify(run).bytes == (12 << 20) + 5
    sending._left(stage_of("s3://land/runs/big"))  # what the end of this process would do
    assert not stage_of("s3://land/runs/big").exists()


def test_files_that_differ_are_named(s3: Any) -> None:
    make()
    s3.client.put_object(Bucket="land", Key="runs/x/classes.tif", Body=b"pixelz")
    s3.client.delete_object(Bucket="land", Key="runs/x/classes.tif.stac.json")
    with pytest.raises(RunDamaged, match=r"classes.tif has another content, classes.tif.stac.json is missing"):
        verify(open_run(PLACE))
    with pytest.raises(RunDamaged, match="another content"):
        open_run(PLACE).file("classes")
    s3.client.put_object(Bucket="land", Key="runs/x/classes.tif", Body=b"more pixels")
    with pytest.raises(RunDamaged, match="has 11 bytes instead of 6"):
        verify(open_run(PLACE))


def test_runs_of_a_store(s3: Any) -> None:
    make()
    make("s3://land/runs/y")
    s3.client.put_object(Bucket="land", Key="runs/z/manifest.json", Body=b"{")
    s3.client.put_object(Bucket="land", Key="runs/other/letter.txt", Body=b"")
    entries = runs_under("s3://land/runs")
    assert [(entry.title, entry.state) for entry in entries] == [("x", "complete"), ("y", "complete"), ("z", "damaged")]
    assert [entry.place for entry in runs_under(PLACE)] == [PLACE]
    with pytest.raises(FileMissing, match="nothing at s3://land/none"):
        runs_under("s3://land/none")
    with pytest.raises(FileMissing, match="nothing at s3://nobody/x"):
        local_copy("s3://nobody/x")


def test_copies_follow_what_they_are_copies_of(s3: Any) -> None:
    for name, text in (("a/bundle.json", "{}"), ("a/part/b.txt", "b"), ("table.csv", "one")):
        s3.client.put_object(Bucket="land", Key=name, Body=text.encode())
    folder = local_copy("s3://land/a/")
    assert (folder / "part" / "b.txt").read_text() == "b"
    assert bundle_in("s3://land/a") == folder
    assert local_copy("s3://land/table.csv").read_text() == "one"
    s3.client.put_object(Bucket="land", Key="table.csv", Body=b"another")
    assert local_copy("s3://land/table.csv").read_text() == "another"
    s3.client.delete_object(Bucket="land", Key="a/part/b.txt")
    assert not (local_copy("s3://land/a") / "part" / "b.txt").exists()
    assert local_copy("s3://land/image.tif") == Path("s3://land/image.tif")  # read in ranges, where it lies
    assert local_copy("table.csv") == Path("table.csv")


def test_no_key_leads_out_of_a_copy(s3: Any) -> None:
    s3.client.put_object(Bucket="land", Key="a/../../../out.txt", Body=b"x")
    with pytest.raises(UnreadableFile, match="cannot be copied"):
        local_copy("s3://land/a")


def test_a_store_that_refuses(s3: Any, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NetworkMissing, match=r"store of s3://land/x.* cannot be reached.*AWS_ENDPOINT_URL"):
        local_copy("s3://land/x")
