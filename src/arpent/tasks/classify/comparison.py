"""Branches and fusions held against each other on the same pictures: what fusing gains, and what an absence costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from arpent.metrics import Interval
from arpent.tasks.classify.judging import CONDITIONS, Answers, Condition, Judge, Reached
from arpent.tasks.classify.train_settings import Way

__all__ = ["FUSED", "SINGLE", "WAYS", "Comparison", "View"]

View = Literal["open", "masked"]
"""Captions as they were written, or without the words that name labels."""

WAYS: Final[tuple[Way, ...]] = get_args(Way)
SINGLE: Final[tuple[Way, ...]] = ("image", "text")
FUSED: Final[tuple[Way, ...]] = ("concat", "gated", "late")


@dataclass(frozen=True)
class Comparison:
    """One view of a DATASET, with all ways.

    Attributes:
        judge: of its test pictures.
        answers: of each way, one for each seed.
        fresh: ``(N,)``, pictures whose caption does not stand in training.
        chosen: the fusion that validation pictures prefer.
    """

    judge: Judge
    answers: Mapping[Way, Sequence[Answers]]
    fresh: NDArray[np.bool_]
    chosen: Way

    @cached_property
    def reached(self) -> dict[tuple[Way, Condition], Reached]:
        """How good each way is under each condition that it answers under."""
        return {
            (way, condition): self.judge.reached(own, condition)
            for way, own in self.answers.items()
            for condition in CONDITIONS
            if condition in own[0].chances
        }

    @cached_property
    def unseen(self) -> dict[Way, Reached]:
        """How good each way is with both, on pictures whose caption is new; nothing where all or none are."""
        if self.fresh.all() or not self.fresh.any():
            return {}
        judge = self.judge.among(self.fresh)
        found = {}
        for way, own in self.answers.items():
            found[way] = judge.reached([one.among(self.fresh, "complete") for one in own], "complete")
        return found

    @cached_property
    def best_single(self) -> Way:
        """The branch with the greater mAP on these very pictures: the hardest that a fusion can be held against."""
        return max(SINGLE, key=lambda way: self.reached[way, "complete"].mean_average_precision.value)

    @cached_property
    def gains(self) -> dict[Way, Interval]:
        """By how much each fusion has more mAP than the better branch."""
        rival = (self.answers[self.best_single], CONDITIONS[0])
        return {way: self.judge.gain((self.answers[way], "complete"), rival) for way in FUSED if way in self.answers}

    @cached_property
    def costs(self) -> dict[tuple[Way, Condition], Interval]:
        """Of each fusion without captions, or without pictures, its mAP less that of the branch alone."""
        alone: dict[Condition, Way] = {"text_absent": "image", "image_absent": "text"}
        return {
            (way, condition): self.judge.gain((self.answers[way], condition), (self.answers[branch], condition))
            for way in FUSED
            if way in self.answers
            for condition, branch in alone.items()
        }

    @property
    def pays(self) -> bool:
        """Whether the chosen fusion is better than the better branch, beyond chance."""
        return self.gains[self.chosen].low > 0
