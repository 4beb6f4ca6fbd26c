"""What a head takes from its validation set once it has learnt, so that its chances mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.metrics import Labelled
from arpent.models import LabellingHead
from arpent.tasks.classify.answering import told_by
from arpent.tasks.classify.lessons import Lessons
from arpent.tasks.classify.mending import mend
from arpent.tasks.classify.tempering import temperature, thresholds
from arpent.tasks.classify.train_settings import ClassifyTrainSettings

__all__ = ["temper"]

F64 = NDArray[np.float64]

_SHOWN: Final[Mapping[str, tuple[bool, bool]]] = {"image": (True, False), "text": (False, True), "both": (True, True)}


def temper(head: LabellingHead, judged: Lessons, settings: ClassifyTrainSettings) -> float:
    """Sets temperatures, thresholds, and what labels say of one another, by its validation set.

    What it may be shown (the picture alone, the caption alone, both) has its own of each.

    Returns:
        mAP on that set with all that a head reads, each picture judged by what the others have told.
    """
    judged_by = _Judged.of(judged)
    head.set_temperatures(1.0, 1.0, 1.0)
    head.mending.set_weights(torch.zeros_like(head.mending.get_buffer("weights")))
    if head.fusion is None:
        _temper_branch(head, judged_by, settings)
    found: dict[str, _Tempered] = {}
    for name, shown in _SHOWN.items():
        part = judged_by.shown(shown)
        if len(part.truth) and (head.fusion is not None or name == _only(head)):
            told = told_by(head, part.features, part.words, part.present)
            seen = np.hstack([told.image * shown[0], told.text * shown[1]])
            found[name] = _Tempered.by(seen, told.logits, part.truth, calibrate=settings.calibrate)
    usual = found.get("both", next(iter(found.values()), _Tempered.untold(head.settings.labels)))
    plain = replace(usual, heat=1.0, weights=np.zeros_like(usual.weights))
    rows = [found.get(name, plain) for name in _SHOWN]
    head.set_temperatures(*(one.heat for one in rows))
    head.set_thresholds(torch.from_numpy(np.stack([one.cuts for one in rows])).float())
    head.mending.set_weights(torch.from_numpy(np.stack([one.weights for one in rows])).float())
    return usual.precision


def _temper_branch(head: LabellingHead, judged: _Judged, settings: ClassifyTrainSettings) -> None:
    """Brings the scores of a branch to where they are as sure as they should be: a fusion goes on from there."""
    head.set_tempers(1.0, 1.0)
    part = judged.shown(_SHOWN[_only(head)])
    if settings.calibrate and len(part.truth):
        heat = temperature(told_by(head, part.features, part.words, part.present).logits, part.truth)
        head.set_tempers(heat, heat)


@dataclass(frozen=True)
class _Judged:
    """Pictures and captions of the validation set: features, codes, what is there ``(N, 2)``, and labels."""

    features: Tensor
    words: Tensor
    present: NDArray[np.bool_]
    truth: NDArray[np.generic]

    @classmethod
    def of(cls, lessons: Lessons) -> Self:
        """All of them."""
        batches = list(lessons.epoch(0))
        features, words, present, truth = (
            torch.cat([batch[name] for batch in batches]) for name in ("features", "words", "present", "target")
        )
        return cls(features, words, present.numpy(), truth.numpy())

    def shown(self, what: tuple[bool, bool]) -> _Judged:
        """Those of which there is all of `what`, shown without the rest."""
        there = self.present & np.array(what)
        rows = (there == np.array(what)).all(axis=1)
        return _Judged(self.features[rows], self.words[rows], there[rows], self.truth[rows])


@dataclass(frozen=True)
class _Tempered:
    """What was found where one of the three is shown.

    Attributes:
        heat: the temperature.
        cuts: thresholds ``(L,)``.
        weights: of the mending, ``(2 L + 1, L)``.
        precision: mAP.
    """

    heat: float
    cuts: F64
    weights: F64
    precision: float

    @classmethod
    def untold(cls, labels: int) -> Self:
        """Where there is nothing to find it by."""
        return cls(1.0, np.full(labels, 0.5), np.zeros((2 * labels + 1, labels)), 0.0)

    @classmethod
    def by(cls, seen: F64, scores: F64, truth: NDArray[np.generic], *, calibrate: bool) -> Self:
        """By scores that say something of all labels, ``(N, 2 L)``, and those to be mended, ``(N, L)``."""
        heat, weights = 1.0, np.zeros((seen.shape[1] + 1, truth.shape[1]))
        if calibrate:
            mended = mend(seen, scores, truth)
            scores, weights = mended.scores, mended.weights
            heat = temperature(scores, truth)
        chances = torch.sigmoid(torch.from_numpy(scores / heat)).numpy()
        precision = Labelled(chances, truth).mean_average_precision()
        return cls(heat, thresholds(chances, truth), weights, float(np.nan_to_num(precision)))


def _only(head: LabellingHead) -> str:
    return "image" if head.image is not None else "text"
