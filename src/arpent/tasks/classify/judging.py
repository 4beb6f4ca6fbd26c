"""What trained models say of the same pictures, with captions and without, and how good that is.

A model is judged as often as it was trained, once for each seed; figures are means over the seeds, and intervals are
over pictures, drawn alike for all that are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from arpent.errors import DatasetError
from arpent.metrics import Interval, Labelled, LabelScores, bootstrap, score_labels

__all__ = ["CONDITIONS", "Answers", "Condition", "Judge", "Reached"]

Condition = Literal["complete", "text_absent", "image_absent"]
"""What a model is given: both, the picture alone, or the caption alone."""

Figure = Callable[[NDArray[np.float64] | None], float]

CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)


@dataclass(frozen=True)
class Answers:
    """What one model says.

    Attributes:
        chances: ``(N, L)`` by condition; conditions under which it has nothing to read are missing.
        thresholds: ``(N, L)`` by condition; they differ with what is there of a picture and its caption.
    """

    chances: Mapping[Condition, NDArray[np.float64]]
    thresholds: Mapping[Condition, NDArray[np.float64]]

    def among(self, chosen: NDArray[np.bool_], condition: Condition) -> Answers:
        """What it says of some of the pictures under one condition."""
        return Answers({condition: self.chances[condition][chosen]}, {condition: self.thresholds[condition][chosen]})


@dataclass(frozen=True)
class Reached:
    """How good some models are under one condition.

    Attributes:
        scores: one for each seed.
        mean_average_precision: mean over the seeds, with its interval over pictures.
        micro_f1: likewise.
    """

    scores: tuple[LabelScores, ...]
    mean_average_precision: Interval
    micro_f1: Interval

    def mean(self, figure: str) -> float:
        """Mean of a figure of `LabelScores.summary` over the seeds."""
        return float(np.mean([one.summary()[figure] for one in self.scores]))

    def spread(self, figure: str) -> float:
        """Its standard deviation over the seeds; 0 for one seed."""
        return float(np.std([one.summary()[figure] for one in self.scores]))

    def summary(self) -> dict[str, float]:
        """Every figure as its mean over the seeds."""
        return {name: self.mean(name) for name in self.scores[0].summary()}


@dataclass(frozen=True)
class Judge:
    """The truth about some pictures, and how intervals are drawn.

    Attributes:
        truth: ``(N, L)``.
        names: of the labels.
        draws: of the pictures, for intervals.
        seed: of the draws.
    """

    truth: NDArray[np.uint8]
    names: tuple[str, ...]
    draws: int = 1000
    seed: int = 0

    def among(self, chosen: NDArray[np.bool_]) -> Judge:
        """The same for some of the pictures."""
        return Judge(self.truth[chosen], self.names, self.draws, self.seed)

    def reached(self, answers: Sequence[Answers], condition: Condition) -> Reached:
        """How good models are that were trained with several seeds.

        Raises:
            DatasetError: there is no picture.
        """
        runs = self._labelled(answers, condition)
        return Reached(
            tuple(score_labels(run, self.names) for run in runs),
            self._interval(lambda weights: float(np.mean([run.mean_average_precision(weights) for run in runs]))),
            self._interval(lambda weights: float(np.mean([run.micro_f1(weights) for run in runs]))),
        )

    def gain(
        self,
        better: tuple[Sequence[Answers], Condition],
        other: tuple[Sequence[Answers], Condition],
    ) -> Interval:
        """By how much one model has more mAP than another, on the same pictures."""
        ours, theirs = self._labelled(*better), self._labelled(*other)

        def difference(weights: NDArray[np.float64] | None) -> float:
            mine, yours = (np.mean([run.mean_average_precision(weights) for run in runs]) for runs in (ours, theirs))
            return float(mine - yours)

        return self._interval(difference)

    def _labelled(self, answers: Sequence[Answers], condition: Condition) -> list[Labelled]:
        if not len(self.truth):
            raise DatasetError("there is no picture to judge labels on", cure="Give a split that has pictures.")
        return [Labelled(one.chances[condition], self.truth, one.thresholds[condition]) for one in answers]

    def _interval(self, figure: Figure) -> Interval:
        return bootstrap(figure, len(self.truth), draws=self.draws, seed=self.seed)
