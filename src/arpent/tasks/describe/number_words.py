"""Numbers that are words: the small language model writes "0,43" and "12%" in one go, and knows which are near it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from arpent.language.lexicon import LANGUAGES
from arpent.language.quantities import number, percent
from arpent.models.language_model import LanguageModel
from arpent.tasks.describe.coding import Code

__all__ = ["number_words", "settle_numbers"]

_SEED = 20_150_624
_LENGTH = 8.0
"""How long the place of a number is in its word, beside what other words are."""
_ITSELF, _COPIED = 0.5, 1.5
"""How much of a number's word belongs to it alone; more where it is to be copied to the last digit."""


@cache
def number_words() -> Mapping[str, tuple[str, float]]:
    """What texts write of indices and shares, with the kind of each and its value; a kind is of one language."""
    found: dict[str, tuple[str, float]] = {}
    for language in LANGUAGES:
        for hundredths in range(-99, 100):
            found.setdefault(number(hundredths / 100, language, 2), (f"value {language}", hundredths / 100))
        for hundredths in range(101):
            found.setdefault(percent(hundredths / 100, language, 0), (f"share {language}", hundredths / 100))
    return found


def settle_numbers(language: LanguageModel, code: Code, deviation: float, *, copied: bool = False) -> None:
    """Puts the words that are numbers where the code has them, before anything is learnt.

    Args:
        language: a small model, which is changed.
        code: that images will be told in.
        deviation: of the numbers in the vectors of words.
        copied: whether the model will be told numbers in words.
    """
    table: Tensor = language.model.get_input_embeddings().weight.data  # type: ignore[operator]  # transformers' method
    words = number_words()
    chance = torch.Generator().manual_seed(_SEED)
    kinds = {kind: torch.randn(table.shape[1], generator=chance) * deviation for kind, _ in words.values()}
    places = language.speech.tokenizer.convert_tokens_to_ids(list(words))
    points = code.point(torch.tensor([value for _, value in words.values()]))
    kind = torch.stack([kinds[one] for one, _ in words.values()])
    table[places] = (_COPIED if copied else _ITSELF) * table[places] + (kind + _LENGTH * points).to(table)
