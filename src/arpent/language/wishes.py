"""What a question asks for: ``"végétation dense, sèche"`` is vigour high, moisture dry; what is left are plain words.

The words of both languages lie in ``tables/search.toml`` and may be mixed. They are matched without accents, capitals,
plurals and feminine endings, longer phrases first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from arpent.language.axes import axes_of, word_table
from arpent.language.lexicon import LANGUAGES
from arpent.language.vocabulary import axis_words, class_words

__all__ = ["Wanted", "Wish", "crop_words", "folded", "stem", "understand"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[,;.:!?()]")
_APART = set(",;.:!?()")
_MOST_WORDS = 64


@dataclass(frozen=True)
class Wanted:
    """Classes of one axis.

    Attributes:
        axis: "moisture".
        keys: any of these classes will do.
        words: that asked for them, as typed.
    """

    axis: str
    keys: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Wish:
    """What a question asks for.

    Attributes:
        wanted: one for each axis that it speaks of.
        excluded: classes that it will not have.
        words: what else it names, folded, to be looked for in texts.
    """

    wanted: tuple[Wanted, ...] = ()
    excluded: tuple[Wanted, ...] = ()
    words: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.excluded or self.words)


def folded(text: str) -> str:
    """The text without accents and capitals."""
    spelt = text.replace("œ", "oe").replace("Œ", "oe").replace("’", "'")
    parts = unicodedata.normalize("NFKD", spelt.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def stem(word: str) -> str:
    """A word without what marks its number and gender: "denses", "dense" and "DENSE" are one."""
    bare = folded(word)
    if len(bare) > 3 and bare[-1] in "sx" and not bare.endswith("ss"):
        bare = bare[:-1]
    while len(bare) > 2 and bare[-1] == "e":
        bare = bare[:-1]
    return bare


def crop_words(word: str) -> tuple[str, ...]:
    """The names, in both languages, of the crop that a word names; none for any other word."""
    named = _crops().get(_stems(word))
    if named is None:
        return ()
    entry = word_table("words")["crops"][named]
    return tuple(dict.fromkeys(phrase.partition("(")[0] for language in LANGUAGES for phrase in entry[language]))


@cache
def _crops() -> Mapping[tuple[str, ...], str]:
    """Crops by the stems of their names; accents do not count, as in the rest of a question."""
    found: dict[tuple[str, ...], str] = {}
    for named, entry in word_table("words")["crops"].items():
        for phrase in (phrase for language in LANGUAGES for phrase in entry[language]):
            found.setdefault(_stems(phrase.partition("(")[0]), named)
    return found


def understand(question: str) -> Wish:
    """What a question asks for; nothing of an empty one."""
    tokens = _WORD.findall(question.replace("’", "'"))[:_MOST_WORDS]
    found = _Sorting()
    clause: list[str] = []
    for token in tokens:
        if token in _APART or token.casefold() in _apart():  # "maïs" is a crop, "mais" is none
            found.take(clause)
            clause = []
        else:
            # Articles are glued to their noun in French: "d'eau" is two words.
            clause += token.split("'") if len(token.partition("'")[0]) <= 2 else [token]
    found.take(clause)
    return found.wish()


@dataclass(frozen=True)
class _Meaning:
    """What a phrase means: classes of an axis, an axis, a level, or a turn."""

    kind: str
    axis: str = ""
    keys: tuple[str, ...] = ()
    level: str = ""


@dataclass(frozen=True)
class _Piece:
    words: tuple[str, ...]
    meaning: _Meaning | None = None

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass
class _Sorting:
    """Gathers what the clauses of a question ask for."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    excluded: dict[str, Wanted] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    nouns: list[str] = field(default_factory=list)

    def take(self, clause: list[str]) -> None:
        """Sorts the words of one clause."""
        pieces = list(_pieces(clause))
        axes = [piece for piece in pieces if piece.meaning and piece.meaning.kind == "axis"]
        said, turned = False, False
        for piece in pieces:
            meaning = piece.meaning
            if meaning is None:
                self.words += [folded(word) for word in piece.words]
            elif meaning.kind == "turn":
                turned = True
                continue
            elif meaning.kind == "pass":
                continue
            elif meaning.kind == "class":
                self._want(_in_context(piece, axes, pieces), turned=turned)
                said = True
            elif meaning.kind == "level" and axes:
                said = True
                noun = _nearest(piece, axes, pieces)
                assert noun.meaning is not None
                levels = axes_of()[noun.meaning.axis].levels[meaning.level]
                words = " ".join(one.text for one in pieces if one in (piece, noun))
                self._want(Wanted(noun.meaning.axis, tuple(levels.split("|")), words), turned=turned)
            elif meaning.kind == "level":
                self.words += [folded(word) for word in piece.words]
            turned = False
        if not said:
            self.nouns += [folded(word) for piece in axes for word in piece.words]

    def _want(self, wanted: Wanted, *, turned: bool) -> None:
        into = self.excluded if turned else self.wanted
        known = into.get(wanted.axis)
        # Of two words about one axis in a question the narrower says more: "green, dense" is dense.
        if known is not None and not turned:
            both = tuple(key for key in known.keys if key in wanted.keys) or known.keys + wanted.keys
            wanted = Wanted(wanted.axis, both, f"{known.words}, {wanted.words}")
        elif known is not None:
            wanted = Wanted(wanted.axis, known.keys + wanted.keys, f"{known.words}, {wanted.words}")
        into[wanted.axis] = wanted

    def wish(self) -> Wish:
        """What was asked for in all."""
        alone = not (self.wanted or self.excluded or self.words)
        words = dict.fromkeys([*self.words, *(self.nouns if alone else ())])
        return Wish(tuple(self.wanted.values()), tuple(self.excluded.values()), tuple(words))


