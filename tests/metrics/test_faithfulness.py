"""NIFA: texts that are wrong in known ways must get the figures that can be counted by hand."""

import dataclasses
import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import DatasetError
from arpent.language import Measured
from arpent.language.checking import check
from arpent.language.claims import parse
from arpent.language.grammar import compose
from arpent.language.grammar import text as grammar_text
from arpent.metrics import FIGURES, FaithfulnessTally, Told, contradicts, declines, slope

FIELD = Measured(
    "A",
    {"NDVI": 0.642, "NDMI": 0.104, "EVI2": 0.41, "BSI": -0.1, "NDRE": 0.35},
    {"soil": 0.12, "vegetation": 0.8},
    taken=date(2021, 7, 21),
    place="Boadella",
)
TRUE = (
    "The vegetation is dense, with an NDVI of 0.64. The canopy is moist (NDMI 0.10). The biomass is moderate "
    "(EVI2 0.41). Bare soil covers 12% of the ground, which is well covered. Growth is active (NDRE 0.35)."
)


def told(text, measured=FIELD, **own):
    return Told(parse(text, own.get("language", "en")), measured, **own)


def scored(*all_told, **choice):
    tally = FaithfulnessTally()
    for one in all_told:
        tally.update(one)
    return tally.scores(**choice)


def test_a_true_text_has_full_marks():
    found = scored(told(TRUE))
    assert found.summary() == {
        **dict.fromkeys(("coverage", "stated", "hit02", "hit05", "classes", "consistency"), 1.0),
        **dict.fromkeys(("refused", "contradiction", "unsupported", "needless"), 0.0),
        "mae": pytest.approx((0.002 + 0.004) / 5, abs=1e-9),
    }
    assert (found.texts, found.parcels) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "right", "changed"),
    [
        ("NDVI of 0.60", "NDVI of 0.64", {"hit02": 0.8, "refused": 1 / 10}),
        ("NDVI of 0.56", "NDVI of 0.64", {"hit02": 0.8, "hit05": 0.8, "refused": 1 / 10, "consistency": 0.8}),
        (
            "NDVI of 0.44",
            "NDVI of 0.64",
            {"hit02": 0.8, "hit05": 0.8, "refused": 0.1, "contradiction": 0.1, "consistency": 0.8},
        ),
        ("is dry (NDMI", "is moist (NDMI", {"classes": 0.8, "refused": 0.1, "consistency": 0.8}),
        ("is very dry (NDMI", "is moist (NDMI", {"classes": 0.8, "refused": 0.1, "contradiction": 0.1}),
        ("(NDMI 0.10)", "(WDRVI 0.10)", {"coverage": 1.0}),
        ("Bare soil covers 45%", "Bare soil covers 12%", {"hit05": 0.8, "contradiction": 0.1}),
    ],
)
def test_one_fault_moves_the_figures_that_it_should(wrong, right, changed):
    assert right in TRUE or right == "(WDRVI 0.10)"
    text = TRUE.replace(right, wrong) if right in TRUE else TRUE.replace(wrong, right)
    found = scored(told(text)).summary()
    for name, value in changed.items():
        assert found[name] == pytest.approx(value), name


def test_what_is_missing_is_a_miss_and_not_left_out():
    found = scored(told("The vegetation is dense, with an NDVI of 0.64."))
    assert found["coverage"] == found["stated"] == found["hit05"] == found["classes"] == pytest.approx(0.2)
    assert found["mae"] == pytest.approx(0.002)
    assert found["refused"] == 0


def test_an_empty_text_misses_everything_and_claims_nothing():
    found = scored(told(""))
    assert found["coverage"] == found["hit05"] == found["classes"] == 0
    assert math.isnan(found["contradiction"]) and math.isnan(found["mae"])


def test_inventions_are_unsupported():
    found = scored(told(f"{TRUE} Wheat is grown here. The WDRVI is 0.31."))
    assert found["unsupported"] == pytest.approx(2 / 12)
    assert found["hit05"] == 1


