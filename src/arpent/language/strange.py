"""Words that neither the reader nor the grammar knows: what they assert, nothing here can check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from arpent.core import Language
from arpent.language.axes import word_table
from arpent.language.vocabulary import fold, vocabulary

__all__ = ["strange_words"]

_SLOT = re.compile(r"\{\w+\}")
_WORD = re.compile(r"[^\W\d_]+")


def strange_words(text: str, language: Language, names: Iterable[str] = ()) -> tuple[str, ...]:
    """The words of a text that are unknown, folded, each once and in their order.

    Known are the words of ``tables/words.toml``, which the reader makes claims of, and those of
    ``tables/grammar.toml``, which Arpent itself writes. "The mean NDVI is 0.45 and locusts ate the leaves" has a
    number that can be checked, and locusts, ate and leaves.

    Args:
        text: that is read.
        language: of the text.
        names: of parcels and places, which a text may bear.
    """
    named = {word for name in names for word in _words(name)}
    found = dict.fromkeys(_words(text))
    return tuple(word for word in found if word not in _known(language) and word not in named)


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(text))


@cache
def _known(language: Language) -> frozenset[str]:
    """All words of the reader and of the grammar, and those that assert nothing."""
    read = {word for phrase in vocabulary(language).phrases for word in phrase}
    plain = word_table("words")["plain"][language]
    written = _strings(word_table("grammar"), language, inside=False)
    return frozenset(read | {word for entry in (*plain, *written) for word in _words(_SLOT.sub(" ", entry))})


def _strings(table: object, language: Language, *, inside: bool) -> Iterator[str]:
    """The texts of a table that stand somewhere under the key of a language."""
    if isinstance(table, str):
        if inside:
            yield table
    elif isinstance(table, dict):
        for key, entry in table.items():
            yield from _strings(entry, language, inside=inside or key == language)
    elif isinstance(table, list):
        for entry in table:
            yield from _strings(entry, language, inside=inside)
