"""The plain words of captions."""

import json
import tomllib
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting
from arpent.language import Vocabulary, cleaned, concept, content_words, labels_named, masked, words_of

TABLE = tomllib.loads(files("arpent.language").joinpath("tables", "captions.toml").read_text("utf-8"))
LABELS = ("bare-soil", "buildings", "mobile-home", "court", "sea", "trees")
TEXT = st.lists(
    st.sampled_from(["mobile", "home", "homes", "Bare", "soil", "buildings,", "court", "tree", "the", "l'eau", "x2"])
).map(" ".join)


def test_words_keep_accents_and_digits_and_lose_marks():
    assert words_of("L'été, 3 Chênes-verts — déjà_là !") == ("l", "été", "3", "chênes", "verts", "déjà", "là")
    assert words_of(" .,; ") == ()
    assert words_of("e\N{COMBINING ACUTE ACCENT}té") == ("été",)
    assert len(words_of("x" * 10_000)[0]) == 40


@given(st.text())
def test_cleaning_twice_changes_nothing(text):
    assert cleaned(cleaned(text)) == cleaned(text) == " ".join(words_of(text))


@pytest.mark.parametrize(
    ("language", "pairs"),
    [
        ("en", "dogs dog, boxes box, cities city, beaches beach, grass grass, tennis tennis, people person, bus bus"),
        ("en", "women woman, guys man, kids child, puppies dog, leaves leaf, houses house, buildings building"),
        ("fr", "arbres arbre, bateaux bateau, chevaux cheval, bois bois, pays pays, hommes homme, bijoux bijou"),
    ],
)
def test_one_word_for_singular_plural_and_synonyms(language, pairs):
    for pair in pairs.split(", "):
        word, meant = pair.split()
        assert concept(word, language) == meant, word


def test_words_that_show_nothing_are_no_content():
    assert content_words("Two men in the 3 red cars are on a street .", "en") == ("man", "red", "car", "street")
    assert content_words("Des hommes sont près de la rivière", "fr") == ("homme", "rivière")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_table_agrees_with_itself(language):
    groups = TABLE["same"][language]
    listed = [word for group in groups for word in group]
    assert len(listed) == len(set(listed)), "a word of two meanings"
    assert not set(listed) & set(TABLE["stop"][language])
    for group in groups:
        assert {concept(word, language) for word in group} == {group[0]}
    for entry in [*listed, *TABLE["stop"][language], *TABLE["singular"][language]]:
        assert words_of(entry) == (entry,)


def test_labels_are_read_in_singular_and_plural():
    said = "Two Mobile homes beside a court; the building stands on bare soils and earth."
    assert labels_named(said, LABELS, "en") == {"mobile-home", "court", "buildings", "bare-soil"}
    assert masked(said, LABELS, "en") == "two beside a the stands on and earth"
    assert labels_named("a home that is mobile, seaside", LABELS, "en") == frozenset()


@given(TEXT)
@settings(max_examples=200)
def test_what_is_masked_names_no_label(text):
    left = masked(text, LABELS, "en")
    assert labels_named(left, LABELS, "en") == frozenset()
    remaining = iter(words_of(text))
    assert all(word in remaining for word in words_of(left)), "only takes words away, and keeps their order"
    if not labels_named(text, LABELS, "en"):
        assert left == cleaned(text)


def test_words_written_together_and_synonyms_name_a_label_too():
    assert masked("Mobilehomes on baresoil", ["mobile-home", "bare-soil"], "en") == "on"
    assert masked("a plane, two aircraft, automobiles", ["airplane", "cars"], "en") == "a two"


def test_masking_goes_on_where_the_rest_closes_up():
    assert masked("a mobile mobile home home", ["mobile-home"], "en") == "a"


def test_a_vocabulary_is_of_the_commonest_words():
    known = Vocabulary.of(["the cat", "the dog", "a dog", "the ox"], most=3)
    assert known.words == ("the", "dog", "a")
    assert known.size == 5
    codes = known.codes("A DOG and the zebra!")
    assert codes.ids.dtype == np.int64
    assert codes.ids.tolist() == [4, 3, 1, 2, 1] + [0] * 25
    assert (codes.known, codes.unknown, codes.cut, codes.present) == (3, 2, 0, True)


def test_words_of_one_meaning_may_be_taken_for_one():
    known = Vocabulary.of(["two kids", "a child and dogs", "the dog"], concepts="en")
    assert set(known.words) == {"two", "a", "and", "the", "child", "dog"}
    codes = known.codes("Dogs, puppies, a guy")
    assert codes.ids[0] == codes.ids[1] == known.numbers["dog"]
    assert (codes.known, codes.unknown) == (3, 1)
    assert Vocabulary.of_document(known.document()) == known


def test_a_long_caption_is_cut_and_an_empty_one_is_absent():
    known = Vocabulary(("a", "b"), length=3)
    assert known.codes("a b a b b").ids.tolist() == [2, 3, 2]
    assert known.codes("a b a b b").cut == 2
    assert not known.codes(" !? ").present
    assert known.codes("x y b").present
    assert not known.codes("x y").present, "words that nobody knows say nothing"


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(1, 40))
@settings(max_examples=50)
def test_a_vocabulary_outlives_json(texts, length):
    known = Vocabulary.of(texts, length=length)
    assert Vocabulary.of_document(json.loads(json.dumps(known.document()))) == known
    for text in texts:
        codes = known.codes(text)
        assert codes.unknown == 0
        assert codes.known + codes.cut == len(words_of(text))


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, {"words": ["a", "a"], "length": 3}, {"words": ["a"], "length": 0}),
        *({"words": [1], "length": 3}, {"words": ["a"], "length": 3, "concepts": "de"}),
    ],
)
def test_what_is_no_vocabulary_is_refused(document):
    with pytest.raises(InvalidSetting, match="no vocabulary"):
        Vocabulary.of_document(document)
