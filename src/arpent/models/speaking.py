"""Answers word by word: prompts of different lengths side by side, and nothing computed twice.

What has been read stays in memory (the cache of keys and values), so each further word costs one place. Rows of a batch
that have come to their end wait for the others. The likeliest word is taken, or, where others are wanted, one is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from arpent.models.describer import backbone, positions

__all__ = ["Hearer", "SpeakingRule", "Spoken", "speak"]

Hearer = Callable[[int, int], None]
"""Is told each word as it comes: the row, and the number of the word."""


@dataclass(frozen=True)
class Spoken:
    """An answer.

    Attributes:
        words: numbers of its words, without the one that ends it.
        ended: it came to its end by itself; False for a run-on that was cut.
    """

    words: tuple[int, ...]
    ended: bool


@dataclass(frozen=True)
class SpeakingRule:
    """How words are chosen, and when it is enough.

    Attributes:
        end: number of the word that ends an answer.
        longest: words at most.
        warmth: 0 takes the likeliest word; above, words are drawn, the more freely the higher it is.
        seed: of what is drawn.
        enough: told the words of a row so far, says whether to stop there; such a row counts as ended.
    """

    end: int
    longest: int
    warmth: float = 0.0
    seed: int = 0
    enough: Callable[[Sequence[int]], bool] | None = None


@torch.inference_mode()
def speak(
    language: nn.Module, vectors: Tensor, attended: Tensor, rule: SpeakingRule, hear: Hearer | None = None
) -> list[Spoken]:
    """Answers to prompts.

    Args:
        language: a causal language model of transformers, in evaluation mode.
        vectors: prompts (B, T, words), padded on the left.
        attended: (B, T) bool, False on padding.
        rule: how to choose words.
        hear: is told each word as it comes.
    """
    from transformers import StaticCache

    body, head = backbone(language), language.get_output_embeddings()  # type: ignore[operator]  # transformers' method
    table = language.get_input_embeddings()  # type: ignore[operator]  # as above
    chance = torch.Generator().manual_seed(rule.seed)
    rows: list[list[int]] = [[] for _ in range(len(vectors))]
    open_rows, ended = set(range(len(rows))), set()
    # Room for all keys and values at once: a cache that grows is copied for every word, which takes half of the time.
    kept = StaticCache(cast(Any, language.config), attended.shape[1] + rule.longest)
    places, mask = positions(attended), attended
    for _ in range(rule.longest):
        seen = body(
            inputs_embeds=vectors,
            attention_mask=mask.long(),
            position_ids=places,
            past_key_values=kept,
            use_cache=True,
        )
        chosen = _chosen(cast(Tensor, head(seen.last_hidden_state[:, -1])), rule.warmth, chance)
        for row, word in enumerate(chosen.tolist()):
            if row not in open_rows:
                continue
            if word == rule.end:
                open_rows.discard(row)
                ended.add(row)
                continue
            rows[row].append(word)
            if hear is not None:
                hear(row, word)
            if rule.enough is not None and rule.enough(rows[row]):
                open_rows.discard(row)
                ended.add(row)
        if not open_rows:
            break
        vectors, places = table(chosen)[:, None], places[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return [Spoken(tuple(words), row in ended) for row, words in enumerate(rows)]


def _chosen(scores: Tensor, warmth: float, chance: torch.Generator) -> Tensor:
    """One word for each row of scores (B, vocabulary)."""
    if warmth == 0:
        return scores.argmax(dim=-1)
    shares = (scores.float() / warmth).softmax(dim=-1)
    return torch.multinomial(shares.cpu(), 1, generator=chance)[:, 0].to(scores.device)
