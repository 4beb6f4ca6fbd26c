"""The days of a parcel in their order, and where an index turns."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.language import Measured
from arpent.tasks.describe.seasons import seasons_of, turns_of
from arpent.tasks.describe.table import Measurement

START = date(2022, 3, 1)


def _row(day, ndvi, parcel="a", place="valley", cloud=0.0, valid=None):
    taken = None if day is None else START + timedelta(days=day)
    seen = 1 - cloud if valid is None else valid
    return Measurement(Measured(parcel, {"NDVI": ndvi}, cloud=cloud, valid=seen, taken=taken, place=place), "x", 9)


def _season(values, **more):
    return seasons_of([_row(10 * place, value, **more) for place, value in enumerate(values)], by_name=True)[0]


def test_days_come_in_order_and_once():
    rows = [_row(20, 0.5), _row(0, 0.2), _row(20, 0.7, valid=0.9), _row(None, 0.1), _row(0, 0.3, "b")]
    one, other = seasons_of(rows, by_name=True)
    assert [day.taken for day in one.days] == [START, START + timedelta(days=20)]
    assert one.days[1].value == {"NDVI": 0.5}
    assert other.parcel == "b"


def test_a_name_is_one_parcel_on_all_tiles_or_in_one_place():
    rows = [_row(0, 0.2, place="T31"), _row(10, 0.4, place="T32")]
    assert len(seasons_of(rows, by_name=True)) == 1
    assert len(seasons_of(rows, by_name=False)) == 2


def test_a_clouded_day_is_there_but_nothing_is_told_of_it():
    (season,) = seasons_of([_row(0, 0.2), _row(10, 0.9, cloud=0.8)], by_name=True)
    assert [day.seen for day in season.days] == [True, False]
    assert season.told[1].indices == {}
    assert season.days[1].value == {"NDVI": 0.9}
    assert season.of("NDVI") == ((START, 0.2),)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.2, 0.5, 0.8, 0.4, 0.2], ["peak 0.8"]),
        ([0.7, 0.3, 0.2, 0.6], ["trough 0.2"]),
        ([0.2, 0.7, 0.3, 0.8, 0.2], ["peak 0.7", "trough 0.3", "peak 0.8"]),
        ([0.2, 0.4, 0.6], []),
        ([0.6, 0.4, 0.2], []),
        ([0.5, 0.52, 0.48, 0.51], []),
        ([0.2, 0.7, 0.65, 0.72, 0.3], ["peak 0.72"]),
        ([0.5], []),
        ([], []),
    ],
)
def test_turns_are_peaks_and_troughs_that_count(values, expected):
    season = _season(values) if values else seasons_of([_row(0, 0.1, cloud=1.0)], by_name=True)[0]
    assert [f"{turn.kind} {turn.value}" for turn in turns_of(season, "NDVI")] == expected


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20))
def test_peaks_and_troughs_take_turns(values):
    turns = turns_of(_season(values), "NDVI")
    assert len(turns) <= 3
    assert all(one.kind != other.kind and one.value != other.value for one, other in itertools.pairwise(turns))
    assert [turn.taken for turn in turns] == sorted({turn.taken for turn in turns})
