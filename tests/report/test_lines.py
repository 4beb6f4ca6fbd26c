"""A chart over whole numbers."""

import math

import pytest
from PIL import Image

from arpent.errors import InvalidSetting
from arpent.report import lines


def test_a_chart_is_drawn_and_equal_charts_have_equal_bytes(tmp_path):
    series = {"inertia": [1.0, 0.5, 0.2], "silhouette": [0.1, math.nan, 0.3]}
    wish = {"x": "clusters", "title": "How many?", "marked": 3}
    first = lines([2, 3, 8], series, tmp_path / "a.png", **wish)
    second = lines([2, 3, 8], series, tmp_path / "b.png", **wish)
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as picture:
        assert picture.size[0] > 600
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    other = lines([2, 3, 8], series, tmp_path / "c.png", **(wish | {"marked": 8}))
    assert other.read_bytes() != first.read_bytes()


def test_no_steps_no_chart(tmp_path):
    with pytest.raises(InvalidSetting):
        lines([], {}, tmp_path / "a.png", x="clusters")
