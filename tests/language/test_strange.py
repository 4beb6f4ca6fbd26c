"""Inventions beside a true number, and words that are read as claims: nothing that cannot be checked passes."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.language import LANGUAGES, Measured, check, compose, compose_season, parse
from arpent.language.strange import strange_words
from arpent.language.vocabulary import crop_name

FIELD = Measured(
    parcel="north field",
    indices={"NDVI": 0.45, "NDMI": -0.1, "EVI2": 0.30, "BSI": 0.05, "NDRE": 0.3},
    shares={"soil": 0.1, "vegetation": 0.8, "water": 0.0},
    taken=dt.date(2022, 6, 1),
)

PUBLISHED = {"SAVI": 0.3, "EVI": 0.2, "ARVI": 0.1, "DVI": 0.2}

INVENTED = [
    ("en", "The mean NDVI is 0.45, though locusts ate the leaves."),
    ("en", "The mean NDVI is 0.45, twice that of its neighbours."),
    ("en", "The mean NDVI is 0.45 in Kansas."),
    ("en", "The mean NDVI is 0.45, so the farmer should act."),
    ("en", "The mean NDVI is 0.45: a miracle."),
    ("fr", "Le NDVI moyen est de 0,45 : les chèvres ont tout mangé."),
    ("fr", "Le NDVI moyen est de 0,45, ce qui est le double de la normale."),
    ("fr", "Le NDVI moyen est de 0,45 en Beauce."),
]

UNTRUE = [
    ("en", "The soil is completely naked."),
    ("en", "The field is a desert."),
    ("en", "NDVI equals point eight one."),
    ("en", "The parcel is drowning in water."),
    ("en", "The plants are diseased."),
    ("en", "Plants are dying."),
    ("en", "The vegetation thrives."),
    ("en", "It rained heavily."),
    ("en", "Farmers should irrigate."),
    ("en", "The parcel is flooded."),
    ("fr", "Le champ est un désert."),
    ("fr", "La parcelle est inondée."),
    ("fr", "Les plantes sont malades."),
    ("fr", "Les plantes meurent."),
    ("fr", "Les plantes se portent bien."),
    ("fr", "Il a beaucoup plu."),
    ("fr", "Il faut irriguer."),
]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("The mean NDVI is 0.", "contradicted"),
        ("The mean NDVI is 1.", "contradicted"),
        ("The mean NDMI is 0.", "contradicted"),
        ("The mean NDVI is 0.4.", "supported"),
        ("The mean NDVI is 0.5.", "supported"),
        ("The mean NDVI is 0.6.", "contradicted"),
    ],
)
def test_a_whole_number_is_no_rounding_of_an_index(said, verdict):
    (found,) = check(parse(said, "en"), FIELD)
    assert found.verdict == verdict


def test_babble_with_a_number_in_it_is_strange():
    said = "La parcelle ppourl’humidité du couvert est edsostlté eau, Enfin, ly moist low biomass is 0."
    assert {"edsostlte", "ly"} <= {*strange_words(said, "fr")}


@pytest.mark.parametrize(("language", "said"), INVENTED)
def test_an_invention_beside_a_true_number_is_strange(language, said):
    assert strange_words(said, language)


@pytest.mark.parametrize(("language", "said"), UNTRUE)
def test_what_is_not_so_is_no_longer_read_over(language, said):
    found = check(parse(said, language), FIELD)
    assert found
    assert not all(one.verdict == "supported" for one in found), said


def test_words_come_once_folded_and_names_are_no_words():
    assert strange_words("Zebras, zebras and Élans near r003c001 of Boadella.", "en", ("r003c001", "Boadella")) == (
        "zebras",
        "elans",
    )
    assert strange_words("", "fr") == ()


@settings(deadline=None, max_examples=40)
@given(
    ndvi=st.floats(-0.1, 0.9),
    ndmi=st.floats(-0.5, 0.5),
    soil=st.floats(0, 1),
    crop=st.sampled_from([None, "maize", "blé", "orge"]),
    seed=st.integers(0, 10_000),
)
def test_whatever_the_grammar_writes_is_known_to_it(ndvi, ndmi, soil, crop, seed):
    for profile in ("arpent", "xvision"):
        one = replace(
            FIELD,
            indices=FIELD.indices | {"NDVI": ndvi, "NDMI": ndmi, "NBR": ndmi} | PUBLISHED,
            shares={"soil": soil, "vegetation": (1 - soil) / 2, "water": (1 - soil) / 2},
            crop=crop,
            cloud=0.1,
        )
        earlier = replace(one, taken=dt.date(2022, 5, 1), indices={**one.indices, "NDVI": 0.2})
        for language in LANGUAGES:
            for sentence in compose(one, language, seed=seed, before=(earlier,), profile=profile):
                assert strange_words(sentence.text, language) == (), sentence.text
            for sentence in compose_season((earlier, one), language, seed):
                assert strange_words(sentence.text, language) == (), sentence.text


def test_a_season_tells_its_crop_in_both_languages():
    days = [replace(FIELD, taken=dt.date(2022, month, 1), crop="maize") for month in (4, 5, 6)]
    for language, words in (("fr", "C’est une parcelle de maïs."), ("en", "This is a field of maize.")):
        told = compose_season(days, language)
        assert told[0].text == words
        assert all(one.verdict == "supported" for one in check(told, days[-1], before=days[:-1]))
    assert crop_name("Winter wheat", "en") == "Winter wheat"
    assert crop_name("Winter wheat", "fr") == "blé"
    assert crop_name("moonflower", "fr") == "moonflower"
    unnamed = [replace(one, crop="moonflower") for one in days]
    assert "moonflower" not in " ".join(one.text for one in compose_season(unnamed, "en"))


def test_que_is_elided_before_a_vowel():
    joined = [" ".join(one.text for one in compose(FIELD, "fr", seed=seed)) for seed in range(300)]
    assert not any("que avec" in text or "que on" in text for text in joined)
    elided = [text for text in joined if "tandis qu’" in text]
    assert elided
    for text in elided:
        assert all(one.verdict == "supported" for one in check(parse(text, "fr"), FIELD)), text
