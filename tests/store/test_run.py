from __future__ import annotations

import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arpent.errors import (
    ArpentError,
    DiskFull,
    FileMissing,
    Interrupted,
    InvalidSetting,
    NotWritable,
    RunExists,
    RunLocked,
    UnknownName,
    UnreadableFile,
)
from arpent.language import say
from arpent.models.shipped import shipped_bundle
from arpent.store import Place, Run, RunFolder, open_run, runs_under, verify

SETTINGS = {"tile": 512, "bands": ["red", "nir"]}


def write_one(run: RunFolder, text: str = "pixels") -> Run:
    (run.scratch / "classes.tif").write_text(text)
    run.publish(run.scratch / "classes.tif", kind="raster")
    return run.finish()


def test_a_run_from_its_begin_to_its_end(tmp_path: Path) -> None:
    image = tmp_path / "scene.tif"
    image.write_bytes(b"image")
    before = datetime.now(UTC)
    with RunFolder.create(tmp_path / "runs", "landcover", "Été à Cahors!", settings=SETTINGS) as run:
        assert not run.resumed
        run.add_input(image)
        run.add_input("https://example.org/scene.tif", role="reference")
        run.use_bundle("model.safetensors", "a" * 64)
        with run.timed("predict"), run.timed("predict"):
            (run.scratch / "classes.tif").write_text("pixels")
            (run.scratch / "classes.tif.aux.xml").write_text("<names/>")
        run.publish(run.scratch / "classes.tif", kind="raster", stac={"type": "Feature", "id": "été"})
        (run.path / "preview.png").write_bytes(b"png")
        run.publish(run.path / "preview.png", kind="picture", name="seen")
        run.add_metrics({"miou": 0.8, "iou/pool": float("nan")})
        written = run.finish()
    today = datetime.now().astimezone().strftime("%Y-%m-%d")
    assert written.path == tmp_path / "runs" / f"{today}-landcover-ete-a-cahors"
    files = {"manifest.json", "classes.tif", "classes.tif.aux.xml", "classes.tif.stac.json", "preview.png"}
    assert {p.name for p in written.path.iterdir()} == files
    run_again = open_run(written.path)
    assert run_again == RunFolder.open(written.path) == written
    manifest = run_again.manifest
    assert manifest.status == "complete"
    assert manifest.settings == SETTINGS
    assert [record.sha256 is None for record in manifest.inputs] == [False, True]
    assert manifest.metrics == {"miou": 0.8, "iou/pool": None}
    assert manifest.timings["predict"] >= 0
    assert before <= manifest.created <= manifest.finished
    assert manifest.versions["arpent"]
    assert manifest.bundle
    assert manifest.bundle.source == "model.safetensors"
    assert json.loads((written.path / "classes.tif.stac.json").read_text())["id"] == "été"
    assert run_again.file("classes").read_text() == "pixels"
    assert run_again.file("seen").name == "preview.png"
    assert verify(run_again).files == 4
    with pytest.raises(UnknownName, match="Did you mean 'classes'"):
        run_again.file("clases")


def test_failures_make_a_run_partial(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "landcover", "x") as run:
        run.add_failure("b.tif", UnreadableFile("b.tif is empty", cure="Download it again."))
        manifest = write_one(run).manifest
    assert manifest.status == "partial"
    assert manifest.failures[0].error == "UnreadableFile"
    assert manifest.failures[0].message == "b.tif is empty. Download it again."


