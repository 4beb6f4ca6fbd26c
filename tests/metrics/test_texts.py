"""BLEU-4, ROUGE-L and CIDEr-D against cases counted by hand."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics import bleu4, cider, compare_texts, rouge_l, words
from arpent.metrics.texts import _common

SENTENCES = st.lists(
    st.sampled_from(["dense", "vigorous", "dry", "bare", "moist", "crop", "soil", "cover", "canopy", "low"]), min_size=5
)


def test_words_keep_numbers_whole_and_drop_punctuation():
    assert words("NDVI : 0,64, l’eau (−0.12) ; 12 %.") == ("ndvi", "0,64", "l", "eau", "−0.12", "12")


def test_bleu_by_hand():
    """Six words of a reference of seven: runs 5/6, 4/5, 3/4 and 2/3 are shared, and one word is missing."""
    text, reference = "the canopy is dense and wet", "the canopy is dense and very dry"
    runs = [5 / 6, 4 / 5, 3 / 4, 2 / 3]
    expected = math.exp(1 - 7 / 6) * math.prod(runs) ** 0.25
    assert bleu4([text], [[reference]]) == pytest.approx(expected)


def test_bleu_counts_a_repeated_word_as_often_as_references_have_it():
    assert bleu4(["dry dry dry dry dry"], [["dry dry dry dry soil"]]) == pytest.approx(
        (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    )


def test_bleu_takes_the_nearest_length():
    """A longer text than its nearest reference pays nothing for its length."""
    text = "one two three four five"
    assert bleu4([text], [["one two three four", f"{text} six seven eight"]]) == pytest.approx(1.0)


def test_rouge_by_hand():
    """Police killed, or kill, the gunman: three of four words in order."""
    assert rouge_l(["police kill the gunman"], [["police killed the gunman"]]) == pytest.approx(0.75)
    precision, recall = 2 / 3, 2 / 4
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(["soil is dry"], [["the soil was dry"]]) == pytest.approx(expected)


def test_cider_by_hand():
    """Two images; each word of a text is in one set of references only, so that every run weighs log 2."""
    texts, references = ["dry soil", "dense green"], [["dry soil"], ["dense crop"]]
    first = (1 + 1 + 0 + 0) / 4  # runs of one and of two words are all shared; there are none of three and four
    second = (1 / 2 + 0 + 0 + 0) / 4  # one word of two
    assert cider(texts, references) == pytest.approx(10 * (first + second) / 2)


def test_cider_minds_lengths():
    """Four words too many, all unknown to the references: their weight, and the penalty."""
    long = "dry soil here we go now"
    one = cider([long, "dense green"], [["dry soil"], ["dense green"]])
    assert one < cider(["dry soil", "dense green"], [["dry soil"], ["dense green"]]) * 0.9


@given(st.lists(SENTENCES, min_size=2, max_size=5, unique_by=tuple))
@settings(deadline=None, max_examples=40)
def test_equal_texts_score_full_and_strangers_nothing(sentences):
    texts = [" ".join([*map(str, sentence), *(f"n{place}{end}x".translate(_LETTERS) for end in range(4))])
             for place, sentence in enumerate(sentences)]  # fmt: skip
    same = compare_texts(texts, [[text] for text in texts])
    assert same.bleu4 == pytest.approx(1) and same.rouge_l == pytest.approx(1)
    assert same.cider == pytest.approx(10)
    strange = compare_texts(["ein ganz anderer Satz steht hier"] * len(texts), [[text] for text in texts])
    assert strange.summary() == {"bleu4": 0, "rouge_l": 0, "cider": 0}


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
@settings(deadline=None, max_examples=50)
def test_the_longest_common_subsequence_is_the_plain_one(one, other):
    def plain(left, right):
        if not left or not right:
            return 0
        if left[-1] == right[-1]:
            return 1 + plain(left[:-1], right[:-1])
        return max(plain(left[:-1], right), plain(left, right[:-1]))

    assert _common(one, other) == plain(one, other)


_LETTERS = str.maketrans("0123456789", "abcdefghij")


def test_an_empty_text_scores_nothing():
    assert compare_texts([""], [["the soil is dry"]]).summary() == {"bleu4": 0, "rouge_l": 0, "cider": 0}


def test_texts_without_references_are_refused():
    with pytest.raises(InvalidSetting, match="one or more references"):
        rouge_l(["dry"], [[]])
    with pytest.raises(DatasetError, match="no text"):
        bleu4([], [])
