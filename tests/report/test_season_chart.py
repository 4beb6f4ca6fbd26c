"""Seasons as charts."""

from datetime import date, timedelta

import pytest
from PIL import Image

from arpent.errors import InvalidSetting
from arpent.report.season_chart import SeasonLine, season_chart

START = date(2022, 3, 1)
DAYS = [(START + timedelta(days=12 * place), value) for place, value in enumerate((0.2, 0.5, 0.8, 0.6, 0.3))]
LINES = [
    SeasonLine("NDVI", DAYS, [(START + timedelta(days=30), 0.1)], [DAYS[2]]),
    SeasonLine("NDMI", [(day, value - 0.3) for day, value in DAYS]),
]


def test_a_season_is_drawn_and_equal_seasons_give_equal_bytes(tmp_path):
    one = season_chart(LINES, tmp_path / "a.png", title="field $7$", language="fr")
    other = season_chart(LINES, tmp_path / "b.png", title="field $7$", language="fr")
    assert one.read_bytes() == other.read_bytes()
    with Image.open(one) as image:
        assert image.width > 900
    small = season_chart(LINES, tmp_path / "c.png", small=True)
    with Image.open(small) as image:
        assert image.width < 700


def test_days_under_cloud_are_told(tmp_path):
    told = season_chart(LINES, tmp_path / "a.png")
    plain = season_chart([SeasonLine("NDVI", DAYS)], tmp_path / "b.png")
    assert told.read_bytes() != plain.read_bytes()


@pytest.mark.parametrize(
    "lines",
    [
        [SeasonLine("NDVI", DAYS[:1])],
        [SeasonLine("NDVI", (), DAYS[:1])],
        [SeasonLine("NDVI", [(START, 0.5), (START + timedelta(days=900), 0.5)])],
        [SeasonLine("NDVI", DAYS), SeasonLine("NDMI", ())],
    ],
)
def test_odd_seasons_are_drawn_too(tmp_path, lines):
    assert season_chart(lines, tmp_path / "a.png").stat().st_size > 1000


def test_nothing_is_no_chart(tmp_path):
    with pytest.raises(InvalidSetting):
        season_chart([SeasonLine("NDVI", ())], tmp_path / "a.png")