def _nearest(piece: _Piece, axes: list[_Piece], pieces: list[_Piece]) -> _Piece:
    """The noun that an adjective belongs to."""
    place = pieces.index(piece)
    return min(axes, key=lambda one: abs(pieces.index(one) - place))


def _in_context(piece: _Piece, axes: list[_Piece], pieces: list[_Piece]) -> Wanted:
    """The classes that a word means: those of the noun beside it, where it can be said of that."""
    assert piece.meaning is not None
    if axes:
        noun = _nearest(piece, axes, pieces)
        assert noun.meaning is not None
        keys = _said_of().get(tuple(stem(word) for word in piece.words), {}).get(noun.meaning.axis)
        if keys and noun.meaning.axis != piece.meaning.axis:
            return Wanted(noun.meaning.axis, keys, piece.text)
    return Wanted(piece.meaning.axis, piece.meaning.keys, piece.text)


def _pieces(clause: list[str]) -> Iterator[_Piece]:
    """The words of a clause, longest known phrases first."""
    meanings, longest = _meanings()
    stems = [stem(word) for word in clause]
    place = 0
    while place < len(clause):
        for end in range(min(len(clause), place + longest), place, -1):
            meaning = meanings.get(tuple(stems[place:end]))
            if meaning is not None:
                yield _Piece(tuple(clause[place:end]), meaning)
                place = end
                break
        else:
            yield _Piece((clause[place],))
            place += 1


@cache
def _apart() -> frozenset[str]:
    return frozenset(word_table("search")["pass"]["apart"])


@cache
def _meanings() -> tuple[Mapping[tuple[str, ...], _Meaning], int]:
    """What each phrase means, by its stems; and how many words the longest has."""
    table = word_table("search")
    listed: list[tuple[str, _Meaning]] = []
    for name, phrases in table["class"].items():
        axis, _, keys = name.partition("=")
        listed += [(phrase, _Meaning("class", axis=axis, keys=tuple(keys.split("|")))) for phrase in phrases]
    listed += [(phrase, _Meaning("axis", axis=axis)) for axis, phrases in table["axis"].items() for phrase in phrases]
    listed += [
        (phrase, _Meaning("level", level=name)) for name, phrases in table["level"].items() for phrase in phrases
    ]
    listed += [(phrase, _Meaning("turn")) for phrase in table["turn"]["not"]]
    listed += [(phrase, _Meaning("pass")) for phrase in table["pass"]["over"]]
    meanings: dict[tuple[str, ...], _Meaning] = {}
    for phrase, meaning in listed:
        meanings.setdefault(_stems(phrase), meaning)
    # What texts say of one axis alone can be asked for in the same words.
    levels = {_stems(phrase) for phrases in table["level"].values() for phrase in phrases}
    for words, said in _said_of().items():
        if len(said) == 1 and words not in levels:
            ((axis, keys),) = said.items()
            meanings.setdefault(words, _Meaning("class", axis=axis, keys=keys))
    for axis in axes_of():
        for language in LANGUAGES:
            for phrase in axis_words(axis, language):
                meanings.setdefault(_stems(phrase), _Meaning("axis", axis=axis))
    return meanings, max(map(len, meanings))


def _stems(phrase: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in re.split(r"[ '’-]", phrase) if word)


@cache
def _said_of() -> Mapping[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The classes that the words of texts name, by the axis that they are said of."""
    said: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    for axis in axes_of().values():
        for key in axis.keys:
            for phrase in (phrase for language in LANGUAGES for phrase in class_words(axis.name, key, language)):
                found = said.setdefault(_stems(phrase), {})
                found[axis.name] = tuple(dict.fromkeys([*found.get(axis.name, ()), key]))
    return said