@pytest.mark.parametrize(
    ("text", "cloud", "figures"),
    [
        ("Clouds hide the parcel, so it is not described.", 0.9, {"abstention": 1.0}),
        (TRUE, 0.9, {"abstention": 0.0}),
        (TRUE, 0.1, {"needless": 0.0}),
    ],
)
def test_whether_it_declines_where_it_should(text, cloud, figures):
    cloudy = dataclasses.replace(FIELD, cloud=cloud)
    found = scored(told(text, cloudy))
    for name, value in figures.items():
        assert found[name] == value
    assert math.isnan(found["coverage"]) == (cloud > 0.6)


def test_a_needless_abstention_misses_everything():
    text = "Clouds hide the parcel, so it is not described."
    assert declines(parse(text, "en"))
    found = scored(told(text))
    assert found["needless"] == 1 and found["hit05"] == found["coverage"] == 0


def test_directions_need_the_date_before():
    earlier = dataclasses.replace(FIELD, indices={**FIELD.indices, "NDVI": 0.35}, taken=date(2021, 6, 26))
    up = told("The NDVI has risen.", before=(earlier,))
    down = told("The NDVI has fallen.", before=(earlier,))
    silent = told(TRUE, before=(earlier,))
    assert scored(up)["direction"] == 1
    assert scored(down)["direction"] == 0 and scored(down)["contradiction"] == 1
    assert scored(silent)["direction"] == 0
    assert math.isnan(scored(told(TRUE))["direction"])


def test_a_claim_is_contradicted_only_when_it_is_beyond_doubt():
    def gross(text):
        return [contradicts(one) for one in check(parse(text, "en"), FIELD)]

    assert gross("The NDVI is 0.55.") == [False]
    assert gross("The NDVI is 0.30.") == [True]
    assert gross("The canopy is dry.") == [False]
    assert gross("The canopy is very dry.") == [True]


PARCELS = [dataclasses.replace(FIELD, parcel=f"P{number}") for number in range(6)]
HALF = "The vegetation is dense, with an NDVI of 0.64."