def test_a_finished_run_is_replaced_only_by_force(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x") as run:
        first = write_one(run, "first")
    for resume in (False, True):
        with pytest.raises(RunExists, match="another folder with -o, or replace it with --force"):
            RunFolder.create(tmp_path, "t", "x", resume=resume)
    assert verify(first).files == 1
    with RunFolder.create(tmp_path, "t", "x", force=True) as run:
        assert not (run.path / "classes.tif").exists()
        with pytest.raises(FileMissing, match="under way"):
            open_run(run.path)
        second = write_one(run, "second")
    assert second.file("classes").read_text() == "second"


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x", settings=SETTINGS) as run:
        (run.scratch / "ledger.json").write_text("{}")
        (run.path / ".a.tif.stac.json.123.partial").touch()  # its writer was killed
        (run.path / ".a.tif.partial").mkdir()  # a writer of another kind goes on from here
    with pytest.raises(FileMissing, match="--resume"):
        open_run(run.path)
    with pytest.raises(RunExists, match="--resume"):
        RunFolder.create(tmp_path, "t", "x", settings=SETTINGS)
    with pytest.raises(InvalidSetting, match="bands, tile"):
        RunFolder.create(tmp_path, "t", "x", settings={}, resume=True)
    with RunFolder.create(tmp_path, "t", "x", settings=SETTINGS, resume=True) as again:
        assert again.resumed
        assert (again.scratch / "ledger.json").exists()
        assert {p.name for p in again.path.iterdir()} == {".lock", ".scratch", ".a.tif.partial"}
        manifest = write_one(again).manifest
    assert manifest.attempts == 2
    assert [entry.state for entry in runs_under(tmp_path)] == ["complete"]


def test_force_starts_an_unfinished_run_over(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x") as run:
        (run.scratch / "ledger.json").touch()
    with RunFolder.create(tmp_path, "t", "x", force=True) as run:
        assert not run.resumed
        assert not (run.scratch / "ledger.json").exists()


def test_a_run_begun_yesterday_is_found_again(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x") as run:
        pass
    yesterday = datetime.now().astimezone() - timedelta(days=1)
    old = tmp_path / f"{yesterday:%Y-%m-%d}-t-x"
    run.path.rename(old)
    (tmp_path / "2020-01-01-t-other").mkdir()
    with RunFolder.create(tmp_path, "t", "x", resume=True) as again:
        assert again.path == old
    with RunFolder.create(tmp_path, "t", "y", resume=True) as fresh:
        assert not fresh.resumed


def test_an_unreadable_start_is_not_resumed(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x") as run:
        (run.scratch / "start.json").write_text("{")
    with pytest.raises(RunExists, match="cannot be understood"):
        RunFolder.create(tmp_path, "t", "x", resume=True)


@pytest.mark.parametrize("content", ["", '{"name": "a web application"}', "[]"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "manifest.json").write_text(content)
    (home / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(RunExists):
            RunFolder.create(home, "t", "x", exact=True, force=force)
    assert {p.name for p in home.iterdir()} == {"manifest.json", "thesis.tex"}
    (home / "manifest.json").unlink()
    with pytest.raises(RunExists, match=r"thesis\.tex"):
        RunFolder.create(home, "t", "x", exact=True, force=True)


def test_killed_while_it_notes_its_beginning_a_run_begins_anew(tmp_path: Path) -> None:
    killed = (
        "import os; from pathlib import Path; from arpent.store import RunFolder;"
        "os.replace = lambda *_, **__: os._exit(9);"
        f"RunFolder.create(Path({str(tmp_path)!r}) / 'run', 'landcover', 'x', exact=True)"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == 9
    (left,) = (tmp_path / "run" / ".scratch").iterdir()
    with RunFolder.create(tmp_path / "run", "landcover", "x", exact=True) as run:
        assert not left.exists()
        assert write_one(run).path == tmp_path / "run"


def test_force_keeps_what_is_not_the_runs_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    place = Place(exact=tmp_path / "run", force=True, tell=said.append)
    with place.begin("t", "x", {}) as run:
        (run.scratch / "classes.tif.aux.xml").write_text("<names/>")
        (run.path / "deep").mkdir()
        (run.path / "deep" / "page.html").write_text("page")
        run.publish(run.path / "deep" / "page.html", kind="page")
        (run.scratch / "classes.tif").write_text("first")
        run.publish(run.scratch / "classes.tif", kind="raster", stac={"id": "a"})
        run.finish()
    (run.path / "thesis.tex").write_text("years of work")
    (run.path / "notes").mkdir()
    (run.path / "notes" / "classes.tif").write_text("mine")
    (run.path / ".classes.tif.partial").mkdir()
    assert said == []
    with place.begin("t", "x", {}) as again:
        assert again.foreign == ("notes", "thesis.tex")
        assert {p.name for p in again.path.iterdir()} == {".lock", ".scratch", "notes", "thesis.tex"}
        assert (again.path / "notes" / "classes.tif").read_text() == "mine"
        write_one(again)
    assert said == [f"kept in {run.path}, since no run made it: notes, thesis.tex"]


def test_force_removes_what_an_unfinished_run_has_published(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x", exact=True) as run:
        (run.scratch / "classes.tif").write_text("first")
        run.publish(run.scratch / "classes.tif", kind="raster", stac={"id": "a"})
        with (run.scratch / "made.jsonl").open("a") as torn:
            torn.write('"half a na')
    (tmp_path / "thesis.tex").touch()
    with RunFolder.create(tmp_path, "t", "x", exact=True, force=True) as run:
        assert {p.name for p in tmp_path.iterdir()} == {".lock", ".scratch", "thesis.tex"}
        (run.scratch / "half.tif").touch()
        run.abandon()
    assert {p.name for p in tmp_path.iterdir()} == {"thesis.tex"}


@pytest.mark.parametrize("name", ["../thesis.tex", "{}/thesis.tex", "out/thesis.tex", "out"])
def test_what_a_run_names_outside_its_folder_is_never_removed(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "thesis.tex"
    precious.write_text("years of work")
    with RunFolder.create(tmp_path / "run", "t", "x", exact=True) as run:
        (run.path / "out").symlink_to(tmp_path)
        (run.scratch / "made.jsonl").write_text(json.dumps(name.format(tmp_path)) + "\n")
    with RunFolder.create(tmp_path / "run", "t", "x", exact=True, force=True) as run:
        assert run.foreign == ("out",)
    assert precious.read_text() == "years of work"


def test_a_damaged_manifest_gives_no_names_to_remove(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x", exact=True) as run:
        write_one(run)
    text = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('"bytes": 6', '"bytes": -6'))
    with RunFolder.create(tmp_path, "t", "x", exact=True, force=True) as run:
        assert run.foreign == ("classes.tif",)
        assert not (tmp_path / "manifest.json").exists()


def test_an_exact_folder_may_be_there_and_empty(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x", exact=True) as run:
        assert write_one(run).path == tmp_path


def test_a_run_given_up_leaves_nothing(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "runs", "t", "x") as run:
        (run.scratch / "half.tif").touch()
        run.abandon()
    assert list((tmp_path / "runs").iterdir()) == []


def test_an_error_inside_keeps_the_scratch(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path, "t", "x") as run:
        (run.scratch / "half.tif").touch()
        raise ZeroDivisionError
    assert (run.scratch / "half.tif").exists()
    assert not (run.path / "manifest.json").exists()
    assert not (run.path / ".lock").exists()


def test_only_files_of_the_run_are_published(tmp_path: Path) -> None:
    outside = tmp_path / "outside.tif"
    outside.touch()
    with RunFolder.create(tmp_path / "runs", "t", "x") as run:
        with pytest.raises(InvalidSetting, match="outside its run"):
            run.publish(outside, kind="raster")
        with pytest.raises(FileMissing):
            run.publish(run.scratch / "none.tif", kind="raster")
        (run.scratch / "link.tif").symlink_to(outside)
        with pytest.raises(FileMissing):
            run.publish(run.scratch / "link.tif", kind="raster")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x"), pytest.raises(RunLocked, match=str(os.getpid())):
        RunFolder.create(tmp_path, "t", "x", resume=True)


WRITER = """
import sys, time
from pathlib import Path
from arpent.store import RunFolder
run = RunFolder.create(sys.argv[1], "t", "x")
(run.scratch / "ledger.json").write_text("1")
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_writer_leaves_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    with pytest.raises(RunLocked, match=str(child.pid)):
        RunFolder.create(tmp_path, "t", "x", force=True)
    (entry,) = runs_under(tmp_path)
    assert entry.state == "running"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    (entry,) = runs_under(tmp_path)
    assert entry.state == "unfinished"
    assert (entry.path / ".lock").exists()
    with RunFolder.create(tmp_path, "t", "x", resume=True) as run:
        assert (run.scratch / "ledger.json").read_text() == "1"
        write_one(run)
    assert not (entry.path / ".lock").exists()


@pytest.fixture
def as_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], None]]:
    """Closes a folder to writing, even where the tests are run by root."""
    me, closed = os.geteuid(), []

    def close(folder: Path) -> None:
        folder.chmod(0o555)
        closed.append(folder)
        for parent in folder.parents:  # pytest keeps its folders to their owner
            # The folder of the user and, below it, one for each worker of a parallel run.
            if parent.is_relative_to(tmp_path_factory.getbasetemp().parents[1]) and parent.stat().st_uid == me:
                parent.chmod(parent.stat().st_mode | 0o055)
        if me == 0:
            os.seteuid(65534)

    yield close
    os.seteuid(me)
    for folder in closed:
        folder.chmod(stat.S_IRWXU)


def test_a_closed_folder(tmp_path: Path, as_nobody: Callable[[Path], None]) -> None:
    with RunFolder.create(tmp_path, "t", "done") as run:
        done = write_one(run)
    as_nobody(tmp_path)
    with pytest.raises(NotWritable):
        RunFolder.create(tmp_path, "t", "x")
    with pytest.raises(RunExists):
        RunFolder.create(tmp_path, "t", "done")
    assert verify(open_run(done.path)).files == 1


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(NotWritable):
        RunFolder.create(tmp_path / "runs", "t", "x")


FULL = """
import resource, signal, sys
from arpent.errors import DiskFull
from arpent.store import RunFolder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = RunFolder.create(sys.argv[1], "t", "x")
(run.scratch / "a.tif").touch()
run.publish(run.scratch / "a.tif", kind="raster")
run.add_metrics({str(i): 1.0 for i in range(5000)})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    run.finish()
except DiskFull:
    sys.exit(7)
"""


def test_a_full_disk_leaves_no_manifest(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    (entry,) = runs_under(tmp_path)
    assert entry.state == "unfinished"
    assert not list(entry.path.glob("*manifest*"))
    assert DiskFull.__name__
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


PUBLISHER = """
import sys
import time
from arpent.store import RunFolder
with RunFolder.create(sys.argv[1], "t", "x", resume=True) as run:
    print("ready", flush=True)
    for index in range(20):
        file = run.scratch / f"{index}.tif"
        file.write_bytes(bytes(10_000))
        run.publish(file, kind="raster", stac={"id": index})
    run.finish()
"""


def publisher(root: Path) -> subprocess.Popen[str]:
    """A process that has just begun to publish twenty products."""
    child = subprocess.Popen([sys.executable, "-c", PUBLISHER, root], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def test_killed_at_any_moment_a_run_is_whole_or_can_go_on(tmp_path: Path) -> None:
    whole = publisher(tmp_path / "whole")
    begun = time.monotonic()
    whole.communicate()
    lasts, chance, kills = time.monotonic() - begun, random.Random(1), 0
    for attempt in range(20):
        root = tmp_path / f"{attempt}"
        child = publisher(root)
        time.sleep(lasts * chance.random())
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert child.returncode in (0, -signal.SIGKILL)
        kills += child.returncode != 0
        # A process that it was just starting may hold the lock for some milliseconds longer.
        deadline = time.monotonic() + 5
        while (entry := runs_under(root)[0]).state == "running" and time.monotonic() < deadline:
            time.sleep(0.01)
        if entry.state != "complete":
            assert entry.state == "unfinished"
            publisher(root).communicate()
        (entry,) = runs_under(root)
        assert entry.run
        assert verify(entry.run).files == 40
        assert not list(entry.path.glob("*.partial"))
        if kills == 3:
            return
    pytest.fail(f"only {kills} kills came before the end")


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def replaced_by(folder: Path, end: type[BaseException]) -> None:
    """A finished run with a file below it, and one that replaces it and ends before it is finished."""
    with RunFolder.create(folder, "t", "old", exact=True) as run:
        (run.path / "deep").mkdir()
        (run.path / "deep" / "page.html").write_text("old page")
        run.publish(run.path / "deep" / "page.html", kind="page")
        write_one(run)
    with pytest.raises(end), RunFolder.create(folder, "t", "new", exact=True, force=True) as run:
        assert names(folder).isdisjoint({"manifest.json", "classes.tif", "deep/page.html"})
        for name in ("classes.tif", "more.tif"):
            (run.scratch / name).write_text("new")
            run.publish(run.scratch / name, kind="raster")
        (run.path / ".x.tif.partial").touch()
        raise end("stopped", cure="Go on.") if issubclass(end, ArpentError) else end


@pytest.mark.parametrize("end", [ZeroDivisionError, DiskFull])
def test_a_run_that_fails_gives_way_to_the_one_it_was_to_replace(tmp_path: Path, end: type[Exception]) -> None:
    replaced_by(tmp_path, end)
    assert names(tmp_path) == {"manifest.json", "classes.tif", "deep/page.html"}
    old = open_run(tmp_path)
    assert old.manifest.name == "old"
    assert verify(old).files == 2


def test_a_run_given_up_gives_way_too(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "old", exact=True) as run:
        write_one(run)
    with RunFolder.create(tmp_path, "t", "new", exact=True, force=True) as run:
        run.abandon()
    assert verify(open_run(tmp_path)).files == 1


@pytest.mark.parametrize("end", [Interrupted, KeyboardInterrupt])
def test_a_run_stopped_by_its_user_is_kept_and_the_old_one_beside_it(tmp_path: Path, end: type[BaseException]) -> None:
    replaced_by(tmp_path, end)
    with pytest.raises(RunExists, match="not finished"):
        RunFolder.create(tmp_path, "t", "new", exact=True)
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path, "t", "new", exact=True, force=True):
        raise ZeroDivisionError  # however many tries replace it
    assert open_run(tmp_path).manifest.name == "old"
    assert verify(open_run(tmp_path)).files == 2


def test_a_resumed_run_removes_the_old_one_when_it_is_finished(tmp_path: Path) -> None:
    replaced_by(tmp_path, KeyboardInterrupt)
    with RunFolder.create(tmp_path, "t", "new", exact=True, resume=True) as run:
        (run.scratch / "classes.tif").write_text("newer")
        run.publish(run.scratch / "classes.tif", kind="raster")
        run.finish()
    assert names(tmp_path).isdisjoint({"deep/page.html"})
    assert open_run(tmp_path).manifest.name == "new"
    assert not (tmp_path / ".scratch").exists()


def test_killed_while_it_sets_the_old_run_aside_nothing_is_lost(tmp_path: Path) -> None:
    replaced_by(tmp_path, ZeroDivisionError)
    stage = tmp_path / ".scratch" / "replacing"
    stage.mkdir(parents=True)
    (stage.parent / "start.json").write_text("{}")
    (tmp_path / "manifest.json").rename(stage / "manifest.json")
    (tmp_path / "classes.tif").rename(stage / "classes.tif")
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path, "t", "new", exact=True, force=True) as run:
        assert run.foreign == ()
        raise ZeroDivisionError
    assert verify(open_run(tmp_path)).files == 2


def test_force_never_replaces_what_is_to_be_read(tmp_path: Path) -> None:
    home = tmp_path / "run"
    with RunFolder.create(home, "t", "x", exact=True) as run:
        write_one(run)
    (tmp_path / "link").symlink_to(home)
    (tmp_path / "alias.tif").symlink_to(home / "classes.tif")
    for source in (home, home / "classes.tif", str(home / "manifest.json"), tmp_path / "link", tmp_path / "alias.tif"):
        with pytest.raises(InvalidSetting, match="cannot be replaced"):
            Place(exact=home, force=True).begin("t", "y", {}, ["https://example.org/a.tif", source])
    for inside in (home / "out", tmp_path / "link" / "out"):
        with pytest.raises(InvalidSetting, match="cannot be replaced"):
            Place(exact=inside, force=True).begin("t", "y", {}, [home])
    assert verify(open_run(home)).files == 1
    assert {p.name for p in home.iterdir()} == {"manifest.json", "classes.tif"}
    # A folder of runs may be read by one that lies in it.
    Place(exact=home, force=True).begin("t", "y", {}, [tmp_path, tmp_path / "none.tif"]).abandon()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
def test_a_folder_that_the_system_does_not_make(tmp_path: Path) -> None:
    for place in ("/proc/x", "/proc/x/y"):
        with pytest.raises(NotWritable, match="/proc/x"):
            RunFolder.create(place, "t", "x", exact=True)


def partial(path: Path, **how: bool) -> RunFolder:
    return RunFolder.create(path, "change", "list", settings=SETTINGS, exact=True, **how)


def half_done(path: Path, *, keeps: bool = True) -> Run:
    with partial(path) as run:
        if keeps:
            run.kept.mkdir()
            (run.kept / "first.json").write_text("{}")
        (run.scratch / "heavy.bin").write_text("pixels")
        run.add_failure("second", UnreadableFile("no image", cure="Restore it."))
        return write_one(run)


def test_a_partial_run_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run"
    first = half_done(path)
    assert open_run(path).manifest.status == "partial"
    assert not (path / ".scratch" / "heavy.bin").exists()
    with pytest.raises(RunExists, match="--resume"):
        partial(path)
    with pytest.raises(InvalidSetting, match="other settings"):
        RunFolder.create(path, "change", "list", settings={}, exact=True, resume=True)
    assert open_run(path) == first  # refused, it is as it was
    with partial(path, resume=True) as run:
        assert (run.kept / "first.json").read_text() == "{}"
        with pytest.raises(FileMissing, match="still under way"):
            open_run(path)
        assert run.keep(first.manifest.products[0])
        done = run.finish()
    assert (done.manifest.status, done.manifest.attempts) == ("complete", 2)
    assert done.manifest.created == first.manifest.created
    assert not (path / ".scratch").exists()
    with pytest.raises(RunExists, match="--force"):
        partial(path, resume=True)


def test_a_partial_run_is_closed_where_the_task_cannot_go_on(tmp_path: Path) -> None:
    half_done(tmp_path / "run", keeps=False)
    assert not (tmp_path / "run" / ".scratch").exists()
    with pytest.raises(RunExists, match="--force"):
        partial(tmp_path / "run", resume=True)


def test_a_partial_run_can_be_replaced_and_one_half_replaced_is_not_reopened(tmp_path: Path) -> None:
    path = tmp_path / "run"
    half_done(path)
    with partial(path, force=True) as run:
        assert not (run.kept / "first.json").exists()
        assert write_one(run).manifest.attempts == 1
    half_done(tmp_path / "other")
    record = tmp_path / "other" / ".scratch" / "start.json"  # as --force leaves it, killed at its worst moment
    begun = json.loads(record.read_text())
    record.write_text(json.dumps(begun | {"created": "2030-01-01T00:00:00Z"}))
    with pytest.raises(RunExists, match="--force"):
        partial(tmp_path / "other", resume=True)


def test_a_dated_partial_run_is_found_again(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "change", "list") as run:
        run.kept.mkdir()
        run.add_failure("second", UnreadableFile("no image", cure="Restore it."))
        home = run.finish().path
    old = home.rename(tmp_path / f"2020-01-01{home.name[10:]}")
    with RunFolder.create(tmp_path, "change", "list", resume=True) as run:
        assert run.path == old
        run.finish()


def test_inputs_are_named_so_that_they_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.tif").write_bytes(b"image")
    monkeypatch.chdir(tmp_path / "images")
    given = ["a.tif", "../images", "https://example.org/a.tif", "/vsis3/bucket/a.tif", "gone.tif"]
    with RunFolder.create(tmp_path / "run", "landcover", "x", exact=True) as run:
        named = [run.add_input(source).source for source in given]
        run.finish()
    assert Path(named[0]) == tmp_path / "images" / "a.tif"
    assert Path(named[1]).is_absolute()
    assert Path(named[1]).samefile(tmp_path / "images")
    assert named[2:] == given[2:]


def test_what_bears_no_date_has_that_of_the_newest_file_that_is_read_and_two_runs_agree(tmp_path: Path) -> None:
    (tmp_path / "images" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.tif", "images/b.tif", "images/deep/c.tif")):
        (tmp_path / name).write_bytes(b"image")
        os.utime(tmp_path / name, (1_700_000_000 + 60 * number + 0.75,) * 2)
    found = []
    for name in ("one", "two"):
        with RunFolder.create(tmp_path / "images" / name, "landcover", "x", exact=True) as run:
            run.add_input(tmp_path / "a.tif")
            found.append(run.undated())
            run.add_input(tmp_path / "images")
            found.append(run.undated())
            (run.scratch / "classes.tif").write_text("newer, and none of what is read")
            run.publish(run.scratch / "classes.tif", kind="raster")
            run.finish()
    alone, both = (datetime.fromtimestamp(1_700_000_000 + seconds, UTC) for seconds in (0, 120))
    assert found == [alone, both, alone, both]


def test_a_model_that_comes_with_arpent_is_warned_about_once_in_the_language_of_the_run(tmp_path: Path) -> None:
    told: list[str] = []
    shipped = shipped_bundle("classify-nano")
    assert shipped is not None
    with Place(tmp_path / "run", tell=told.append).begin("classify", "x", {"language": "fr"}) as run:
        run.use_bundle(shipped)
        run.aside(run.scratch / "part").use_bundle(shipped)
        run.finish()
    assert told == [say("runs.shipped", "fr", model="classify-nano")]
    assert open_run(tmp_path / "run").manifest.warnings == tuple(told)


def test_nothing_is_said_of_it_at_home_nor_of_one_that_a_training_begins_with(tmp_path: Path) -> None:
    shipped = shipped_bundle("change-nano")
    assert shipped is not None
    own = tmp_path / shipped.name
    own.write_bytes(shipped.read_bytes())
    for name, cautious, model, begins in (
        ("home", False, shipped, False),
        ("training", True, shipped, True),
        ("own", True, own, False),
    ):
        with Place(tmp_path / name, cautious=cautious).begin("change", "x", {}) as run:
            run.use_bundle(model, begins=begins)
            run.aside(run.scratch / "part").use_bundle(model, begins=begins)
            assert run.finish().manifest.warnings == (), name


def test_what_bears_no_date_and_lies_elsewhere_has_that_of_the_run(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with RunFolder.create(tmp_path / "run", "landcover", "x", exact=True) as run:
        run.add_input("https://example.org/a.tif")
        assert before <= run.undated() <= datetime.now(UTC)
        run.finish()
