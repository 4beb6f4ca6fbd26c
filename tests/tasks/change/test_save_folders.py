"""Products get the reference's names in its folders, and nothing is ever written over."""

import errno
import os
from pathlib import Path

import pytest

from arpent.errors import NotWritable, RunExists
from arpent.tasks.change.save_folders import SaveFolders

PAIR = "!a.2023001T!b"


@pytest.fixture
def run(tmp_path):
    """A run folder with products."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("cosine_map", "infer_0", "infer_1", "feature_maps_1"):
        (folder / f"{name}{PAIR}.tif").write_bytes(name.encode())
    (folder / f"feature_maps_1{PAIR}.parquet").write_bytes(b"rows")
    return folder


@pytest.fixture
def folders(tmp_path):
    return SaveFolders((tmp_path / "before", tmp_path / "after"))


def test_each_product_goes_to_the_folder_of_its_date(run, folders, tmp_path):
    placed = {folders.place(file).relative_to(tmp_path).as_posix() for file in run.iterdir()}
    assert placed == {
        f"before/cosine_map{PAIR}.tif",
        f"before/infer_0{PAIR}.tif",
        f"after/infer_1{PAIR}.tif",
        f"after/feature_maps_1{PAIR}.tif",
        f"after/feature_maps_1{PAIR}.geoparquet",
    }
    cosine = f"cosine_map{PAIR}.tif"
    assert (tmp_path / "before" / cosine).samefile(run / cosine)


def test_another_disk_gets_a_copy(run, folders, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    cosine = run / f"cosine_map{PAIR}.tif"
    target = folders.place(cosine)
    assert target.read_bytes() == cosine.read_bytes()
    assert not target.samefile(cosine)
    assert folders.place(cosine) == target  # the same bytes are no obstacle
    assert [file.name for file in target.parent.iterdir()] == [target.name]


def test_files_in_the_way_are_kept_unless_forced(run, folders, tmp_path):
    cosine = run / f"cosine_map{PAIR}.tif"
    (tmp_path / "before").mkdir()
    older = tmp_path / "before" / cosine.name
    older.write_bytes(b"older")
    with pytest.raises(RunExists, match="--force"):
        folders.place(cosine)
    assert older.read_bytes() == b"older"
    forced = SaveFolders(folders.folders, force=True)
    assert forced.place(cosine).samefile(cosine)


def test_what_is_in_the_way_is_found_before_anything_is_computed(folders, tmp_path):
    folders.refuse_present([PAIR], "example")
    (tmp_path / "before").mkdir()
    for harmless in (f"cosine_map{PAIR}2.tif", f"cosine_map{PAIR}.png", "mosaic_cosine_map_other_c.tif", "x.tif"):
        (tmp_path / "before" / harmless).touch()
    folders.refuse_present([PAIR], "example")
    for name in (f"quality_fmask{PAIR}.TIF", f"feature_maps_0{PAIR}.csv", "mosaic_before_date_example_c.tif"):
        (tmp_path / "before" / name).touch()
        with pytest.raises(RunExists, match="before"):
            folders.refuse_present([PAIR], "example")
        SaveFolders(folders.folders, force=True).refuse_present([PAIR], "example")
        (tmp_path / "before" / name).unlink()
    (tmp_path / "before" / "mosaic_infer_0_m0.tif").touch()
    folders.refuse_present([PAIR], None)
    with pytest.raises(RunExists):
        folders.refuse_present([PAIR], "")


def test_a_folder_that_cannot_be_made_is_told(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable, match="file"):
        SaveFolders((tmp_path / "file" / "below",)).place(run / f"cosine_map{PAIR}.tif")


def test_folders_are_tried_before_anything_is_computed(folders, tmp_path):
    folders.make_ready()
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders.folders)
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable, match="file"):
        SaveFolders((tmp_path / "before", tmp_path / "file")).make_ready()


def test_what_was_placed_is_taken_back_and_nothing_else(run, folders):
    cosine = run / f"cosine_map{PAIR}.tif"
    target = folders.place(cosine)
    folders.withdraw(cosine)
    assert cosine.exists() and not target.exists()
    folders.withdraw(cosine)
    target.write_bytes(b"somebody's")
    folders.withdraw(cosine)
    assert target.read_bytes() == b"somebody's"


def test_what_a_killed_process_has_left_goes_with_the_next_attempt(run, folders, monkeypatch):
    cosine = run / f"cosine_map{PAIR}.tif"
    (folder := folders.folders[0]).mkdir()
    (folder / f".{cosine.name}.partial").write_bytes(b"half")
    assert [file.name for file in folders.place(cosine).parent.iterdir()] == [cosine.name]


def test_three_folders_and_one(run):
    three = SaveFolders((Path("a"), Path("b"), Path("c")))
    assert three.target(Path("infer_2!x.tif")) == Path("c/infer_2!x.tif")
    one = SaveFolders((Path("a"),))
    assert one.target(Path("feature_maps_1!x.csv")) == Path("a/feature_maps_1!x.csv")
