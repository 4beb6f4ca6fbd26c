"""How much texts resemble reference texts: BLEU-4, ROUGE-L and CIDEr-D, as captions are compared in the literature.

They count words that two texts share, and know nothing of what is true: a text with every number wrong can score
high. `arpent.metrics.faithfulness` is what Arpent judges by; these are here so that others can compare.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from arpent.errors import DatasetError, InvalidSetting

__all__ = ["TextScores", "bleu4", "cider", "compare_texts", "rouge_l", "words"]

_LONGEST = 4
"""Words of the longest runs that are compared."""
_BETA = 1.2  # weight of recall in ROUGE-L, as the captioning literature has it
_SIGMA = 6.0  # words by which lengths may differ before CIDEr-D minds
_WORD = re.compile(r"[−-]?\d+(?:[.,]\d+)*|[^\W\d_]+")

Grams = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TextScores:
    """Likeness to references.

    Attributes:
        bleu4: 0 to 1 (Papineni and others 2002), over all texts together.
        rouge_l: 0 to 1 (Lin 2004), mean over the texts.
        cider: 0 to 10 (CIDEr-D, Vedantam and others 2015), mean over the texts.
    """

    bleu4: float
    rouge_l: float
    cider: float

    def summary(self) -> dict[str, float]:
        """The figures by name."""
        return {"bleu4": self.bleu4, "rouge_l": self.rouge_l, "cider": self.cider}


def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, numbers whole ("0,64"), punctuation left out."""
    return tuple(_WORD.findall(text.casefold()))


def compare_texts(texts: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
    """All three figures.

    Args:
        texts: to be judged.
        references: of each text, one or more.
    """
    return TextScores(bleu4(texts, references), rouge_l(texts, references), cider(texts, references))


def bleu4(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 of all texts together: shared runs of one to four words, and a penalty for being short. Unsmoothed."""
    found, possible = [0] * _LONGEST, [0] * _LONGEST
    own = nearest = 0
    for text, others in _pairs(texts, references):
        own += len(text)
        nearest += min((len(other) for other in others), key=lambda size: (abs(size - len(text)), size))
        for n in range(_LONGEST):
            most: Grams = Counter()
            for other in others:
                most |= _grams(other, n + 1)
            grams = _grams(text, n + 1)
            found[n] += (grams & most).total()
            possible[n] += grams.total()
    if not all(found):
        return 0.0
    likeness = sum(math.log(part / whole) for part, whole in zip(found, possible, strict=True)) / _LONGEST
    return math.exp(min(0.0, 1 - nearest / own) + likeness)


def rouge_l(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L: how much of a text and of its references lies in their longest common subsequence of words."""
    scores = []
    for text, others in _pairs(texts, references):
        common = [_common(text, other) for other in others]
        precision = max(length / len(text) for length in common) if text else 0.0
        recall = max(length / len(other) if other else 0.0 for length, other in zip(common, others, strict=True))
        weight = recall + _BETA**2 * precision
        scores.append((1 + _BETA**2) * precision * recall / weight if weight else 0.0)
    return sum(scores) / len(scores)


def cider(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D: shared runs of words, those the more that few references have; 10 for a text equal to its reference.

    A run that every set of references holds weighs nothing, so at least two different sets are needed.
    """
    pairs = _pairs(texts, references)
    rare: Grams = Counter()
    for _, others in pairs:
        rare.update({gram for other in others for n in range(_LONGEST) for gram in _grams(other, n + 1)})
    scores = []
    for text, others in pairs:
        ours = _weighted(text, rare, len(pairs))
        likeness = [_likeness(ours, _weighted(other, rare, len(pairs))) for other in others]
        scores.append(10 * sum(likeness) / len(likeness))
    return sum(scores) / len(scores)


@dataclass(frozen=True, slots=True)
class _Weighted:
    """The runs of a text by their length, each with its weight."""

    size: int
    runs: tuple[dict[tuple[str, ...], float], ...]
    norms: tuple[float, ...]


def _weighted(text: tuple[str, ...], rare: Grams, count: int) -> _Weighted:
    runs = tuple(
        {gram: times * math.log(count / max(1, rare[gram])) for gram, times in _grams(text, n + 1).items()}
        for n in range(_LONGEST)
    )
    return _Weighted(len(text), runs, tuple(math.hypot(*weights.values()) for weights in runs))


def _likeness(text: _Weighted, other: _Weighted) -> float:
    """Mean cosine of the weighted runs of two texts, the text's own weights clipped to those of the reference."""
    total = 0.0
    for n in range(_LONGEST):
        ours, theirs = text.runs[n], other.runs[n]
        shared = sum(min(weight, theirs[gram]) * theirs[gram] for gram, weight in ours.items() if gram in theirs)
        norms = text.norms[n] * other.norms[n]
        total += shared / norms if norms else 0.0
    return total / _LONGEST * math.exp(-((text.size - other.size) ** 2) / (2 * _SIGMA**2))


def _grams(text: Sequence[str], size: int) -> Grams:
    return Counter(tuple(text[at : at + size]) for at in range(len(text) - size + 1))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a bit for each word of `one` (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    whole = (1 << len(one)) - 1
    rest = whole
    for word in other:
        met = rest & places.get(word, 0)
        rest = ((rest + met) | (rest - met)) & whole
    return len(one) - rest.bit_count()


def _pairs(
    texts: Sequence[str], references: Sequence[Sequence[str]]
) -> list[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    if len(texts) != len(references) or not all(references):
        raise InvalidSetting(
            "texts and references do not fit each other",
            found=f"{len(texts)} texts, references of {sum(1 for one in references if one)}",
            cure="Give one or more references for each text.",
        )
    if not texts:
        raise DatasetError("there is no text to judge", cure="Give at least one.")
    return [(words(text), tuple(words(one) for one in own)) for text, own in zip(texts, references, strict=True)]
