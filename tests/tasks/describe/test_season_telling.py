"""What is told of a season holds, sentence by sentence, in both languages."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.language import Measured, check, parse
from arpent.tasks.describe.season_telling import seasons_table, tell
from arpent.tasks.describe.seasons import seasons_of
from arpent.tasks.describe.table import Measurement

START = date(2022, 3, 1)


def _season(values, clouds=(), crop=None, step=12):
    rows = []
    for place, value in enumerate(values):
        cloud = 0.9 if place in clouds else 0.0
        measured = Measured(
            "field 7",
            {"NDVI": value, "NDMI": value - 0.4, "EVI2": value * 0.7, "NDRE": value * 0.6, "BSI": 0.2 - value / 2},
            {"soil": max(0.0, 0.8 - value), "vegetation": value, "water": 0.0} if value > 0 else {},
            cloud=cloud,
            valid=1 - cloud,
            taken=START + timedelta(days=step * place),
            crop=crop,
        )
        rows.append(Measurement(measured, f"S2_{place}", 9))
    return seasons_of(rows, by_name=True)[0]


def test_a_season_is_told_with_dates_direction_and_turn():
    told = tell(_season([0.2, 0.5, 0.82, 0.6, 0.3]))
    turn = told.turns[0]
    assert (turn.index, turn.kind, turn.value) == ("NDVI", "peak", 0.82)
    fr, en = told.texts["fr"].text, told.texts["en"].text
    assert "25 mars 2022" in fr and "0,82" in fr
    assert "25 March 2022" in en and "0.82" in en
    kinds = {finding.claim.named for _, findings in told.texts["en"].sentences for finding in findings}
    assert {"rise", "fall", "peak"} <= kinds


def test_every_claim_was_held_against_its_date():
    told = tell(_season([0.2, 0.5, 0.82, 0.6, 0.3]))
    for text in told.texts.values():
        assert text.dropped == 0
        assert text.sentences
        assert {finding.verdict for _, findings in text.sentences for finding in findings} == {"supported"}


@pytest.mark.parametrize(
    ("language", "wrong"),
    [
        ("en", "On 25 March 2022 the mean NDVI is 0.50."),
        ("en", "From 1 March 2022 to 25 March 2022, the NDVI falls from 0.82 to 0.20."),
        ("en", "The NDVI reaches its peak on 18 April 2022."),
        ("fr", "Le 25 mars 2022, le NDVI moyen vaut 0,50."),
        ("fr", "Du 1er mars 2022 au 25 mars 2022, le NDVI moyen baisse de 0,82 à 0,20."),
        ("fr", "Le NDVI moyen atteint son maximum le 18 avril 2022."),
    ],
)
def test_a_wrong_date_value_direction_or_turn_would_be_caught(language, wrong):
    series = _season([0.2, 0.5, 0.82, 0.6, 0.3]).told
    findings = check(parse(wrong, language), series[-1], before=series[:-1])
    assert "contradicted" in {finding.verdict for finding in findings}


def test_nothing_is_told_of_days_under_cloud():
    told = tell(_season([0.2, 0.5, 0.95, 0.6, 0.3], clouds=(2,)))
    assert all(turn.value < 0.9 for turn in told.turns)
    for text in told.texts.values():
        assert "0.95" not in text.text and "0,95" not in text.text


def test_a_season_that_ends_under_cloud_says_so():
    told = tell(_season([0.2, 0.5, 0.7], clouds=(2,)))
    named = {finding.claim.named for _, findings in told.texts["en"].sentences for finding in findings}
    assert "abstention" in named


def test_one_day_alone_is_described_and_no_day_abstains():
    assert "0.50" in tell(_season([0.5])).texts["en"].text
    nothing = tell(_season([0.5, 0.6], clouds=(0, 1)))
    assert nothing.turns == ()
    assert "0.6" not in nothing.texts["en"].text


def test_seasons_as_rows():
    told = tell(_season([0.2, 0.5, 0.82, 0.3], clouds=(1,), crop="maize"), crop_from="column")
    table = seasons_table([told], {0: "season-001.png"})
    (row,) = table.to_pylist()
    assert (row["dates"], row["seen"], row["crop"], row["crop_from"]) == (4, 3, "maize", "column")
    assert row["turns"][0]["kind"] == "peak"
    claims = [claim for sentence in json.loads(row["claims_fr"]) for claim in sentence["claims"]]
    assert claims and {claim["verdict"] for claim in claims} == {"supported"}
    assert row["chart"] == "season-001.png"


@settings(max_examples=30)
@given(st.lists(st.floats(-0.3, 0.95), min_size=1, max_size=9), st.sets(st.integers(0, 8)), st.integers(0, 99))
def test_no_season_is_told_wrongly(values, clouds, seed):
    told = tell(_season(values, clouds), seed=seed)
    assert [text.dropped for text in told.texts.values()] == [0, 0]
