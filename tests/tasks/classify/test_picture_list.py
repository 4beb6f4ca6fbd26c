"""The pictures that users name."""

from __future__ import annotations

from pathlib import Path

import pytest

from arpent.errors import InputError, InvalidSetting
from arpent.tasks.classify.picture_list import listed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "in/c.tif", "notes.txt", ".hidden.jpg"):
        file = tmp_path / "pictures" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return tmp_path / "pictures"


def test_a_folder_is_all_its_pictures_by_name(folder: Path) -> None:
    found = listed([str(folder)])
    assert [one.name for one in found.pictures] == ["a.PNG", "b.jpg", "in/c.tif"]
    assert all(one.path is not None and one.path.is_file() and one.caption is None for one in found.pictures)
    assert (found.twice, found.unused, found.silent) == (0, (), 0)


def test_a_picture_named_twice_is_done_once(folder: Path) -> None:
    again = folder / "in" / ".." / "b.jpg"
    found = listed([str(folder / "b.jpg"), str(folder), str(again)])
    assert [Path(one.name).name for one in found.pictures] == ["b.jpg", "a.PNG", "c.tif"]
    assert found.twice == 2


def test_pictures_of_one_name_in_two_folders_are_told_apart(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "others" / "in" / "c.tif"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"y")
    for captions in (None, {"in/c.tif": ("a boat",)}):
        found = listed([str(folder), str(other.parents[1])], captions=captions)
        twins = [one for one in found.pictures if one.name.endswith("c.tif")]
        assert (
            [one.name for one in twins]
            == [str(folder / "in" / "c.tif"), str(other)]
            == [str(one.path) for one in twins]
        )
        assert {one.caption for one in twins} == ({None} if captions is None else {"a boat"})
        assert {one.name for one in found.pictures} > {"a.PNG", "b.jpg"}


def test_captions_go_with_whole_names_or_with_file_names(folder: Path) -> None:
    captions = {"b.jpg": ("one", "two"), "c.tif": ("three",), "d.jpg": ("nobody's",), "a.PNG": ()}
    found = listed([str(folder)], captions=captions)
    assert {one.name: one.caption for one in found.pictures} == {"a.PNG": None, "b.jpg": "one", "in/c.tif": "three"}
    assert (found.unused, found.silent) == (("d.jpg",), 1)
    whole = listed([str(folder)], captions={"in/c.tif": ("whole",), "c.tif": ("file",)})
    assert whole.pictures[2].caption == "whole"


def test_a_caption_goes_with_one_picture_or_stands_alone(folder: Path) -> None:
    assert listed([str(folder / "b.jpg")], "boats").pictures[0].caption == "boats"
    (alone,) = listed([], "boats").pictures
    assert (alone.name, alone.path, alone.caption) == ("boats", None, "boats")
    with pytest.raises(InvalidSetting, match="one caption is given for several"):
        listed([str(folder)], "boats")
    with pytest.raises(InvalidSetting, match="captions are given twice"):
        listed([str(folder)], "boats", {})
    with pytest.raises(InvalidSetting, match="neither a picture nor a caption"):
        listed([])


def test_an_empty_folder_is_refused_and_what_is_not_there_fails_by_itself(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        listed([str(tmp_path)])
    assert listed([str(tmp_path / "gone.jpg")]).pictures[0].path == tmp_path / "gone.jpg"
