"""Examples as lessons: some are told what was measured, the others have the image alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.core import Language
from arpent.language import Measured
from arpent.language.claims import parse
from arpent.language.grammar import compose, text
from arpent.models.language_model import Speech
from arpent.tasks.describe.coding import Code
from arpent.tasks.describe.examples import Example
from arpent.tasks.describe.lessons import Lesson, Lessons
from arpent.tasks.describe.sequences import dialogue, facts_of, request_of
from arpent.tasks.describe.train_settings import DescribeTrainSettings

__all__ = ["Teacher", "as_seen", "token_statistics"]

_BEYOND = ("other", "crop")
"""Kinds of claims that no image shows: days, crops that somebody has told."""


@dataclass(frozen=True)
class _Entry:
    """A text of an example."""

    example: Example
    language: Language
    text: str


class Teacher:
    """Makes lessons.

    Args:
        settings: of the training.
        speech: tokenizer of the language model.
        code: that the adapter learns to write.
        cells: visual tokens per image.
    """

    def __init__(self, settings: DescribeTrainSettings, speech: Speech, code: Code, cells: int) -> None:
        self._settings, self._speech, self._code, self._cells = settings, speech, code, cells

    def of(self, examples: Sequence[Example], *, count: int | None = None, shuffled: bool = True) -> Lessons:
        """Every text once an epoch, or `count` of them.

        Args:
            examples: of one side.
            count: lessons of an epoch.
            shuffled: in another order, and told otherwise, in each epoch.
        """
        entries = [
            _Entry(one, language, written)
            for one in examples
            for language, several in one.texts.items()
            for written in several
        ]
        orders = _Orders(len(entries), count or len(entries), self._settings.fit.seed, shuffled=shuffled)

        def make(epoch: int, place: int) -> Lesson:
            number = epoch if shuffled else 0
            rng = np.random.default_rng((self._settings.fit.seed, number, place))
            other = examples[int(rng.integers(len(examples)))]
            return self._lesson(entries[orders.of(number)[place]], other, rng)

        batch_size, pad = self._settings.batch_size, self._speech.pad
        return Lessons(count or len(entries), make, batch_size=batch_size, pad=pad)

    def _lesson(self, entry: _Entry, other: Example, rng: np.random.Generator) -> Lesson:
        profile, example = self._settings.profile, entry.example
        told, answer = bool(rng.random() < self._settings.grounded), entry.text
        facts = facts_of(example.measured, entry.language, profile) if told else ""
        if not told and self._is_beyond(entry.text, entry.language):
            # Who sees the image alone is not to learn to guess the day: the grammar says it anew without.
            seed, first = int(rng.integers(self._settings.wordings or 1 << 30)), self._settings.number_first
            answer = text(
                compose(as_seen(example.measured), entry.language, seed=seed, profile=profile, number_first=first)
            )
        request = request_of(entry.language, cells=self._cells, facts=facts)
        # Who is told the numbers is shown another parcel beside them: what stands in words is what counts.
        shown = other if told else example
        return Lesson(
            f"{example.key.parcel} {example.key.taken or ''}".strip(),
            dialogue(self._speech, request, answer),
            shown.visual,
            self._code.numbers(shown.measured),
        )

    def _is_beyond(self, written: str, language: Language) -> bool:
        sentences = parse(written, language, self._settings.profile)
        return any(claim.kind in _BEYOND for sentence in sentences for claim in sentence.claims)


class _Orders:
    """The order of the entries in each epoch; all come once before any comes twice."""

    def __init__(self, entries: int, count: int, seed: int, *, shuffled: bool) -> None:
        self._entries, self._count, self._seed, self._shuffled = entries, count, seed, shuffled
        self._known: dict[int, NDArray[np.int64]] = {}

    def of(self, epoch: int) -> NDArray[np.int64]:
        """The entries of an epoch, by their numbers."""
        if epoch not in self._known:
            rng = np.random.default_rng((self._seed, epoch))
            rounds = range(-(-self._count // self._entries))
            every = [rng.permutation(self._entries) if self._shuffled else np.arange(self._entries) for _ in rounds]
            self._known = {epoch: np.concatenate(every)[: self._count]}
        return self._known[epoch]


def as_seen(measured: Measured) -> Measured:
    """What an image itself shows of a parcel: neither the day nor a crop that somebody has told."""
    return replace(measured, taken=None, crop=None)


def token_statistics(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Mean and deviation (width,) of the visual tokens of examples."""
    total: NDArray[Any] = np.zeros(examples[0].visual.shape[1])
    squares, count = np.zeros_like(total), 0
    for example in examples:
        tokens = example.visual.astype(np.float64)
        total += tokens.sum(axis=0)
        squares += (tokens**2).sum(axis=0)
        count += len(tokens)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()
