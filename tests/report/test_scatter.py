"""Statements beside the truth."""

import pytest

from arpent.errors import InvalidSetting
from arpent.report.scatter import Dot, scatter


def test_charts_are_drawn_and_equal_charts_are_equal_files(tmp_path, read_png):
    dots = [Dot(0.1 * n, 0.1 * n + 0.02 if n % 3 else None, "ab"[n % 2]) for n in range(8)]
    charts = {"NDVI": dots, "NDMI": dots[:1], "Bare soil": dots[3:4], "EVI2": []}
    one = scatter(charts, tmp_path / "one.png", x="true", y="said", language="fr")
    two = scatter(charts, tmp_path / "two.png", x="true", y="said", language="fr")
    assert one.read_bytes() == two.read_bytes()
    drawn = read_png(one)
    assert drawn.width > 900 and drawn.height > 700  # three side by side, in two lines
    assert "tEXt" not in drawn.chunks
    lone = read_png(scatter({"NDVI": dots[:2]}, tmp_path / "three.png", x="true", y="said"))
    assert lone.width < drawn.width and lone.height < drawn.height


def test_nothing_to_show_is_refused(tmp_path):
    with pytest.raises(InvalidSetting, match="nothing to show"):
        scatter({"NDVI": []}, tmp_path / "none.png", x="true", y="said")
