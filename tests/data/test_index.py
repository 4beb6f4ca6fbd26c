from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.data import Sample, SampleIndex
from arpent.data.sample import files_of
from arpent.errors import DatasetError, EmptySplit, FileMissing, InvalidSetting, NotWritable, UnreadableFile


def table(tmp_path, text, name="index.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_index_is_read_with_paths_beside_it(tmp_path):
    for name in ("a.tif", "a_mask.tif", "b.tif"):
        (tmp_path / name).touch()
    path = table(
        tmp_path,
        "image,mask,domain,sensor,date,split,altitude,caption\n"
        "a.tif,a_mask.tif,D004,bd-ortho,2021-07-14,train,120,un pré\n"
        "b.tif,,D005,,2020-01-02T10:00:00Z,val,,\n",
    )
    first, second = SampleIndex.read(path)
    assert first == Sample(
        str(tmp_path / "a.tif"), str(tmp_path / "a_mask.tif"), "a", "D004", "bd-ortho", dt.date(2021, 7, 14), "train"
    )
    assert first.attributes == {"altitude": "120", "caption": "un pré"}
    assert second.mask is None
    assert second.date == dt.date(2020, 1, 2)
    assert second.attributes == {}


def test_parquet_keeps_types_and_windows(tmp_path):
    columns = {"image": ["https://host/a.tif"] * 2, "row": [0, 64], "col": [0, 0], "height": [64, 64]}
    columns |= {"width": [64, 64], "date": [dt.datetime(2022, 5, 6, 7)] * 2, "labels": [["mer", "quai"], []]}
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    index = SampleIndex.read(tmp_path / "i.parquet")
    assert [sample.window for sample in index] == [Window(0, 0, 64, 64), Window(64, 0, 64, 64)]
    assert [sample.name for sample in index] == ["a@0,0", "a@64,0"]
    assert index[0].attributes == {"labels": ["mer", "quai"]}
    assert index[0].date == dt.date(2022, 5, 6)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_index_survives_writing(tmp_path, suffix):
    for name in ("a.tif", "m.tif"):
        (tmp_path / name).touch()
    samples = [
        Sample(str(tmp_path / "a.tif"), str(tmp_path / "m.tif"), "one", "D1", "bd-ortho", dt.date(2021, 1, 2), "test"),
        Sample("s3://bucket/b.tif", name="two", window=Window(1, 2, 3, 4), attributes={"camera": "UCE"}),
    ]
    path = SampleIndex(samples).write(tmp_path / f"out{suffix}")
    again = SampleIndex.read(path)
    assert list(again) == samples
    assert again[1].attributes["camera"] == "UCE"
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []


text = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Cc"]), min_size=1)


@given(st.lists(st.tuples(text, text, st.sampled_from(["train", "val", "test"])), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_csv(tmp_path, rows):
    samples = [
        Sample(f"s3://bucket/{number}.tif", name=f"n{number}", domain=domain.strip() or "x", split=split,
               attributes={"caption": caption})
        for number, (domain, caption, split) in enumerate(rows)
    ]  # fmt: skip
    again = SampleIndex.read(SampleIndex(samples).write(tmp_path / "i.csv"))
    assert list(again) == samples
    assert [sample.attributes for sample in again] == [sample.attributes for sample in samples]


def test_numbers_that_are_missing_are_nan_and_windows_have_whole_ones(tmp_path):
    numbers = {"row": [0.0, math.nan], "col": [4.0, math.nan], "height": [8.0, math.nan], "width": [8.0, math.nan]}
    columns = {"image": ["https://host/a.tif", "https://host/b.tif"], **numbers, "altitude": [math.nan, 12.5]}
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    one, other = SampleIndex.read(tmp_path / "i.parquet")
    assert (one.window, other.window) == (Window(0, 4, 8, 8), None)
    assert (one.attributes, other.attributes) == ({}, {"altitude": 12.5})
    pq.write_table(pa.table(columns | {"row": [0.5, math.nan]}), tmp_path / "i.parquet")
    with pytest.raises(DatasetError, match=r"row 1: row '0\.5' is no whole number"):
        SampleIndex.read(tmp_path / "i.parquet")


def test_bad_rows_are_reported_with_number_and_reason(tmp_path):
    path = table(
        tmp_path,
        "image,split,date,row,col,height,width\n"
        "s3://b/a.tif,train,2021-07-14,,,,\n"
        ",train,,,,,\n"
        "s3://b/c.tif,trian,,,,,\n"
        "s3://b/d.tif,,14/07/2021,,,,\n"
        "s3://b/e.tif,,,0,0,8,\n"
        "s3://b/f.tif,,,0,0,0,8\n"
        "s3://b/g.tif,,,0,x,8,8\n"
        "s3://b/h.tif,,,0,0,8,8,9\n",
    )
    with pytest.raises(DatasetError) as caught:
        SampleIndex.read(path)
    said = str(caught.value)
    assert "7 bad rows" in said
    assert "row 3: no image" in said
    assert "row 4: split 'trian'" in said
    assert "row 5: date '14/07/2021' is not like 2021-07-14" in said
    assert "row 6: a window needs row, col, height, width" in said
    assert "row 7: window [0, 0, 0, 8] is empty" in said
    assert "and 2 more" in said
    assert "\n" not in said


def test_missing_files_are_listed(tmp_path):
    (tmp_path / "there.tif").touch()
    path = table(tmp_path, "image,mask\nthere.tif,gone.tif\nlost.tif,\nhttps://host/c.tif,\n")
    with pytest.raises(FileMissing, match=r"2 of the 4 files .*gone.tif; .*lost.tif"):
        SampleIndex.read(path)
    assert len(SampleIndex.read(path, check_files=False)) == 3


@pytest.mark.parametrize(
    ("name", "content", "kind", "said"),
    [
        ("i.csv", "Images,msk\na,b\n", DatasetError, "Rename 'Images' to 'image'"),
        ("i.csv", "x,y\na,b\n", DatasetError, "no column 'image'"),
        ("i.csv", "image\n", DatasetError, "no rows"),
        ("i.csv", "", DatasetError, "no columns"),
        ("i.parquet", "not parquet", UnreadableFile, "cannot be read"),
        ("i.xlsx", "", InvalidSetting, "is no index"),
    ],
)
def test_tables_that_are_no_index(tmp_path, name, content, kind, said):
    with pytest.raises(kind, match=said):
        SampleIndex.read(table(tmp_path, content, name))


def test_an_index_that_is_not_there(tmp_path):
    with pytest.raises(FileMissing, match="no index"):
        SampleIndex.read(tmp_path / "nowhere.csv")


def test_bytes_that_are_not_utf8(tmp_path):
    (tmp_path / "i.csv").write_bytes("image,domain\na.tif,forêt\n".encode("latin-1"))
    with pytest.raises(UnreadableFile, match="UTF-8"):
        SampleIndex.read(tmp_path / "i.csv")


def test_an_index_cannot_be_written_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable):
        SampleIndex([Sample("s3://b/a.tif")]).write(tmp_path / "file" / "i.csv")


def flair(tmp_path, *, masks=True):
    for zone, number in (("D004_2021/Z1_NN", 1), ("D004_2021/Z2_AF", 2), ("D014_2020/Z1_UU", 1)):
        for folder, prefix in (("img", "IMG"), ("msk", "MSK"))[: 2 if masks else 1]:
            place = tmp_path / zone / folder
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{prefix}_{number:06}.tif").touch()


def test_the_folders_of_flair(tmp_path):
    flair(tmp_path)
    index = SampleIndex.read(tmp_path)
    assert [sample.domain for sample in index] == ["D004_2021", "D004_2021", "D014_2020"]
    assert index.domains == ("D004_2021", "D014_2020")
    assert index[0].image.endswith("Z1_NN/img/IMG_000001.tif")
    assert index[0].mask.endswith("Z1_NN/msk/MSK_000001.tif")
    assert len({sample.name for sample in index}) == 3


def test_masks_in_a_tree_of_their_own(tmp_path):
    flair(tmp_path / "all")
    for path in sorted((tmp_path / "all").rglob("MSK_*.tif")):
        place = tmp_path / "truth" / path.relative_to(tmp_path / "all")
        place.parent.mkdir(parents=True)
        path.rename(place)
    index = SampleIndex.from_folders(tmp_path / "all", tmp_path / "truth")
    assert [sample.mask for sample in index] == [
        s.image.replace("all", "truth").replace("img", "msk").replace("IMG", "MSK") for s in index
    ]


def test_images_without_masks_are_an_index_too(tmp_path):
    flair(tmp_path, masks=False)
    assert all(sample.mask is None for sample in SampleIndex.read(tmp_path))


def test_lonely_files_are_named(tmp_path):
    flair(tmp_path)
    (tmp_path / "D014_2020/Z1_UU/msk/MSK_000001.tif").rename(tmp_path / "D014_2020/Z1_UU/msk/MSK_000009.tif")
    with pytest.raises(DatasetError, match=r"2 files .*000001 \(image alone\); .*000009 \(mask alone\)"):
        SampleIndex.read(tmp_path)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(DatasetError, match="folder called img"):
        SampleIndex.read(tmp_path)


def test_sides_of_a_split():
    index = SampleIndex([Sample("s3://b/a.tif", split="train"), Sample("s3://b/b.tif", sensor="bd-ortho")])
    assert [sample.name for sample in index.of_split("train")] == ["a"]
    assert index.sensors == ("", "bd-ortho")
    with pytest.raises(EmptySplit, match=r"no sample on the side 'val' \(found train 1, val 0, test 0, none 1\)"):
        index.of_split("val")
    moved = index.with_splits(["val", None])
    assert [sample.split for sample in moved] == ["val", None]
    assert isinstance(index[:1], SampleIndex)
    assert np.array_equal([len(index), len(index[:1])], [2, 1])


def test_an_index_written_elsewhere_still_finds_its_files(tmp_path, monkeypatch):
    """From an index named by a relative path to one in another folder: a label budget writes such tables."""
    (tmp_path / "images").mkdir()
    for name in ("a.tif", "b.tif"):
        (tmp_path / "images" / name).touch()
    (tmp_path / "images" / "index.csv").write_text("image,mask\na.tif,b.tif\n")
    monkeypatch.chdir(tmp_path)
    index = SampleIndex.read("images/index.csv")
    Path("out").mkdir()
    again = SampleIndex.read(index.write("out/part.csv"))
    assert [Path(sample.image) for sample in again] == [tmp_path / "images" / "a.tif"]
    beside = index.write("images/part.csv")
    assert "\na.tif,b.tif" in beside.read_text()


def test_the_files_of_an_image_cut_into_blocks_are_named_once():
    blocks = [Sample("a.tif", "a_mask.tif", window=Window(row, 0, 8, 8)) for row in (0, 8)]
    assert files_of([*blocks, Sample("b.tif")]) == [("a.tif", "image"), ("a_mask.tif", "mask"), ("b.tif", "image")]
