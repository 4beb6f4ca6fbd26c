"""What a question asks for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.language import LANGUAGES, class_words
from arpent.language.axes import axes_of, word_table
from arpent.language.wishes import Wanted, stem, understand

LOW = axes_of()["moisture"].levels["low"]


def told(question):
    wish = understand(question)
    wanted = {one.axis: "|".join(one.keys) for one in wish.wanted}
    return wanted | {f"no {one.axis}": "|".join(one.keys) for one in wish.excluded}, " ".join(wish.words)


@pytest.mark.parametrize(
    ("question", "classes", "words"),
    [
        ("végétation dense, sèche", {"vigour": "high", "moisture": "dry|very_dry"}, ""),
        ("Dense vegetation and dry", {"vigour": "high", "moisture": "dry|very_dry"}, ""),
        ("VEGETATIONS DENSES et SÈCHES", {"vigour": "high", "moisture": "dry|very_dry"}, ""),
        ("dense mais secs", {"vigour": "high", "moisture": "dry|very_dry"}, ""),
        ("maïs irrigué", {"moisture": "moist|wet"}, "mais"),
        ("biomasse forte, faible humidité", {"biomass": "high", "moisture": LOW}, ""),
        ("high biomass and low moisture", {"biomass": "high", "moisture": LOW}, ""),
        ("la part de sol nu est élevée", {"soil": "bare"}, ""),
        ("bare soil with hedges", {"soil": "bare"}, "hedges"),
        ("très sec", {"moisture": "very_dry"}, ""),
        ("manque d’eau", {"moisture": "dry|very_dry"}, ""),
        ("sans végétation", {"vigour": "absent"}, ""),
        ("pas sec, green", {"vigour": "moderate|high", "no moisture": "dry|very_dry"}, ""),
        ("not dense", {"no vigour": "high"}, ""),
        ("peu humide", {"moisture": "dry"}, ""),
        ("peu dense", {"vigour": "low"}, ""),
        ("biomasse abondante", {"biomass": "high"}, ""),
        ("dense green biomass", {"biomass": "high"}, ""),
        ("green, dense", {"vigour": "high"}, ""),
        ("sec ou humide", {"moisture": "dry|very_dry|moist|wet"}, ""),
        ("low vegetation; moderate growth", {"vigour": "low", "growth": "active"}, ""),
        ("vegetation", {}, "vegetation"),
        ("forte", {}, "forte"),
        ("une parcelle de la vallée", {}, "vallee"),
        ("", {}, ""),
        (" ,;… ", {}, ""),
    ],
)
def test_a_question_is_understood_in_both_languages(question, classes, words):
    assert told(question) == (classes, words)


def test_the_words_that_asked_are_kept_as_typed():
    assert understand("Biomasse FORTE").wanted == (Wanted("biomass", ("high",), "Biomasse FORTE"),)


def test_every_class_that_the_table_names_exists():
    axes = axes_of()
    table = word_table("search")
    named = {key.partition("=")[0]: set() for key in table["class"]}
    for key in table["class"]:
        axis, _, keys = key.partition("=")
        named[axis] |= set(keys.split("|"))
    assert all(keys <= set(axes[axis].keys) for axis, keys in named.items())
    assert set(table["axis"]) == set(axes)
    assert all(set(table["level"]) == set(axis.levels) for axis in axes.values())


def test_every_phrase_of_the_table_means_what_the_table_says():
    for key, phrases in word_table("search")["class"].items():
        axis, _, keys = key.partition("=")
        for phrase in phrases:
            assert {axis: keys} == told(phrase)[0], phrase


def test_what_texts_say_of_land_can_be_asked_for():
    """Phrases of two words or more, which mean one thing."""
    for axis in axes_of().values():
        for key in axis.keys:
            for language in LANGUAGES:
                for phrase in class_words(axis.name, key, language):
                    if " " in phrase and not phrase.startswith(
                        ("very", "très", "rather", "plutôt", "quasi", "almost nil")
                    ):
                        classes, _ = told(phrase)
                        assert axis.name in classes or f"no {axis.name}" in classes, phrase


@pytest.mark.parametrize("form", ["dense", "Dense", "DENSES", "denses"])
def test_number_gender_and_capitals_do_not_count(form):
    assert stem(form) == "dens"


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_no_question_is_too_odd(question):
    wish = understand(question)
    assert all(one.keys for one in (*wish.wanted, *wish.excluded))
