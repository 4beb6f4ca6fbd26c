"""The words that the reader of texts knows, in one language, and how text is made comparable with them."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from arpent.core import Language
from arpent.language.axes import word_table

__all__ = ["Meaning", "Phrasebook", "axis_words", "class_words", "crop_name", "fold", "known_crop", "vocabulary"]


@dataclass(frozen=True)
class Meaning:
    """What a word or phrase may mean.

    Attributes:
        kind: the table of ``tables/words.toml`` it stands in ("index", "noun", "level", "class", "direction", …).
        axis: that it speaks of.
        named: the index, level, class, direction or crop.
        value: the part of the ground that it stands for.
        width: how wide such a part is.
        cover: the share of the ground that it names.
        alone: the class that its mere mention claims.
        inverse: much of it is little of the axis.
        near: counts only beside the name of the axis.
    """

    kind: str
    axis: str | None = None
    named: str = ""
    value: float | None = None
    width: float | None = None
    cover: str | None = None
    alone: str | None = None
    inverse: bool = False
    near: bool = False


class _Folding(dict[int, int]):
    """One character for one character, so that places in the folded text are places in the text."""

    def __missing__(self, code: int) -> int:
        self[code] = folded = ord(self._folded(chr(code)))
        return folded

    @staticmethod
    def _folded(character: str) -> str:
        if character in "ïÏ":
            return "ï"
        if character in "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{FIGURE SPACE}":
            return "\N{NO-BREAK SPACE}"
        if character in "\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}":
            return "'"
        if character in "\N{HYPHEN}\N{NON-BREAKING HYPHEN}":
            return "-"
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            return str(digit)
        plain = unicodedata.normalize("NFKD", character)
        if "\N{FRACTION SLASH}" in plain:
            return character
        return plain[0].casefold()[0]


_FOLDING = _Folding()
_WORD = re.compile(r"[^\W_]+")
_CHOICE = re.compile(r"\(([^)]*)\)")


def fold(text: str) -> str:
    """The text without case and accents, of the same length."""
    return text.translate(_FOLDING)


def _forms(entry: str) -> Iterator[str]:
    """Every form of an entry: ``"r(ise|ose)"`` gives "rise" and "rose"."""
    parts = _CHOICE.split(entry)
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    for combination in itertools.product(*choices):
        yield "".join(combination)


@dataclass(frozen=True)
class Phrasebook:
    """Phrases by their folded words, and the words that begin a phrase with the length of the longest."""

    phrases: Mapping[tuple[str, ...], tuple[Meaning, ...]]
    longest: Mapping[str, int]

    def longest_at(self, words: list[str], place: int) -> tuple[int, tuple[Meaning, ...]]:
        """How many words from `place` on make the longest known phrase, and what it may mean; (1, ()) for none."""
        for length in range(min(self.longest.get(words[place], 0), len(words) - place), 0, -1):
            meanings = self.phrases.get(tuple(words[place : place + length]))
            if meanings:
                return length, meanings
        return 1, ()


@cache
def vocabulary(language: Language) -> Phrasebook:
    """The vocabulary of a language; names of indices are known in both."""
    phrases: dict[tuple[str, ...], list[Meaning]] = {}
    longest: dict[str, int] = {}
    for meaning, entries in _entries(word_table("words"), language):
        for entry in entries:
            for form in _forms(entry):
                words = tuple(_WORD.findall(fold(form)))
                known = phrases.setdefault(words, [])
                if meaning not in known:
                    known.append(meaning)
                longest[words[0]] = max(len(words), longest.get(words[0], 0))
    return Phrasebook({words: tuple(meanings) for words, meanings in phrases.items()}, longest)


def _entries(table: Mapping[str, Any], language: Language) -> Iterator[tuple[Meaning, Iterable[str]]]:
    for index, aliases in table["indices"].items():
        yield Meaning("index", named=index), (index, *aliases)
    yield Meaning("acronym"), table["acronyms"]["known"]
    for entry in table["nouns"]:
        yield _meaning("noun", entry), entry[language]
    for entry in table["classes"]:
        yield _meaning("class", entry), entry[language]
    for kind, group in (("level", "levels"), ("direction", "directions"), ("crop", "crops")):
        for name, entry in table[group].items():
            yield Meaning(kind, named=name), entry[language]
    for name, entry in table["function"].items():
        yield Meaning(name), entry[language]
    for entry in table["moves"]:
        yield _meaning("move", entry), entry[language]
    for entry in table["extents"]:
        yield _meaning("extent", entry), entry[language]
    for entry in table["unmeasured"]:
        yield _meaning("unmeasured", entry), entry[language]
    yield Meaning("abstention"), table["abstention"][language]
    for month, name in enumerate(table["months"][language], 1):
        yield Meaning("month", value=month), name


def _meaning(kind: str, entry: Mapping[str, Any]) -> Meaning:
    return Meaning(kind, **{key: value for key, value in entry.items() if key not in ("en", "fr")})


def known_crop(name: str, language: Language | None = None) -> str | None:
    """The crop that a name means, in one language or either; None for one that no text can name."""
    words = tuple(_WORD.findall(fold(unicodedata.normalize("NFC", name))))
    for one in (language,) if language else ("en", "fr"):
        for meaning in vocabulary(one).phrases.get(words, ()) if words else ():
            if meaning.kind == "crop":
                return meaning.named
    return None


def crop_name(name: str, language: Language) -> str:
    """The name of a crop in a language: as it is if it is of that language, else the commonest word for it there."""
    known = known_crop(name)
    if known is None or known_crop(name, language) is not None:
        return name
    first: str = next(_forms(word_table("words")["crops"][known][language][0]))
    return first


@cache
def class_words(axis: str, key: str, language: Language) -> tuple[str, ...]:
    """The words that a class of an axis may bear, those that Arpent writes first ("dense", "vigoureuse")."""
    written = word_table("grammar")["words"]
    spoken = [axis, "vegetation"] if axis == "vigour" else [axis]
    found = [word for name in spoken for forms in written[name][language].values() for word in forms[key]]
    for entry in word_table("words")["classes"]:
        if (entry["axis"], entry["named"]) == (axis, key):
            found += [next(_forms(word)) for word in entry[language]]
    return tuple(dict.fromkeys(found))


@cache
def axis_words(axis: str, language: Language) -> tuple[str, ...]:
    """The names that an axis may bear ("vigueur", "végétation")."""
    entries = [
        entry for entry in word_table("words")["nouns"] if entry.get("axis") == axis and not entry.get("inverse")
    ]
    return tuple(dict.fromkeys(next(_forms(word)) for entry in entries for word in entry[language]))