@given(st.permutations(range(6)), st.integers(0, 6))
@settings(deadline=None, max_examples=20)
def test_tallies_merge_in_any_order(order, cut):
    all_told = [told((TRUE, HALF)[number % 2], PARCELS[number], split="ab"[number // 3]) for number in range(6)]
    whole, one, two = FaithfulnessTally(), FaithfulnessTally(), FaithfulnessTally()
    for item in all_told:
        whole.update(item)
    for place, number in enumerate(order):
        (one if place < cut else two).update(all_told[number])
    merged = one.merge(two)
    assert merged.splits == whole.splits == ("a", "b")
    for choice in ({}, {"split": "a"}, {"language": "en"}):
        ours, theirs = merged.scores(draws=50, **choice), whole.scores(draws=50, **choice)
        assert ours.figures.keys() == set(FIGURES)
        for name in ("coverage", "hit05", "mae"):
            got, expected = ours.figures[name], theirs.figures[name]
            assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_intervals_come_from_parcels_and_their_seed():
    all_told = [told((TRUE, HALF)[number % 2], PARCELS[number]) for number in range(6)]
    one, same, other = (scored(*all_told, draws=15, seed=seed).figures["hit05"] for seed in (0, 0, 1))
    assert one == same and one != other
    assert one.value == pytest.approx(0.6)
    assert one.low < one.value < one.high
    alone = scored(all_told[0], all_told[0]).figures["hit05"]
    assert math.isnan(alone.low)  # of one parcel, however many texts, nobody knows an interval


def test_a_gain_is_of_the_same_parcels():
    better, worse = FaithfulnessTally(), FaithfulnessTally()
    for parcel in PARCELS:
        better.update(told(TRUE, parcel))
        worse.update(told(HALF, parcel))
    gain = better.gain(worse, "hit05")
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.8, 0.8, 0.8))
    worse.update(told(HALF, dataclasses.replace(FIELD, parcel="elsewhere")))
    with pytest.raises(DatasetError, match="same parcels"):
        better.gain(worse, "hit05")


def test_nothing_judged_is_an_error():
    with pytest.raises(DatasetError, match="no text was judged"):
        FaithfulnessTally().scores()
    with pytest.raises(DatasetError, match="splits all"):
        scored(told(TRUE), split="dates")


def test_of_a_lake_the_numbers_are_due_and_no_class():
    lake = dataclasses.replace(FIELD, shares={"soil": 0.0, "vegetation": 0.1, "water": 0.9})
    numbers = "NDVI 0.64. NDMI 0.10. EVI2 0.41. BSI −0.10. NDRE 0.35. Water covers 90% of the parcel."
    found = scored(told(numbers, lake))
    assert (found["hit05"], found["coverage"], found["unsupported"]) == (1, 1, 0)
    assert math.isnan(found["classes"])
    worded = scored(told(numbers.replace("NDMI 0.10", "The canopy is moist (NDMI 0.10)"), lake))
    assert worded["unsupported"] == pytest.approx(1 / 7)
    assert scored(told(numbers.replace("0.35", "0.55"), lake))["hit05"] == pytest.approx(0.8)


def test_french_texts_are_judged_alike():
    text = (
        "La végétation est dense, avec un NDVI de 0,64. Le couvert est assez humide (NDMI de 0,10). La biomasse est "
        "moyenne (EVI2 de 0,41). Le sol nu occupe 12 % de la parcelle."
    )
    found = scored(told(text, language="fr"), language="fr")
    assert found["hit05"] == pytest.approx(0.8)
    assert found["refused"] == 0


def test_texts_of_another_profile_are_judged_by_its_thresholds():
    """XVision's moisture is another index, which its texts call NDWI."""
    published = dataclasses.replace(
        FIELD, indices={"NDVI": 0.642, "NBR": 0.3, "NDWI": -0.6, "SAVI": 0.5, "EVI": 0.5, "DVI": 0.31, "ARVI": 0.6}
    )
    text = grammar_text(compose(published, "en", profile="xvision"))
    own = scored(Told(parse(text, "en", "xvision"), published, profile="xvision"))
    assert own["hit05"] == own["classes"] == 1 and own["refused"] == 0
    assert scored(Told(parse(text, "en"), published))["refused"] > 0


@given(st.integers(0, 10_000), st.sampled_from(["en", "fr"]))
@settings(deadline=None, max_examples=30)
def test_what_the_grammar_says_of_the_truth_has_full_marks(seed, language):
    rng = np.random.default_rng(seed)
    names = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE")
    soil = float(rng.uniform(0, 1))
    facts = dataclasses.replace(
        FIELD,
        indices=dict(zip(names, rng.uniform(-0.5, 0.95, 5).tolist(), strict=True)),
        shares={"soil": soil, "vegetation": 1 - soil},
    )
    found = scored(told(grammar_text(compose(facts, language, seed=seed)), facts, language=language))
    assert found["coverage"] == found["hit05"] == found["classes"] == found["consistency"] == 1
    assert found["refused"] == found["unsupported"] == 0


def test_the_slope_follows_stated_numbers():
    true = np.linspace(0.3, 0.7, 7)
    follows = [(float(value) - 0.1, float(value)) for value in true]
    stays = [(0.5, float(value)) for value in true]
    against = [(1 - float(value), float(value)) for value in true]
    half = [(float(value) if place % 2 else None, float(value)) for place, value in enumerate(true)]
    assert slope({"a": follows}).value == pytest.approx(1)
    assert slope({"a": stays}).value == 0
    assert slope({"a": against}).value == pytest.approx(-1)
    assert slope({"a": half}).value == pytest.approx(3 / 7)
    assert slope({"a": half[:4]}).value == 0  # two numbers say nothing of an order
    both = slope({"a": follows, "b": stays}, seed=1)
    assert (both.value, both.low, both.high) == (pytest.approx(0.5), 0.0, 1.0)
    with pytest.raises(DatasetError, match="no parcel"):
        slope({})


def test_ties_share_their_rank():
    """Against scipy's definition, by hand: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4."""
    pairs = [(0.1, 0.1), (0.2, 0.2), (0.2, 0.3), (0.3, 0.4)]
    stated, true = np.array([1, 2.5, 2.5, 4]), np.array([1, 2, 3, 4])
    assert slope({"a": pairs}).value == pytest.approx(np.corrcoef(stated, true)[0, 1])
