"""Answers that cite: nothing stands that its citation does not bear."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.language import Measured
from arpent.tasks.describe.answering import answer, checked_answer, prompt_of

WHEN = date(2022, 6, 1)
DENSE = Measured(
    "field 7",
    {"NDVI": 0.72, "NDMI": -0.10, "EVI2": 0.5, "BSI": -0.2, "NDRE": 0.45},
    {"soil": 0.02, "vegetation": 0.95, "water": 0.0},
    taken=WHEN,
    place="valley",
)
BARE = Measured(
    "field 12",
    {"NDVI": 0.15, "NDMI": -0.22, "EVI2": 0.1, "BSI": 0.2, "NDRE": 0.1},
    {"soil": 0.9, "vegetation": 0.05, "water": 0.0},
    taken=WHEN,
    place="valley",
)
FOUND = (DENSE, BARE)


def texts(made):
    return [one.text for one in made.statements]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_grammar_answers_and_every_statement_is_borne(language):
    made = answer("dense?", FOUND, language, axes=("vigour", "moisture"))
    assert made.removed == ()
    assert made.by == "grammar"
    assert {number for one in made.statements for number in one.cited} == {1, 2}
    assert "[1]" in made.text
    assert checked_answer(made.text, FOUND, language).text == made.text


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The NDVI of the parcel is 0.72 [1]."),
        ("en", "Its NDVI is 0.72. [1]"),
        ("en", "Field 7 has a mean NDVI of 0.72 and an NDMI of −0.10 [ 1 ]."),
        ("fr", "Le NDVI de la parcelle vaut 0,72 [1]."),
        ("fr", "Le sol nu couvre 90 % de la parcelle [2]."),
    ],
)
def test_what_is_true_of_the_cited_parcel_stays(language, sentence):
    made = checked_answer(sentence, FOUND, language)
    assert made.removed == ()
    assert len(made.statements[0].cited) == 1


@pytest.mark.parametrize(
    ("language", "sentence", "why"),
    [
        ("en", "The NDVI is 0.72 [2].", "contradicted"),
        ("en", "The NDVI is 0.45 [1].", "contradicted"),
        ("fr", "Le NDVI vaut 0,15 [1].", "contradicted"),
        ("fr", "La végétation est absente [1].", "contradicted"),
        ("en", "The field grows maize [1].", "unsupported"),
        ("fr", "C'est une parcelle de blé [1].", "unsupported"),
        ("en", "The NDVI is 0.72 [9].", "unknown"),
        ("en", "The NDVI is 0.72 [0].", "unknown"),
        ("en", "The NDVI is 0.72.", "uncited"),
    ],
)
def test_what_no_citation_bears_goes_and_is_told(language, sentence, why):
    made = checked_answer(sentence, FOUND, language)
    assert made.text == ""
    assert why in {one.why for one in made.removed}


def test_of_two_citations_the_one_that_does_not_bear_the_sentence_goes():
    made = checked_answer("The NDVI is 0.72 [1, 2].", FOUND, "en")
    assert made.text == "The NDVI is 0.72 [1]."
    assert [(one.number, one.why) for one in made.removed] == [(2, "contradicted")]


def test_a_false_sentence_does_not_take_the_true_one_with_it():
    made = checked_answer("The NDVI is 0.72 [1]. The NDVI is 0.60 [2]. Soil is bare on 90% of it [2].", FOUND, "en")
    assert made.text == "The NDVI is 0.72 [1]. Soil is bare on 90% of it [2]."


def test_the_number_of_a_parcel_is_no_measurement():
    made = checked_answer("field 7 has an NDVI of 0.72 [1].", FOUND, "en")
    assert made.statements[0].cited == (1,)


def test_a_model_is_given_the_facts_and_its_answer_is_checked():
    asked = []

    def write(prompt):
        asked.append(prompt)
        return "The NDVI is 0.72 [1]. It is full of maize [1]."

    made = answer("Which is dense?", FOUND, "en", write=write)
    assert made.by == "model"
    assert made.text == "The NDVI is 0.72 [1]."
    assert "[2] field 12, valley, 1 June 2022: NDVI 0.15" in asked[0]
    assert "Which is dense?" in asked[0]
    assert "bare soil 90%" in prompt_of("?", FOUND, "en")
    assert "NDVI 0,15" in prompt_of("?", FOUND, "fr")


@pytest.mark.parametrize("said", ["", "NDVI 0.99 [1].", "I do not know.", "[1]", "[1][2]" * 500])
def test_a_model_that_says_nothing_true_is_replaced_by_the_grammar(said):
    made = answer("dense", FOUND, "en", write=lambda prompt: said)
    assert made.by == "grammar"
    assert made.statements


def test_a_parcel_under_cloud_is_not_described():
    hidden = Measured("a", {"NDVI": 0.7}, cloud=0.9, valid=0.1)
    made = answer("dense", [hidden], "en")
    assert "0.7" not in made.text


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["NDVI", "is", "0.72", "0.3", "[1]", "[2]", "[", "]", ".", "\n", "dense", "1", "é"])))
def test_whatever_is_written_what_is_left_is_borne(words):
    made = checked_answer(" ".join(words), FOUND, "en")
    again = checked_answer(made.text, FOUND, "en")
    assert again.removed == ()
