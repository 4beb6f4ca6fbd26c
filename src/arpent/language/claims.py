"""What a text asserts, sentence by sentence, and whether the measurements say so too.

The reader works on words, numbers and their places, not on the templates of any grammar, so that it reads what a
language model writes as well as what Arpent's grammar composes. It knows French and English, and always gives the
same answer for the same text.
"""

from __future__ import annotations

import unicodedata

from arpent.core import Language
from arpent.language.asserted import Claim, ClaimKind, Finding, Sentence, Verdict
from arpent.language.axes import Profile, axes_of
from arpent.language.binding import Reader
from arpent.language.checking import TOLERANCE, check, contradictions
from arpent.language.tokens import items_of_sentences

__all__ = [
    "TOLERANCE",
    "Claim",
    "ClaimKind",
    "Finding",
    "Sentence",
    "Verdict",
    "check",
    "contradictions",
    "parse",
]


def parse(text: str, language: Language, profile: Profile = "arpent") -> tuple[Sentence, ...]:
    """The sentences of a text with what each asserts.

    Places are counted in the text as Unicode's composed form (NFC) writes it, which is how nearly all text comes.

    Args:
        text: of any length; reading takes time in proportion to it.
        language: that it is written in; names of indices are known in both.
        profile: whose axes and thresholds the words are read with.
    """
    text = unicodedata.normalize("NFC", text)
    reader = Reader(text, axes_of(profile))
    sentences = []
    for items in items_of_sentences(text, language):
        start, end = items[0].start, items[-1].end
        sentences.append(Sentence(text[start:end], start, end, reader.claims(items)))
    return tuple(sentences)
