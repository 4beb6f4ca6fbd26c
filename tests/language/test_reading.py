"""Texts that nobody would write: read in time that grows with their length, whatever they hold."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arpent.language import LANGUAGES, Measured, check, contradictions, parse
from arpent.language.tokens import items_of_sentences
from arpent.language.vocabulary import fold

PIECES = ["NDVI", "de", "0,42", "pas", "dense", "35 %", "sol nu", "et", ",", "3 mars 2021", "depuis", "NDXI", "(", "a"]
LENGTH = 24_000
HOSTILE = {
    "one word": "a" * LENGTH,
    "digits": "1" * LENGTH,
    "groups of digits": "1\u00a0" + "111\u00a0" * (LENGTH // 4),
    "commas": "0," * (LENGTH // 2),
    "numbers": "0,42 " * (LENGTH // 5),
    "names": "NDVI " * (LENGTH // 5),
    "invented names": " ".join(
        f"{'ABCDEFGHIJ'[n % 10]}{'ABCDEFGHIJ'[n // 10 % 10]}DVI{n % 9}" for n in range(LENGTH // 7)
    ),
    "percentages": "35 % " * (LENGTH // 5),
    "dates": "3 mars 2021 " * (LENGTH // 12),
    "quantities": "forte " * (LENGTH // 6),
    "nouns then quantities": "vigueur " * (LENGTH // 16) + "forte " * (LENGTH // 12),
    "directions": "augmente " * (LENGTH // 9),
    "negations": "pas " * (LENGTH // 4),
    "signs": "-+−" * (LENGTH // 3),
    "marks": "([{" * (LENGTH // 3),
    "stops": "." * LENGTH,
    "lines": "\n" * LENGTH,
    "accents": "e\u0301" * (LENGTH // 2),
    "emoji": "🌾" * (LENGTH // 2),
    "mixed": " ".join(PIECES) * (LENGTH // 60),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length_and_no_faster(name: str, language: str) -> None:
    """Twice four times as long may take four times as long each time, with room for a busy machine; not sixteen."""
    text = HOSTILE[name]
    times = [seconds(part, language) for part in (text[: len(text) // 16], text[: len(text) // 4], text)]
    assert times[2] < 1.5, times
    assert times[2] < 8 * max(times[1], 0.02) or times[1] < 8 * max(times[0], 0.01), times


def seconds(text: str, language: str) -> float:
    """Processor time of a reading; the least of three, for Python may collect the garbage of other tests in any."""
    taken = []
    for _ in range(3):
        begun = time.process_time()
        list(contradictions(parse(text, language)))  # type: ignore[arg-type]
        taken.append(time.process_time() - begun)
    return min(taken)


def test_a_million_characters_without_an_end() -> None:
    text = "le NDVI moyen de 0,42 traduit une vigueur forte et " * 4000
    text += "encore " * ((1_000_000 - len(text)) // 7)
    begun = time.process_time()
    sentences = parse(text, "fr")
    findings = check(sentences, Measured("p", {"NDVI": 0.42}))
    assert time.process_time() - begun < 30
    assert len(sentences) == 1
    assert len(findings) == 8000


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=50)
@given(text=st.text() | st.lists(st.sampled_from([*PIECES, "à", "to", "from", "\n", ".", "²", "½", "ﬁ"])).map(" ".join))
@example(text="'")
@example(text=". - ' .")
@example(text="0\u0660,\u06f4")
@example(text="NDVI: 1e400 −−0,3 .5.5. 99 mars 2021 31 février 2021 2021-13-45 9" + "9" * 400)
def test_any_text_is_read_and_places_are_places(text: str, language: str, field: Measured) -> None:
    sentences = parse(text, language)  # type: ignore[arg-type]
    last = 0
    for sentence in sentences:
        assert sentence.start >= last
        last = sentence.end
        for claim in sentence.claims:
            assert sentence.start <= claim.start < claim.end <= sentence.end
    for one in check(sentences, field):
        assert one.off >= 0
    list(contradictions(sentences))


@given(st.text())
def test_folding_keeps_places(text: str) -> None:
    assert len(fold(text)) == len(text)


def test_what_folding_keeps_apart() -> None:
    assert fold("Élevée À l’été NAÏF maïs") == "elevee a l'ete naïf maïs"
    assert fold("５\u0663½ m²") == "53½ m2"


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("fr", "Le NDVI est de 0.42. Bien.", 2),
        ("fr", "env. 0,42 de NDVI, p. ex. ici", 1),
        ("en", "NDVI is 0.42! Really? Yes…", 3),
        ("en", "(NDVI is 0.42.) Next.", 2),
        ("en", "“It is dense.” He left.", 2),
        ("en", "approx. 0.3\nNDVI", 2),
    ],
)
def test_where_sentences_end(language: str, text: str, sentences: int) -> None:
    assert len(parse(text, language)) == sentences  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "text", "days"),
    [
        ("fr", "le 1er mars 2021", ["2021-03-01"]),
        ("fr", "3 févr. 2021 et juin 2020, puis 2019", ["2021-02-03", "2020-06", "2019"]),
        ("en", "July 21st, 2021; 21st July 2021; 21 July", ["2021-07-21", "2021-07-21", "--07-21"]),
        ("en", "2021-07-21", ["2021-07-21"]),
        ("en", "It may be dry; 12 cows graze in May", []),
        ("en", "They march 2 march past", ["--03-02"]),  # who writes no capitals is taken at the word
        ("fr", "31 février 2021", ["2021-02-31"]),
    ],
)
def test_dates(language: str, text: str, days: list[str]) -> None:
    found = [item.day for items in items_of_sentences(text, language) for item in items if item.kind == "date"]  # type: ignore[arg-type]
    assert found == days


@pytest.mark.parametrize(
    ("language", "text", "values"),
    [
        ("fr", "1\u202f234,5", [1234.5]),
        ("fr", "0,123", [0.123]),
        ("fr", "1,234", [1.234]),
        ("en", "1,234", [1234.0]),
        ("en", "1,234.5 and 0,42", [1234.5, 0.42]),
        ("en", "-0.1 −0.2 − 0.3 +0.4", [-0.1, -0.2, -0.3, 0.4]),
        ("en", "0.2-0.4", [0.2, 0.4]),
        ("en", "B08 r003 10m 4e-1", [10.0, 0.4]),
        ("fr", "12,5 % 3 pour cent", [0.125, 0.03]),
    ],
)
def test_numbers(language: str, text: str, values: list[float]) -> None:
    found = [item.value for items in items_of_sentences(text, language) for item in items if item.kind == "number"]  # type: ignore[arg-type]
    assert found == pytest.approx(values)
