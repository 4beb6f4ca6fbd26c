"""What a text may not say: errors are asked for again, then written by the grammar, and nothing false stays."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Language
from arpent.language import Measured
from arpent.language.axes import AXES
from arpent.language.grammar import compose, text
from arpent.tasks.describe.invented import invented
from arpent.tasks.describe.repairing import Draft, checked_text, finished_sentence

KNOWN = Measured(
    "north field",
    {"NDVI": 0.52, "NDMI": 0.11, "EVI2": 0.31, "BSI": -0.12, "NDRE": 0.33},
    {"soil": 0.04, "vegetation": 0.93, "water": 0.0},
    taken=dt.date(2022, 6, 1),
)
GOOD = {
    "en": "The mean NDVI of 0.52 points to moderate vigour. Biomass is moderate (mean EVI2 of 0.31).",
    "fr": "Le NDVI moyen de 0,52 traduit une vigueur modérée. La biomasse est modérée (EVI2 moyen de 0,31).",
}
WRONG: list[tuple[Language, str]] = [
    ("en", "The mean NDVI of 0.71 points to moderate vigour."),  # number
    ("en", "The mean NDVI of 0.52 points to high vigour."),  # class
    ("en", "The mean WXYZ of 0.40 shows good health."),  # an index that does not exist
    ("en", "The maize is doing well."),  # a crop that nobody has named
    ("en", "Bare soil covers 40% of the parcel."),  # extent
    ("en", "The mean NDVI of 0.52 points to moderate vigour, twice that of its neighbours."),  # beyond what can be read
    ("en", "The mean NDVI is 0.52 and locusts ate the leaves."),
    ("fr", "Le NDVI moyen de 0,52 traduit une vigueur modérée, en Beauce comme ailleurs."),
    ("fr", "Le NDVI moyen de 0,17 traduit une vigueur modérée."),
    ("fr", "Le NDVI moyen de 0,52 traduit une vigueur forte."),
    ("fr", "L’indice WXYZ moyen de 0,40 montre une bonne santé."),
    ("fr", "Le maïs se porte bien."),
    ("fr", "Le sol nu couvre 40 % de la parcelle."),
]


def supported(draft: Draft) -> bool:
    _, sentences = draft.finished()
    return all(one.verdict == "supported" for sentence in sentences for one in sentence.findings)


@pytest.mark.parametrize(("language", "wrong"), WRONG)
def test_a_false_sentence_is_asked_for_again_and_then_replaced(language: Language, wrong: str) -> None:
    draft = Draft(f"{GOOD[language]} {wrong}", KNOWN, language)
    [failing] = draft.failing()
    assert failing.place == 2
    assert failing.before == GOOD[language]
    draft.again(failing, wrong)
    draft.repair()
    final, sentences = draft.finished()
    assert wrong not in final
    assert supported(draft)
    assert draft.regenerated == 1
    assert draft.repairs >= 1
    assert {one.source for one in sentences} == {"model", "grammar"}
    assert {axis for s in sentences for one in s.findings if (axis := one.claim.axis)} == set(AXES)


def test_a_sentence_that_stands_the_second_time_is_the_models_own() -> None:
    draft = Draft("The mean NDVI of 0.71 points to moderate vigour. Biomass is moderate.", KNOWN, "en")
    [failing] = draft.failing()
    draft.again(failing, "Vigour is moderate, with a mean NDVI of 0.52. And then")
    draft.repair()
    final, sentences = draft.finished()
    assert final.startswith("Vigour is moderate, with a mean NDVI of 0.52. Biomass is moderate.")
    assert sentences[0].source == "again"
    assert sentences[0].first == "The mean NDVI of 0.71 points to moderate vigour."
    assert sentences[1].source == "model"


def test_another_axis_is_no_answer_to_the_question() -> None:
    draft = Draft("The mean NDVI of 0.71 points to moderate vigour.", KNOWN, "en")
    draft.again(draft.failing()[0], "Biomass is moderate (mean EVI2 of 0.31).")
    draft.repair()
    assert "EVI2" in draft.finished()[0]
    assert draft.finished()[1][0].source == "grammar"


@pytest.mark.parametrize(
    ("language", "first", "class_of_it"),
    [
        ("en", "The mean NDVI is 0.52.", "Vigour is moderate."),
        ("fr", "La vigueur est NDVI moyen de 0,52.", "La vigueur est modérée."),
    ],
)
def test_a_number_without_its_class_is_half_of_a_description(language: Language, first: str, class_of_it: str) -> None:
    draft = Draft(first, KNOWN, language)
    assert [one.place for one in draft.failing()] == [0]
    draft.repair()
    assert first not in draft.finished()[0]
    both = Draft(f"{first} {class_of_it}", KNOWN, language)
    assert both.failing() == [], "wherever the class is named"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_lake_is_told_to_be_one_once_and_first(language: Language) -> None:
    lake = replace(KNOWN, shares={"soil": 0.0, "vegetation": 0.03, "water": 0.97})
    for answer in (
        "",
        {"fr": "La vigueur est forte. La biomasse est forte.", "en": "Vigour is high. Dense."}[language],
    ):
        draft = Draft(answer, lake, language)
        draft.repair()
        final, sentences = draft.finished()
        told = [place for place, one in enumerate(sentences) for f in one.findings if f.claim.named == "water"]
        assert told == [0], final
        assert supported(draft)
        assert draft.repairs >= 2
    own = text(compose(lake, language, axes=("vigour",)))
    draft = Draft(own, lake, language)
    draft.repair()
    assert draft.finished()[0].count("97") == 1, "where the model says it, the grammar does not"


def test_a_run_on_loses_its_fragment() -> None:
    draft = Draft("Biomass is moderate (mean EVI2 of 0.31). The mean NDVI of 0.", KNOWN, "en", ended=False)
    draft.repair()
    assert "NDVI of 0. " not in draft.finished()[0]
    assert supported(draft)


def test_an_empty_answer_is_all_the_grammars() -> None:
    draft = Draft("", KNOWN, "fr")
    draft.repair()
    final, sentences = draft.finished()
    assert final
    assert {one.source for one in sentences} == {"grammar"}
    assert draft.repairs == len(sentences)


@given(st.integers(0, 10_000), st.sampled_from(["fr", "en"]))
@settings(max_examples=40)
def test_what_the_grammar_writes_stands_untouched(seed: int, language: Language) -> None:
    measured = invented(np.random.default_rng(seed))
    written = text(compose(measured, language, seed=seed))
    draft = Draft(written, measured, language)
    assert draft.failing() == []
    draft.repair()
    assert draft.finished()[0] == written
    assert (draft.repairs, draft.regenerated) == (0, 0)


@given(st.text(max_size=200), st.sampled_from(["fr", "en"]))
@settings(max_examples=40)
def test_whatever_a_model_writes_nothing_false_is_left(words: str, language: Language) -> None:
    draft = Draft(words, KNOWN, language)
    draft.repair()
    assert supported(draft)
    final, sentences = draft.finished()
    assert all(final[one.start : one.end] == one.text for one in sentences)


def test_places_of_claims_are_those_in_the_final_text() -> None:
    checked = checked_text(GOOD["en"], KNOWN, "en")
    numbers = [one.claim for s in checked for one in s.findings if one.claim.kind == "value"]
    assert [GOOD["en"][one.start : one.end] for one in numbers] == ["0.52", "0.31"]
    assert [one.axis for one in checked] == ["vigour", "biomass"]


@pytest.mark.parametrize(
    ("words", "whole"),
    [("NDVI of 0.", True), ("NDVI of 0.52", False), ("It is so. And", True), ("Il est 0,52", False), ("", False)],
)
def test_a_stop_ends_a_sentence_and_a_decimal_mark_does_not(words: str, whole: bool) -> None:
    assert finished_sentence(words) == whole
