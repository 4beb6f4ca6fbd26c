"""Lists of pairs as people, spreadsheets and hostile hands write them."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import FileMissing, UnreadableFile
from arpent.tasks.change.pair_list import read_pair_list


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "pairs.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def files(path, frames=2):
    return [row.files for row in read_pair_list(path, frames).rows]


def test_the_list_of_the_reference_with_its_leading_blanks(written):
    path = written(
        "input_file_0,input_file_1\n"
        "     HLS.S30.T11UMU.2023237T185919.v2.tif,nocloud.2024245T.tif\n"
        "     HLS.S30.T11UNU.2023239T184921.v2.tif,HLS.S30.T11UNU.2024249T184919.v2.tif\n"
    )
    assert files(path) == [
        ("HLS.S30.T11UMU.2023237T185919.v2.tif", "nocloud.2024245T.tif"),
        ("HLS.S30.T11UNU.2023239T184921.v2.tif", "HLS.S30.T11UNU.2024249T184919.v2.tif"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'input_file_0;input_file_1\r\n"été à Cahors.TIF"; b.tif \r\n',
        "﻿input_file_0,input_file_1\nété à Cahors.TIF,b.tif",
        ",target_file_0, input_file_1 ,input_file_0\n0,,b.tif,été à Cahors.TIF,surplus\n,,,\n\n",
        "\n\ninput_file_0\tinput_file_1\n\nété à Cahors.TIF\tb.tif\n",
        'input_file_1,input_file_0\nb.tif, "été à Cahors.TIF"\n',
    ],
)
def test_the_same_pair_in_many_hands(written, text):
    assert files(written(text)) == [("été à Cahors.TIF", "b.tif")]


def test_one_and_three_dates(written):
    path = written("input_file_0,input_file_1,input_file_2\na,b,c\n")
    assert files(path, 1) == [("a",)]
    assert files(path, 3) == [("a", "b", "c")]


def test_what_is_left_out_is_told(written):
    found = read_pair_list(written("input_file_0,input_file_1\na,b\n,b\na,\na,b\n,\nc,d\n"), 2)
    assert [row.line for row in found.rows] == [2, 7]
    assert found.skipped == (3, 4)
    assert found.repeated == (5,)


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"input_file_0,input_file_1\n", "no row"),
        (b"input_file_0,input_file_1\n,x\n", "no row"),
        (b"input_file0,input_file_1\na,b\n", "did you mean 'input_file_0' by 'input_file0'"),
        (b"before,after\na,b\n", "input_file_0,input_file_1"),
        (b"input_file_0,input_file_0,input_file_1\na,b,c\n", "2 of that name"),
        (b'input_file_0,input_file_1\n"a,b\n', "quotes"),
        (b"input_file_0,input_file_1\n\xe9t\xe9.tif,b\n", "UTF-8"),
        ("input_file_0,input_file_1\na,b\n".encode("utf-16"), "UTF-8"),
        (b"input_file_0,input_file_1\na\x00b,c\n", "zero byte"),
        (b"input_file_0,input_file_1\n" + b"a" * 200_000 + b",b\n", "field"),
    ],
)
def test_what_is_no_list_is_told(written, content, told):
    with pytest.raises(UnreadableFile, match=told):
        read_pair_list(written(content), 2)


def test_absent_lists_and_folders(tmp_path):
    with pytest.raises(FileMissing, match="csv_inference_file"):
        read_pair_list(tmp_path / "none.csv", 2)
    with pytest.raises(UnreadableFile):
        read_pair_list(tmp_path, 2)


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=50)
@given(st.lists(st.tuples(names, names)), st.sampled_from(",;\t|"), st.booleans())
def test_what_a_spreadsheet_writes_comes_back(tmp_path_factory, rows, delimiter, mark):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(["input_file_0", "input_file_1"])
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("list") / "pairs.csv"
    path.write_bytes(text.getvalue().encode("utf-8-sig" if mark else "utf-8"))
    wanted = list(dict.fromkeys((a.strip(), b.strip()) for a, b in rows if a.strip() and b.strip()))
    if wanted:
        assert files(path) == wanted
    else:
        with pytest.raises(UnreadableFile):
            read_pair_list(path, 2)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_told(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "pairs.csv"
    path.write_bytes(b"input_file_0,input_file_1\n" + content)
    try:
        assert all(len(row.files) == 2 and all(row.files) for row in read_pair_list(path, 2).rows)
    except UnreadableFile as problem:
        assert "\n" not in str(problem)
