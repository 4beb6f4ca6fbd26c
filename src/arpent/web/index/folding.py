"""Words as a search compares them: small letters without accents, so that « Forêt » and "foret" are the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["folded", "terms"]

_JOINED = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l"})
_WORD = re.compile(r"[0-9a-z]+")
_MOST_TERMS = 12


@lru_cache(maxsize=4096)  # names of classes come again and again
def folded(text: str) -> str:
    """The text in small letters, without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_JOINED))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def terms(text: str) -> list[str]:
    """The words of a question, folded; letters and digits alone, so that no database reads more into them."""
    return _WORD.findall(folded(text))[:_MOST_TERMS]
