"""Figures that compare several ways."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from arpent.core import Grid, Raster, nomenclature
from arpent.errors import InvalidSetting
from arpent.report import Course, Table, Tile, class_bars, courses, page_html, tiles
from arpent.report.charts import draw_lines
from arpent.report.page import Section

CLASSES = nomenclature("commune")


def colours_of(path):
    with Image.open(path) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}


def test_bars_have_the_colour_of_their_way_and_none_where_nothing_is_known(tmp_path):
    values = {"direct": [0.4] * len(CLASSES), "tuned": [0.8] * (len(CLASSES) - 1) + [math.nan]}
    whole = class_bars(values, CLASSES, tmp_path / "a.png", x="IoU, %")
    assert {(0xB9, 0xC4, 0xCA), (0x00, 0x72, 0xB2)} <= colours_of(whole)
    empty = class_bars({"a": [math.nan] * len(CLASSES)}, CLASSES, tmp_path / "b.png", x="IoU, %", shown=[0])
    with Image.open(whole) as large, Image.open(empty) as small:
        assert large.height > small.height
    with pytest.raises(InvalidSetting, match="nothing to show"):
        class_bars({}, CLASSES, tmp_path / "c.png", x="IoU")


def test_trainings_of_different_lengths_share_a_chart_and_keep_their_colours(tmp_path):
    series = {
        "long": Course(range(1, 41), np.linspace(0.1, 0.5, 40), 38),
        "short": Course([1, 2, 3], [0.2, 0.6, 0.7], 3),
    }
    first = courses(series, tmp_path / "a.png", x="epoch", y="mIoU, %", first=1)
    again = courses(series, tmp_path / "b.png", x="epoch", y="mIoU, %", first=1)
    assert first.read_bytes() == again.read_bytes()
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours_of(first)
    with pytest.raises(InvalidSetting, match="no step"):
        courses({"none": Course((), ())}, tmp_path / "c.png", x="epoch", y="mIoU")


def test_tiles_show_each_place_with_the_colours_of_its_classes(tmp_path):
    grid = Grid(64, 64)
    image = Raster(np.full((3, 64, 64), 90, np.uint16), np.ones((64, 64), bool), grid, ("red", "green", "blue"))
    ids = np.full((1, 64, 64), 5, np.uint8)
    ids[:, :, 32:] = 7
    truth = Raster(ids, np.ones((64, 64), bool), grid, ("class",))
    maps = dict.fromkeys(("truth", "direct", "app-scratch", "ft-initialisation", "head"), truth)
    path = tiles([Tile(image, maps)] * 2, CLASSES, tmp_path / "tiles.png", image="Image")
    palette = {tuple(int(v) for v in CLASSES.palette[i][:3]) for i in (5, 7)}
    assert palette <= colours_of(path)
    with pytest.raises(InvalidSetting, match="no example"):
        tiles([], CLASSES, path, image="Image")


def test_differences_carry_their_sign_and_unknown_numbers_a_dash():
    table = Table(("run", "gain"), [["a", 3.26], ["b", -1.52], ["c", math.nan]], decimals=2, signed=(1,))
    html = page_html("Study", [Section("Table", [table])])
    assert '<td class="number">+3.26</td>' in html
    assert "−1.52" in html or "-1.52" in html
    assert '<td class="number">–</td>' in html


def test_steps_that_are_no_whole_numbers_are_written_as_the_language_does():
    axes = Figure().add_subplot()
    axes.plot([1.5, 3.0], [0.2, 0.9])
    draw_lines(axes, "fr", whole=False)
    written = [axes.xaxis.get_major_formatter()(tick, 0) for tick in axes.get_xticks()]
    assert "2,0" in written
    draw_lines(axes, "en", whole=True)
    assert [axes.xaxis.get_major_formatter()(tick, 0) for tick in (2.0, 3.0)] == ["2", "3"]
