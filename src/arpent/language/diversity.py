"""How varied a set of texts is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Diversity", "diversity"]

_WORD = re.compile(r"\w+(?:[.,]\d+)*|[^\w\s]")
_NUMBER = re.compile(r"[\N{MINUS SIGN}-]?\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class Diversity:
    """The variety of some texts.

    Attributes:
        texts: how many there are.
        distinct_2: share of pairs of neighbouring words that are met for the first time; falls as texts grow more.
        duplicates: share of texts that an earlier one has word for word.
        wordings: texts that still differ when every number is left out.
    """

    texts: int
    distinct_2: float
    duplicates: float
    wordings: int


def diversity(texts: Iterable[str]) -> Diversity:
    """Measures the variety of texts of one language."""
    seen: set[str] = set()
    wordings: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    count = total = 0
    for text in texts:
        count += 1
        seen.add(text)
        wordings.add(_NUMBER.sub("#", text))
        words = _WORD.findall(text)
        pairs.update(pairwise(words))
        total += max(0, len(words) - 1)
    return Diversity(
        texts=count,
        distinct_2=len(pairs) / total if total else 0.0,
        duplicates=1 - len(seen) / count if count else 0.0,
        wordings=len(wordings),
    )
