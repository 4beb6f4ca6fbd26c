"""The plain words of captions: cleaned, counted, coded for networks, and taken out where they would tell the answer.

Where `claims` reads what a text asserts, this only parts it into words. Tables of stop words, irregular plurals and
words of one meaning lie in ``tables/captions.toml``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language.axes import word_table

__all__ = [
    "LONGEST_CAPTION",
    "Codes",
    "Vocabulary",
    "cleaned",
    "concept",
    "content_words",
    "labels_named",
    "masked",
    "words_of",
]

LONGEST_CAPTION: Final = 30
"""Words of a caption that are read, if nothing else is asked for."""

PADDING: Final = 0
UNKNOWN: Final = 1
_RESERVED: Final = 2

_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 40
"""Letters of a word; what is longer is no word of a caption, and would make a vocabulary of any size."""

_Phrases = Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]
"""By its first concept: all concepts of a label, and its name."""

_S_STAYS = ("ss", "us", "is")
_ES = ("ches", "shes", "sses", "xes", "zzes", "oes")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, accents and digits kept; marks and apostrophes part them."""
    found = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    return tuple(word[:_LONGEST_WORD] for word in found)


def cleaned(text: str) -> str:
    """A text as its words with one space between them: two captions that say the same are then equal."""
    return " ".join(words_of(text))


@lru_cache(maxsize=1 << 16)
def concept(word: str, language: Language) -> str:
    """What a word of a caption means, as one word for its singular, its plural and its synonyms ("kids": "child")."""
    single = _singular(word, language)
    return _synonyms(language).get(word) or _synonyms(language).get(single, single)


def content_words(text: str, language: Language) -> tuple[str, ...]:
    """The concepts of a text, in order: without stop words, numbers and single letters."""
    stop = _stop_words(language)
    found = [word for word in words_of(text) if word not in stop and len(word) > 1 and not word.isdecimal()]
    return tuple(one for word in found if (one := concept(word, language)) not in stop)


def labels_named(text: str, labels: Iterable[str], language: Language) -> frozenset[str]:
    """Those of some labels whose words stand in a text, in singular or plural ("mobile-home": "two mobile homes")."""
    concepts = tuple(concept(word, language) for word in words_of(text))
    phrases = _phrases(tuple(labels), language)
    return frozenset(
        label
        for place, first in enumerate(concepts)
        for phrase, label in phrases.get(first, ())
        if concepts[place : place + len(phrase)] == phrase
    )


def masked(text: str, labels: Iterable[str], language: Language) -> str:
    """A text as its words, without those that name one of some labels, in singular or plural."""
    phrases = _phrases(tuple(labels), language)
    said = words_of(text)
    while hidden := _naming(said, phrases, language):  # what is left may close up to name one again
        said = tuple(word for place, word in enumerate(said) if place not in hidden)
    return " ".join(said)


def _naming(said: Sequence[str], phrases: _Phrases, language: Language) -> frozenset[int]:
    """The places of words that name a label."""
    concepts = tuple(concept(word, language) for word in said)
    return frozenset(
        part
        for place, first in enumerate(concepts)
        for phrase, _ in phrases.get(first, ())
        if concepts[place : place + len(phrase)] == phrase
        for part in range(place, place + len(phrase))
    )


@dataclass(frozen=True)
class Codes:
    """A caption as a network reads it.

    Attributes:
        ids: ``(length,)`` int64: 0 where the caption has ended, 1 for a word that is not known.
        known: how many of its words are in the vocabulary, as far as they are read.
        unknown: how many are not.
        cut: how many stand behind the last word that is read.
    """

    ids: NDArray[np.int64]
    known: int
    unknown: int
    cut: int

    @property
    def present(self) -> bool:
        """Whether it says anything to whoever knows the vocabulary: a caption of unknown words is none."""
        return self.known > 0


