"""Captions and labels in the formats of well-known collections."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import DatasetError, FileMissing, UnknownName, UnreadableFile
from arpent.tasks.classify.caption_files import CaptionFile, read_captions
from arpent.tasks.classify.label_files import read_labels
from arpent.tasks.classify.layouts import joined_by_number
from arpent.tasks.classify.names_of_pictures import NamedPictures

CAPTIONS = {"a.jpg": ("A dog , running .", "Some dog"), "b c.jpg": ("A cat",)}


def numbered():
    return "a.jpg#1\tSome dog\nb c.jpg#0\tA cat\n\na.jpg#0\tA dog , running .\n"


def table():
    return 'image,caption\na.jpg,"A dog , running ."\na.jpg,Some dog\nb c.jpg,A cat\n'


def karpathy():
    sentences = {"a.jpg": [{"raw": "A dog , running ."}, {"tokens": ["Some", "dog"]}], "b c.jpg": [{"raw": "A cat"}]}
    sides = {"a.jpg": "restval", "b c.jpg": "test"}
    return json.dumps(
        {"images": [{"filename": name, "split": sides[name], "sentences": s} for name, s in sentences.items()]}
    )


def coco():
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b c.jpg"}]
    told = [(7, "A dog , running ."), (9, "A cat"), (7, "Some dog")]
    return json.dumps({"images": images, "annotations": [{"image_id": i, "caption": text} for i, text in told]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Flickr8k.token.txt", numbered()),
        ("windows.txt", "\N{BYTE ORDER MARK}" + numbered().replace("\n", "\r\n")),
        ("captions.txt", table()),
        ("results.csv", table().replace("image,", "image_name|comment_number,").replace("image_name|", "image_name,")),
        ("captions.json", karpathy()),
        ("coco.json", coco()),
    ],
)
def test_every_format_says_the_same(tmp_path, name, content):
    if name == "results.csv":  # Flickr30k's
        content = (
            'image_name| comment_number| comment\na.jpg| 0| "A dog , running ."\na.jpg| 1| Some dog\nb c.jpg| 0| A cat'
        )
    (tmp_path / name).write_bytes(content.encode())
    found = read_captions(tmp_path / name)
    assert dict(found.captions) == CAPTIONS
    assert dict(found.splits) == ({"a.jpg": "train", "b c.jpg": "test"} if "split" in content else {})


def test_a_table_may_say_the_sides(tmp_path):
    (tmp_path / "t.csv").write_text("split;caption;name\nDev;x y;a.jpg\n;z;b.jpg\n")
    found = read_captions(tmp_path / "t.csv")
    assert dict(found.splits) == {"a.jpg": "val"}
    (tmp_path / "t.csv").write_text("split;caption;name\nfuture;x y;a.jpg\n")
    with pytest.raises(DatasetError, match="side of the split"):
        read_captions(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b"", UnreadableFile, "is empty"),
        (b"\xff\xfe\x00caf\xe9", UnreadableFile, "no text in UTF-8"),
        (b"{", UnreadableFile, "no JSON"),
        (b"[" * 100_000, UnreadableFile, "no JSON"),
        (b"[1, 2]", DatasetError, "without a list of images"),
        (b'{"images": [{"file": 1}]}', DatasetError, "KeyError: 'filename'"),
        (
            b'{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 2, "caption": "x"}]}',
            DatasetError,
            "2",
        ),
        (b'{"images": [], "annotations": []}', DatasetError, "no captions at all"),
        (b"name,label\na.jpg,dog\n", DatasetError, "columns name, label"),
        (b"a.jpg#0\tdog\nrubbish\n", DatasetError, "line 2"),
        (b"image,caption\na.jpg,one, two\n", UnreadableFile, "row 2"),
        (b'image,caption\na.jpg,x\nb.jpg,"\nc.jpg,a beach\n', UnreadableFile, "row 3 on .*unexpected end"),
        (b'image,caption\na.jpg,"one\nb.jpg,"two\n', UnreadableFile, "row 2 on"),
    ],
)
def test_what_is_no_captions_is_refused(tmp_path, content, kind, told):
    path = tmp_path / "captions.txt"
    path.write_bytes(content)
    with pytest.raises(kind, match=told):
        read_captions(path)
    with pytest.raises(FileMissing, match="there is no file of captions"):
        read_captions(tmp_path / "none.txt")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9_]{1,8}\.jpg", fullmatch=True),
        st.lists(
            st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20), min_size=1, max_size=4
        ),
        min_size=1,
    )
)
@settings(max_examples=50)
def test_numbered_lines_keep_order_and_text(tmp_path_factory, captions):
    path = tmp_path_factory.mktemp("numbered") / "t.txt"
    lines = [f"{name}#{n}\t{text}" for name, texts in captions.items() for n, text in enumerate(texts)]
    path.write_text("\n".join(reversed(lines)), "utf-8")
    assert dict(read_captions(path).captions) == {name: tuple(texts) for name, texts in captions.items()}


LABELS = {"a.jpg": {"dog", "grass"}, "b.jpg": set(), "c.jpg": {"sea"}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ucm.txt", "IMAGE\\LABEL\tdog\tgrass\tsea\t\na.jpg\t1\t1\t0\t\nb.jpg\t0\t0\t0\t\nc.jpg\t0\t0\t1\t\n"),
        ("wide.csv", "name,dog,grass,sea\na.jpg,1,1.0,0\nb.jpg,,0,no\nc.jpg,False,0,TRUE\n"),
        ("long.csv", "name,labels\na.jpg,dog;grass\nb.jpg,\nc.jpg,sea\n"),
        ("bar.csv", "name;labels\na.jpg;grass | dog\nb.jpg;\nc.jpg;sea\n"),
        ("rows.csv", "name,label\na.jpg,dog\na.jpg,grass\nb.jpg,\nc.jpg,sea\n"),
        (
            "coco.json",
            json.dumps(
                {
                    "categories": [{"id": n, "name": name} for n, name in enumerate(["dog", "grass", "sea"])],
                    "images": [{"id": n, "file_name": name} for n, name in enumerate(LABELS)],
                    "annotations": [{"image_id": i, "category_id": c} for i, c in [(0, 0), (0, 1), (2, 2), (0, 0)]],
                }
            ),
        ),
    ],
)
def test_every_file_of_labels_says_the_same(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    found = read_labels(tmp_path / name)
    assert found.labels == ("dog", "grass", "sea")
    assert {key: set(own) for key, own in found.given.items()} == LABELS


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name\na.jpg\n", "single column name"),
        ("name,labels\na.jpg,\nb.jpg,\n", "single|no label|labels"),
        ("name,dog,dog\na.jpg,1,0\n", "two of the same"),
        ("name,dog,sea\na.jpg,1,0\na.jpg,0,0\n", "two rows for a.jpg"),
        ("name,dog,sea\na.jpg,1,perhaps\n", "row 2 .* neither yes nor no to 'sea' .found perhaps"),
        ('{"categories": []}', "another form"),
        ('{"categories": [], "images": [], "annotations": []}', "no label at all"),
    ],
)
def test_what_is_no_labels_is_refused(tmp_path, content, told):
    path = tmp_path / "labels.txt"
    path.write_text(content)
    if content.startswith("name,labels"):  # a table of 0 and 1 with the one label 'labels', which nobody has
        assert read_labels(path).labels == ("labels",)
        return
    with pytest.raises(DatasetError, match=told):
        read_labels(path)


def test_only_some_labels(tmp_path):
    (tmp_path / "l.csv").write_text("name,labels\na.jpg,dog;grass\nc.jpg,sea\n")
    table = read_labels(tmp_path / "l.csv")
    assert table.only(["sea", "dog"]).labels == ("dog", "sea")
    assert table.only(["sea"]).given == {"a.jpg": frozenset(), "c.jpg": frozenset({"sea"})}
    with pytest.raises(UnknownName, match=r"no label is called 'gras'\. Did you mean 'grass'"):
        table.only(["gras"])


def test_names_mean_pictures():
    pictures = NamedPictures(["farm/a.jpg", "town/a.jpg", "town/b.jpg", "c.JPG"])
    assert pictures.find("farm/a.jpg") == "farm/a.jpg"
    assert pictures.find("./farm\\a.jpg ") == "farm/a.jpg"
    assert pictures.find("b.jpg") == pictures.find("b.tif") == pictures.find("b") == "town/b.jpg"
    assert pictures.find("c.tif") == "c.JPG"
    assert pictures.find("a.jpg") is None, "two folders have one"
    assert pictures.find("d.jpg") is None
    apart = NamedPictures(["e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}.jpg"])
    assert apart.find("été.jpg") == apart.find("été") == "e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}.jpg"


def test_numbers_count_from_one():
    captions = CaptionFile({"1.tif": ("one",), "3.tif": ("three",)}, {"1.tif": "train"})
    joined = joined_by_number(captions, ("x00", "x01", "y00"))
    assert dict(joined.captions) == {"x00": ("one",), "y00": ("three",)}
    assert dict(joined.splits) == {"x00": "train"}
    assert joined_by_number(CaptionFile({"x00.tif": ("one",)}), ("x00",)).captions == {"x00.tif": ("one",)}
    for wrong in ("0.tif", "4.tif"):
        with pytest.raises(DatasetError, match=wrong):
            joined_by_number(CaptionFile({wrong: ("?",)}), ("x00", "x01", "y00"))
