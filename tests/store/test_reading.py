from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.errors import FileMissing, RunDamaged, UnreadableFile
from arpent.store import Run, RunFolder, manifest, open_run, read_manifest, runs_under, verify


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run of two products."""
    with RunFolder.create(tmp_path / "runs", "t", "x") as writing:
        for name in ("a.tif", "b.tif"):
            (writing.scratch / name).write_text(name * 100)
            writing.publish(writing.scratch / name, kind="raster", stac={"id": name})
        return writing.finish()


@pytest.fixture
def forge(run: Run) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Changes the manifest behind Arpent's back."""

    def change(edit: Callable[[dict[str, Any]], None]) -> Path:
        file = run.path / "manifest.json"
        content = json.loads(file.read_text())
        edit(content)
        file.write_text(json.dumps(content))
        return run.path

    return change


def test_a_whole_run_is_verified(run: Run) -> None:
    checked = verify(open_run(run.path))
    assert checked.files == 4
    assert (
        checked.bytes == sum(p.stat().st_size for p in run.path.iterdir()) - (run.path / "manifest.json").stat().st_size
    )


def test_every_difference_is_listed(run: Run) -> None:
    (run.path / "a.tif").write_text("b.tif" * 100)
    (run.path / "b.tif").write_text("short")
    (run.path / "a.tif.stac.json").unlink()
    with pytest.raises(RunDamaged) as caught:
        verify(run)
    line = str(caught.value)
    assert "a.tif has another content" in line
    assert "b.tif has 5 bytes instead of 500" in line
    assert "a.tif.stac.json is missing" in line


def test_long_lists_are_cut(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "t", "x") as writing:
        for index in range(8):
            (writing.scratch / f"{index}.tif").touch()
            writing.publish(writing.scratch / f"{index}.tif", kind="raster")
        run = writing.finish()
    for index in range(8):
        (run.path / f"{index}.tif").unlink()
    with pytest.raises(RunDamaged, match="and 3 more"):
        verify(run)


def test_a_link_out_of_the_folder_is_not_followed(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (run.path / "a.tif").rename(secret)
    (run.path / "a.tif").symlink_to(secret)
    with pytest.raises(RunDamaged, match=r"a\.tif leads out of the run folder"):
        run.file("a")
    with pytest.raises(RunDamaged, match=r"a\.tif leads out of the run folder"):
        verify(run)


def test_the_run_folder_itself_may_be_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(run.path)
    assert verify(open_run(tmp_path / "elsewhere")).files == 4


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "a/../../secret", "..", "", "C:\\secret", "a\\b", "a\0b"])
def test_paths_that_lead_out_are_refused(forge: Any, file: str) -> None:
    path = forge(lambda content: content["products"][0].update(file=file))
    with pytest.raises(RunDamaged, match=r"products\.0\.file") as caught:
        open_run(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda m: m.update(format=99), "later version of Arpent"),
        (lambda m: m.update(format="1"), "format '1'"),
        (lambda m: m.update(format=True), "format True"),
        (lambda m: m.pop("format"), "format None"),
        (lambda m: m.update(extra=1), "extra"),
        (lambda m: m.update(status="great"), "status"),
        (lambda m: m["products"][0].update(sha256="x"), "sha256"),
        (lambda m: m["products"][0].update(bytes=-1), "bytes"),
        (lambda m: m.update(created="2026-01-01T00:00:00"), "created"),
    ],
)
def test_forged_manifests_are_one_line(forge: Any, edit: Callable[[dict[str, Any]], None], words: str) -> None:
    path = forge(edit)
    with pytest.raises(RunDamaged) as caught:
        open_run(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    (entry,) = runs_under(path.parent)
    assert entry.state == "damaged"
    assert entry.problem == str(caught.value)


def test_a_file_where_a_folder_of_runs_is_wanted_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    with pytest.raises(UnreadableFile, match=r"empty\.tif is a file, and a folder is wanted\. Give the folder"):
        runs_under(tmp_path / "empty.tif")
    with pytest.raises(FileMissing, match="there is no folder"):
        runs_under(tmp_path / "nowhere")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1}'])
def test_what_is_no_manifest_is_one_line(run: Run, text: bytes) -> None:
    (run.path / "manifest.json").write_bytes(text)
    with pytest.raises(RunDamaged):
        open_run(run.path)


def test_too_large_and_unreadable_manifests(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MOST_BYTES", 10)
    with pytest.raises(RunDamaged, match="more than"):
        open_run(run.path)
    (run.path / "manifest.json").unlink()
    (run.path / "manifest.json").mkdir()
    with pytest.raises(RunDamaged):
        open_run(run.path)
    with pytest.raises(FileMissing):
        read_manifest(run.path / "none.json")


def test_an_earlier_format_is_brought_up_to_date(forge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = manifest._FORMAT
    renamed = {now.newest: lambda old: old | {"name": old["name"] + "!"}}
    later = replace(now, newest=now.newest + 1, migrations={**now.migrations, **renamed})
    monkeypatch.setattr(manifest, "_FORMAT", later)
    path = forge(lambda content: None)
    assert open_run(path).manifest.name == "x!"


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_bytes_are_refused_in_our_words(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("m") / "manifest.json"
    file.write_bytes(content)
    with pytest.raises(RunDamaged):
        read_manifest(file)


def test_a_root_holds_runs_of_every_state_and_other_things(run: Run) -> None:
    root = run.path.parent
    (root / "notes.txt").touch()
    (root / "photos").mkdir()
    RunFolder.create(root, "t", "half").__exit__(None, None, None)
    states = {entry.path.name[11:]: entry.state for entry in runs_under(root)}
    assert states == {"t-x": "complete", "t-half": "unfinished"}
    with pytest.raises(FileMissing, match="no run"):
        open_run(root / "photos")
    with pytest.raises(FileMissing, match="no folder"):
        runs_under(root / "none")


def test_the_documented_format_is_the_format(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (root / "docs/formats/run-folder.md").read_text(encoding="utf-8")
    for model in (manifest.Manifest, manifest.Product, manifest.InputRecord, manifest.BundleRecord, manifest.Failure):
        for name in model.model_fields:
            assert f"`{name}`" in page, f"{model.__name__}.{name} is not documented"
    for kind in manifest.ProductKind.__args__:
        assert f"`{kind}`" in page
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.tif").touch()
    example = page.split("```python\n")[1].split("```")[0]
    exec(compile(example, "run-folder.md", "exec"), {})
    assert [entry.state for entry in runs_under("runs")] == ["complete"]


@pytest.mark.parametrize(("settings", "language"), [({"language": "fr"}, "fr"), ({}, "en"), ({"language": 7}, "en")])
def test_a_run_of_an_earlier_format_speaks_the_language_of_its_settings(
    forge: Any, settings: dict[str, Any], language: str
) -> None:
    def earlier(content: dict[str, Any]) -> None:
        del content["language"]
        content |= {"format": 2, "settings": settings}

    assert open_run(forge(earlier)).manifest.language == language
