"""Seasons: dated values, directions and turning points that hold, whatever the weather was."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Language
from arpent.language import LANGUAGES, Measured, check, compose, compose_season, contradictions, parse, text
from arpent.language.season import MOST_LEGS, Moment, turning_points

START = date(2021, 3, 1)


def _moments(*values: float) -> list[Moment]:
    return [Moment(START + timedelta(10 * number), value) for number, value in enumerate(values)]


def _season(*values: float | None) -> list[Measured]:
    """None is a date under cloud."""
    return [
        Measured("p", {"NDVI": 0.5 if value is None else value}, taken=moment, cloud=0.9 if value is None else 0.0)
        for value, moment in ((value, START + timedelta(10 * number)) for number, value in enumerate(values))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=50)
@given(data=st.data(), seed=st.integers(0, 2**31 - 1))
def test_a_season_holds_and_reads_back(
    language: Language, seasons: st.SearchStrategy[list[Measured]], data: st.DataObject, seed: int
) -> None:
    series = data.draw(seasons)
    told = compose_season(series, language, seed)
    read = parse(text(told), language)
    assert read == told
    assert all(one.verdict == "supported" for one in check(read, series[-1], before=series[:-1]))
    assert list(contradictions(read)) == []


@pytest.mark.parametrize(
    ("values", "turns"),
    [
        ((0.2, 0.3, 0.6, 0.8, 0.5, 0.3), (0.2, 0.8, 0.3)),
        ((0.2, 0.25, 0.22, 0.24), (0.2, 0.24)),
        ((0.8, 0.5, 0.2, 0.6), (0.8, 0.2, 0.6)),
        ((0.2, 0.6, 0.56, 0.61, 0.3), (0.2, 0.61, 0.3)),
        ((0.2, 0.6), (0.2, 0.6)),
        ((0.2, 0.6, 0.57), (0.2, 0.57)),
        ((0.5, 0.5, 0.5), (0.5, 0.5)),
        ((0.30, 0.24, 0.23, 0.43, 0.39), (0.30, 0.23, 0.39)),
        ((0.60, 0.66, 0.30), (0.60, 0.66, 0.30)),
        ((0.60, 0.62, 0.30), (0.60, 0.30)),
    ],
)
def test_where_a_season_turns(values: tuple[float, ...], turns: tuple[float, ...]) -> None:
    assert tuple(moment.value for moment in turning_points(_moments(*values))) == turns


@settings(max_examples=50)
@given(st.lists(st.floats(-0.2, 0.95).map(lambda value: round(value, 2)), min_size=2, max_size=30))
def test_turns_are_dates_of_the_season_and_few(values: list[float]) -> None:
    moments = _moments(*values)
    turns = turning_points(moments)
    assert turns[0] == moments[0]
    assert turns[-1] == moments[-1]
    assert 2 <= len(turns) <= MOST_LEGS + 1
    assert [moment.when for moment in turns] == sorted({moment.when for moment in turns})


def test_the_season_names_its_dates_and_its_peak() -> None:
    told = text(compose_season(_season(0.2, 0.45, 0.82, 0.6, 0.3), "en", 1))
    for piece in ("1 March 2021", "21 March 2021", "10 April 2021", "5 dates", "0.20", "0.82", "0.30"):
        assert piece in told, told
    claims = [
        claim for sentence in compose_season(_season(0.2, 0.45, 0.82, 0.6, 0.3), "fr", 1) for claim in sentence.claims
    ]
    turns = {claim.named: claim.when for claim in claims if claim.kind == "direction"}
    assert turns["peak"] == date(2021, 3, 21)
    assert turns["trough"] == date(2021, 3, 1)
    assert turns["rise"] == date(2021, 3, 21)
    assert turns["fall"] == date(2021, 4, 10)


def test_a_false_season_is_caught() -> None:
    """The season of another parcel, a turn on another date, a direction reversed."""
    series = _season(0.2, 0.45, 0.82, 0.6, 0.3)
    for language, words, wrong in (
        ("fr", "Du 1er mars 2021 au 21 mars 2021, le NDVI moyen baisse de 0,20 à 0,82.", "baisse"),
        ("en", "From 1 March 2021 to 21 March 2021, the mean NDVI falls from 0.20 to 0.82.", "falls"),
        ("fr", "Du 1er mars 2021 au 21 mars 2021, le NDVI moyen monte de 0,30 à 0,82.", "0,30"),
        ("en", "The mean NDVI reaches its maximum on 31 March 2021, at 0.60.", "maximum"),
        ("fr", "Le NDVI moyen est à son minimum le 10 avril 2021, à 0,30.", "minimum"),
        ("en", "The parcel was followed on 7 dates.", "7"),
        ("fr", "Du 2 mars 2021 au 21 mars 2021, le NDVI moyen monte.", "monte"),
    ):
        findings = check(parse(words, language), series[-1], before=series[:-1])
        refused = {words[one.claim.start : one.claim.end] for one in findings if one.verdict != "supported"}
        assert wrong in refused, (words, refused)


def test_cloudy_dates_are_passed_over() -> None:
    told = compose_season(_season(0.2, None, 0.8, None), "en", 0)
    words = text(told)
    assert "11 March" not in words, "the cloudy date in between"
    assert "4 dates" in words
    assert [claim.value for claim in told[-1].claims if claim.named == "cloud"] == [0.9], "the last date says why"


def test_one_date_is_described_as_one() -> None:
    series = _season(None, 0.5)
    assert compose_season(series, "fr", 4) == compose(series[-1], "fr", seed=4, before=series[:1])
