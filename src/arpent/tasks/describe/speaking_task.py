"""Learning to speak, and to speak of what is seen: the two tasks, as the engine knows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from arpent.core import Settings
from arpent.engine import Answer, Batch, Network, Product
from arpent.errors import InvalidSetting
from arpent.models import batch_mean
from arpent.models.describer import NextWords
from arpent.tasks.describe.coding import Code

__all__ = ["SpeakingTask", "answer_loss"]


class SpeakingTask:
    """Answers, learnt word by word.

    Args:
        config: of the training.
        model: makes the network, which answers with `NextWords`.
        digits: numbers of the words that are digits.
        code: that numbers are to be written in, in the vectors of an image; None to leave these alone.
        gauge: what an error in that writing counts beside one of the words.
        stress: how much more a digit counts than another word: of a text about measurements few words are digits, and
            they are what it is about.
    """

    def __init__(
        self,
        config: Settings,
        model: Callable[[], nn.Module],
        digits: Sequence[int],
        code: Code | None = None,
        gauge: float = 0.0,
        stress: float = 1.0,
    ) -> None:
        self.config = config
        self._model = model
        self._digits = tuple(digits)
        self._code, self._gauge, self._stress = code, gauge, stress

    def build(self) -> nn.Module:
        """The network."""
        return self._model()

    def loss(self, out: NextWords, batch: Batch) -> Tensor:
        """Cross-entropy of the words of each answer, and how far the vectors of an image are from the code."""
        target = batch["target"]
        digit = torch.isin(target, torch.tensor(self._digits, device=target.device))
        loss = answer_loss(out.scores, target, batch["spoken"], 1 + (self._stress - 1) * digit)
        if self._code is None or not self._gauge:
            return loss
        return loss + self._gauge * self._code.error(out.image.float(), batch["measured"])

    def metrics(self) -> _Meter:
        """Shares of the words, and of the digits among them, that are foretold right."""
        return _Meter(self._digits)

    def products(self) -> Sequence[Product]:
        """None: `arpent describe generate` has its own."""
        return ()

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Not what it is made for."""
        raise InvalidSetting("a training of texts writes none", cure="Use 'arpent describe generate'.")


def answer_loss(scores: Tensor, target: Tensor, spoken: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean over the answers of the mean over their words.

    Args:
        scores: (places, vocabulary).
        target: (places,) the words.
        spoken: (B, T) bool, where they come.
        counted: (places,) what each of them counts; all the same if not given.
    """
    row = spoken.nonzero()[:, 0]
    weights = torch.ones_like(target, dtype=torch.float32) if counted is None else counted.float()
    totals = torch.zeros(len(spoken), device=weights.device).index_add(0, row, weights)
    errors = functional.cross_entropy(scores.float(), target, reduction="none")
    return batch_mean(torch.zeros_like(totals).index_add(0, row, errors * weights / totals[row]))


class _Meter:
    """Counts words."""

    def __init__(self, digits: Sequence[int]) -> None:
        self._digits = torch.tensor(sorted(digits))
        self._counts = torch.zeros(4, dtype=torch.int64)  # words, right ones, digits, right ones

    def update(self, out: Any, batch: Batch) -> None:  # noqa: ANN401 - as the protocol has it
        target = batch["target"].cpu()
        right = out.scores.argmax(dim=-1).cpu() == target
        digit = torch.isin(target, self._digits)
        self._counts += torch.tensor([len(target), int(right.sum()), int(digit.sum()), int((right & digit).sum())])

    def merge(self, other: _Meter) -> None:
        self._counts += other._counts

    def compute(self) -> dict[str, float]:
        words, right, digits, right_digits = self._counts.tolist()
        figures = {"words": right / words} if words else {}
        return figures | ({"digits": right_digits / digits} if digits else {})

    def figures(self) -> Sequence[str]:
        return ("digits", "words")
