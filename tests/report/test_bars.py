"""Lying bars."""

import matplotlib.image
import numpy as np
import pytest

from arpent.errors import InvalidSetting
from arpent.report import Bar, bars
from arpent.report.style import decimals_of


def test_bars_are_as_long_as_their_values_and_the_same_each_time(tmp_path):
    rows = [
        Bar("one", 1.0, "a"),
        Bar("two", 2.0, "a"),
        Bar("a name that is much too long to stand before its bar", 4.0, "b"),
    ]
    first = bars(rows, tmp_path / "one.png", title="Bars", x="metres", notes={"a": "half"})
    again = bars(rows, tmp_path / "two.png", title="Bars", x="metres", notes={"a": "half"})
    assert first.read_bytes() == again.read_bytes()
    picture = matplotlib.image.imread(first)[..., :3]
    lengths = []
    for colour in ((0.0, 0x72 / 255, 0xB2 / 255), (0xD5 / 255, 0x5E / 255, 0.0)):
        rows_of = (abs(picture - colour).max(-1) < 0.01).sum(1)
        lengths += sorted({int(count) for count in rows_of if count > 100})
    assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.02)
    assert lengths[-1] / lengths[0] == pytest.approx(4, rel=0.02)


def test_a_chart_without_bars_is_refused(tmp_path):
    with pytest.raises(InvalidSetting, match="no bar"):
        bars([], tmp_path / "none.png", title="", x="")
    assert bars([Bar("nothing", 0.0, "a")], tmp_path / "flat.png", title="", x="").exists()


@pytest.mark.parametrize(
    ("ticks", "decimals"), [((0.0, 20.0), 0), ((0.0, 1.0), 0), ((0.0, 0.5), 1), ((0.0, 0.01, 0.02), 2), ((3.0,), 0)]
)
def test_ticks_have_the_decimals_that_tell_them_apart(ticks, decimals):
    assert decimals_of(np.array(ticks)) == decimals
