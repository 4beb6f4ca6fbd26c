"""Labels made from words, where nobody gave any.

The honest way asks several people about a picture: what at least two of them say, another than the one who is read, is
a label. The other way, which the first systems of this kind took, makes labels of the very words that are read; it is
here so that its scores can be seen for what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from arpent.core import Language
from arpent.errors import DatasetError
from arpent.language import content_words, words_of
from arpent.tasks.classify.label_files import LabelTable
from arpent.tasks.classify.prepare_settings import PrepareSettings

__all__ = ["AGREEING", "agreed", "can_be_labelled", "labels_of_words"]

AGREEING: Final = 2
"""Captions that must say what becomes a label."""


def can_be_labelled(captions: Sequence[str], settings: PrepareSettings) -> bool:
    """Whether there are captions enough to make labels of."""
    told = [text for text in captions if words_of(text)]
    if settings.labels_from == "same-captions":
        return bool(told)
    return len([text for text in captions[1:] if words_of(text)]) >= AGREEING


def agreed(captions: Sequence[str], language: Language) -> frozenset[str]:
    """What at least two of the captions after the first say, as concepts: "man" for "men" and "guy" alike."""
    counts = Counter(one for text in captions[1:] for one in set(content_words(text, language)))
    return frozenset(one for one, count in counts.items() if count >= AGREEING)


def labels_of_words(
    captions: Mapping[str, Sequence[str]], training: Collection[str], settings: PrepareSettings
) -> LabelTable:
    """Labels of pictures from their captions; which words are labels is decided on the training split alone.

    Args:
        captions: of each picture.
        training: names of the pictures of the training split.
        settings: the way, how many labels, and of how many pictures.

    Raises:
        DatasetError: no word is said of so many pictures.
    """
    if settings.labels_from == "same-captions":
        said = {name: frozenset(word for text in texts for word in words_of(text)) for name, texts in captions.items()}
    else:
        said = {name: agreed(texts, settings.caption_language) for name, texts in captions.items()}
    counts = Counter(word for name in training for word in said.get(name, ()))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: settings.most_labels]
    labels = tuple(word for word in ranked if counts[word] >= settings.least)
    if not labels:
        best = f"'{ranked[0]}' of {counts[ranked[0]]}" if ranked else "no words"
        raise DatasetError(
            "no word is said of enough pictures to be a label",
            found=best,
            expected=f"at least {settings.least} pictures of the training split",
            cure="Give more pictures, or a smaller --least.",
        )
    return LabelTable(labels, {name: own & frozenset(labels) for name, own in said.items()})
