"""Dates in names, and names after images."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.core import date_pattern
from arpent.errors import InvalidSetting
from arpent.tasks.change import Frame, Pair
from arpent.tasks.change.reference_names import check_date, date_in, guessed_date, pair_suffix

HLS = date_pattern(r"\.(\d{7})T")
S2 = date_pattern(r"\_(\d{8})_")


def pair(*images):
    return Pair(tuple(Frame(image) for image in images), "some pair")


def test_dates_of_the_published_patterns():
    assert date_in("/a.2020001T/HLS.S30.T11UMU.2023237T185919.v2.tif", HLS) == 2023237
    assert date_in("s3://bucket/S2_20240301_T18.tif", S2) == 2024061
    assert date_in("/2020_20200101_/plain.tif", S2) is None
    assert date_in("folder.2023237T1/", HLS) == 2023237
    assert date_in("image_2024-03-01.tif", date_pattern(r"_([\d-]{10})")) == 2024061


@pytest.mark.parametrize("name", ["a_20241301_.tif", "a_20230229_.tif", "a_00000000_.tif"])
def test_what_looks_like_a_date_and_is_none(name):
    with pytest.raises(InvalidSetting, match=r"_\(\\d\{8\}\)_ finds in a_"):
        date_in(name, S2)


@pytest.mark.parametrize("digits", ["2023000", "2023366", "2024367", "0000001"])
def test_days_that_no_year_has(digits):
    with pytest.raises(InvalidSetting):
        date_in(f"x.{digits}T.tif", HLS)
    with pytest.raises(InvalidSetting, match="is not a date"):
        check_date(int(digits))


def test_a_pattern_that_finds_something_else_teaches():
    with pytest.raises(InvalidSetting, match="found 237"):
        date_in("x.237T", date_pattern(r"\.(\d{3})T"))
    with pytest.raises(InvalidSetting, match="found nothing"):
        date_in("x.T", date_pattern(r"\.(\d{7})?T"))


@pytest.mark.parametrize("regex, told", [(r"\.(\d{7}T", "regular expression"), (r"\.\d{7}T", "brackets")])
def test_patterns_that_cannot_be_used(regex, told):
    with pytest.raises(InvalidSetting, match=told):
        date_pattern(regex)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_both_ways_of_writing_a_day_agree(day):
    assert guessed_date(f"/2020-01-01/a_{day.isoformat()}.tif") == check_date(int(day.isoformat().replace("-", "")))
    number = date_in(f"S2_{day:%Y}".replace(f"{day:%Y}", f"{day.year:04d}{day.month:02d}{day.day:02d}_"), S2)
    assert number == check_date(number)
    assert date(number // 1000, 1, 1) + timedelta(days=number % 1000 - 1) == day
    assert date_in(f"x.{number:07d}T", HLS) == number


def test_products_are_named_after_their_images():
    before, after = "/a/HLS.S30.2023237T185919.v2.tif", "nocloud.2024245T.TIF"
    assert pair_suffix(pair(before, after), "!") == "!HLS.S30.2023237T185919.v2!nocloud.2024245T"
    assert pair_suffix(pair("été à Cahors.tif"), "__") == "__été à Cahors"


@pytest.mark.parametrize(
    "image, mark, told", [("a:b.tif", "!", "':'"), ("a.tif", "/", "'/'"), ("é" * 120, "!", "long")]
)
def test_names_that_no_file_can_have(image, mark, told):
    with pytest.raises(InvalidSetting, match=told):
        pair_suffix(pair(image, "b.tif"), mark)