@dataclass(frozen=True)
class Vocabulary:
    """The words that a network knows; the first has the number 2.

    Attributes:
        words: the commonest first.
        length: words of a caption that are read.
        concepts: language in which words of one meaning are taken for one ("kids": "child"), and `words` are concepts;
            None where each word is itself.
    """

    words: tuple[str, ...]
    length: int = LONGEST_CAPTION
    concepts: Language | None = None

    @classmethod
    def of(
        cls, texts: Iterable[str], most: int = 5000, length: int = LONGEST_CAPTION, concepts: Language | None = None
    ) -> Vocabulary:
        """The commonest words of some texts, those of the training split; equally common ones by alphabet."""
        counts = Counter(word for text in texts for word in _read(text, concepts))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[:most]), length, concepts)

    @classmethod
    def of_document(cls, document: object) -> Vocabulary:
        """The vocabulary that `document` describes.

        Raises:
            InvalidSetting: it describes none.
        """
        given: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
        found, length, concepts = given.get("words"), given.get("length"), given.get("concepts")
        if isinstance(found, list) and isinstance(length, int) and length > 0 and concepts in (None, "en", "fr"):
            known = [word for word in found if isinstance(word, str) and word]
            if len(set(known)) == len(found):
                return cls(tuple(known), length, concepts)
        raise InvalidSetting(
            "this is no vocabulary", expected="'words', each once, and 'length'", cure="Prepare the data set again."
        )

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        told: dict[str, Any] = {"length": self.length, "words": list(self.words)}
        return told if self.concepts is None else told | {"concepts": self.concepts}

    @property
    def size(self) -> int:
        """Numbers that codes can take, padding and unknown words among them: rows of an embedding."""
        return len(self.words) + _RESERVED

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Of each word, its number."""
        return {word: number for number, word in enumerate(self.words, start=_RESERVED)}

    def codes(self, text: str) -> Codes:
        """A caption as numbers of words."""
        said = _read(text, self.concepts)
        ids = np.full(self.length, PADDING, np.int64)
        for place, word in enumerate(said[: self.length]):
            ids[place] = self.numbers.get(word, UNKNOWN)
        return Codes(ids, int((ids >= _RESERVED).sum()), int((ids == UNKNOWN).sum()), max(0, len(said) - self.length))


def _read(text: str, concepts: Language | None) -> tuple[str, ...]:
    """The words of a text, or their concepts."""
    said = words_of(text)
    return said if concepts is None else tuple(concept(word, concepts) for word in said)


@cache
def _stop_words(language: Language) -> frozenset[str]:
    return frozenset(word_table("captions")["stop"][language])


@cache
def _irregular(language: Language) -> Mapping[str, str]:
    known: Mapping[str, str] = word_table("captions")["singular"][language]
    return known


@cache
def _synonyms(language: Language) -> Mapping[str, str]:
    groups: Sequence[Sequence[str]] = word_table("captions")["same"][language]
    return {word: group[0] for group in groups for word in group}


@cache
def _phrases(labels: tuple[str, ...], language: Language) -> _Phrases:
    """Labels as phrases of concepts, by the first of them."""
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for label in labels:
        parts = words_of(label)
        if parts:
            together = (concept("".join(parts), language),)  # "mobilehomes"
            for phrase in {tuple(concept(word, language) for word in parts), together}:
                found.setdefault(phrase[0], []).append((phrase, label))
    return {first: tuple(phrases) for first, phrases in found.items()}


def _singular(word: str, language: Language) -> str:
    known = _irregular(language).get(word)
    if known is not None or len(word) < 4:
        return known or word
    return _singular_of_english(word) if language == "en" else _singular_of_french(word)


def _singular_of_english(word: str) -> str:
    if not word.endswith("s") or word.endswith(_S_STAYS):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(_ES) else word[:-1]


def _singular_of_french(word: str) -> str:
    if word.endswith("eaux"):
        return word[:-1]
    if word.endswith("aux"):
        return word[:-3] + "al"
    if word.endswith("eux"):
        return word[:-1]
    return word[:-1] if word.endswith("s") and not word.endswith(_S_STAYS) else word
