"""Pictures with their labels, and the charts of an evaluation of labels."""

import numpy as np
import pytest

from arpent.errors import InvalidSetting
from arpent.report.label_counts import LabelCount, label_counts
from arpent.report.labelled import LabelBar, WordWeight, explained, labelled
from arpent.report.ranges import Range, ranges

BARS = [LabelBar("airplane", 0.97, 0.5), LabelBar("bare soil, dry and very far away", 0.2, 0.4)]


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (40, 90, 3)).astype(np.uint8)


def test_a_label_is_given_from_its_threshold_on():
    assert [bar.given for bar in (*BARS, LabelBar("cars", 0.3, 0.3))] == [True, False, True]


def test_equal_figures_are_equal_files_and_differ_where_the_picture_does(tmp_path, read_png, picture):
    def drawn(name, shown, **more):
        return labelled(shown, BARS, tmp_path / f"{name}.png", title="airplane", caption="two planes", **more)

    one, two = drawn("one", picture), drawn("two", picture)
    assert one.read_bytes() == two.read_bytes()
    assert "tEXt" not in read_png(one).chunks
    assert drawn("other", 255 - picture).read_bytes() != one.read_bytes()
    assert drawn("french", picture, language="fr", note="$5").read_bytes() != one.read_bytes()
    assert read_png(drawn("none", None)).height < read_png(one).height


def test_a_long_title_takes_more_lines_not_more_room_aside(tmp_path, read_png, picture):
    short = read_png(labelled(picture, BARS, tmp_path / "short.png", title="airplane"))
    long = read_png(labelled(picture, BARS, tmp_path / "long.png", title="airplane, cars " * 12))
    assert long.width == short.width and long.height > short.height


def test_what_counts_is_shown_of_pictures_and_of_words(tmp_path, read_png, picture):
    heat = np.linspace(0, 1, picture[..., 0].size).reshape(picture.shape[:2])
    words = [WordWeight("two", 0.01), WordWeight("planes", 0.4), WordWeight("not", -0.1)]
    style = {"title": "airplane 97 %", "heads": ("picture", "what counts", "words"), "note": "small print"}
    both = read_png(explained(picture, heat, words, tmp_path / "both.png", **style))
    image = read_png(explained(picture, heat, [], tmp_path / "image.png", **style))
    text = read_png(explained(None, None, words, tmp_path / "text.png", **style))
    assert both.width > image.width > text.width
    with pytest.raises(InvalidSetting, match="nothing to explain"):
        explained(None, None, [], tmp_path / "none.png", **style)


def test_charts_grow_with_their_rows_and_refuse_to_be_empty(tmp_path, read_png):
    heads = ("found", "missed", "wrong")
    rows = [LabelCount(name, 9, 1, 3) for name in ("airplane", "cars", "sea")]
    few = read_png(label_counts(rows[:1], tmp_path / "few.png", heads=heads, x="pictures"))
    many = read_png(label_counts(rows, tmp_path / "many.png", heads=heads, x="pictures", language="fr"))
    assert many.height > few.height
    ways = {"complete": [Range("image", 0.9, 0.87, 0.93), Range("fusion", 0.95)], "without text": [Range("image", 0.9)]}
    one = ranges(ways, tmp_path / "one.png", x="mAP")
    assert read_png(one).height > read_png(ranges({"": ways["without text"]}, tmp_path / "two.png", x="mAP")).height
    with pytest.raises(InvalidSetting, match="nothing to show"):
        label_counts([], tmp_path / "none.png", heads=heads, x="pictures")
    with pytest.raises(InvalidSetting, match="nothing to show"):
        ranges({"complete": [Range("image", float("nan"))]}, tmp_path / "none.png", x="mAP")
    with pytest.raises(InvalidSetting, match="no label"):
        labelled(None, [], tmp_path / "none.png", title="")
