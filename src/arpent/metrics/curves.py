"""ROC and precision-recall curves of images of any size, from histograms instead of arrays of scores.

Scores are counted in bins of equal relative width, 1/1024 of the score at most, so that probabilities, distances and
squared norms all fit, and histograms of tiles, images or machines add up in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics.change import Detection

__all__ = ["Curve", "ScoreHistogram", "bin_of", "score_of"]

_SHIFT = 13  # bits of the mantissa that do not count
_BINS = (0x7F800000 >> _SHIFT) + 1  # the last one is that of infinity
_UNCHANGED = 0


def bin_of(scores: ArrayLike) -> NDArray[np.int64]:
    """The bin of each score; all above zero and zero itself, in the order of the scores.

    A float that is not negative has the order of its bits, so its first bits are its bin.
    """
    bits = np.ascontiguousarray(scores, np.float32).view(np.uint32)
    return (bits >> _SHIFT).astype(np.int64)


def score_of(bins: ArrayLike) -> NDArray[np.float64]:
    """The least score of each bin."""
    bits = np.asarray(bins, np.uint32) << np.uint32(_SHIFT)
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


@dataclass(frozen=True)
class Curve:
    """How detection changes with its threshold; from the strictest to the most lenient.

    Attributes:
        thresholds: ``(n,)``, falling: a pixel is reported when its score is at least that.
        hits: ``(n,)``, changed pixels reported.
        alarms: ``(n,)``, unchanged pixels reported.
    """

    thresholds: NDArray[np.float64]
    hits: NDArray[np.int64]
    alarms: NDArray[np.int64]

    @property
    def positives(self) -> int:
        """Changed pixels."""
        return int(self.hits[-1])

    @property
    def negatives(self) -> int:
        """Unchanged pixels."""
        return int(self.alarms[-1])

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the changed pixels that is reported."""
        return self.hits / max(self.positives, 1)

    @property
    def false_alarms(self) -> NDArray[np.float64]:
        """Share of the unchanged pixels that is reported."""
        return self.alarms / max(self.negatives, 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of what is reported that changed."""
        return np.asarray(self.hits / np.maximum(self.hits + self.alarms, 1), np.float64)

    @property
    def roc_auc(self) -> float:
        """Chance that a changed pixel scores higher than an unchanged one; ties count half. NaN without both."""
        if not self.positives or not self.negatives:
            return float("nan")
        x, y = np.append(0.0, self.false_alarms), np.append(0.0, self.recall)
        return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))

    @property
    def average_precision(self) -> float:
        """Mean precision over the changed pixels, in the order of their scores. NaN without any."""
        if not self.positives:
            return float("nan")
        return float(np.sum(np.diff(np.append(0.0, self.recall)) * self.precision))

    def best(self) -> Detection:
        """Detection at the threshold of greatest F1; the strictest of several."""
        f1 = 2 * self.hits / np.maximum(self.hits + self.alarms + self.positives, 1)
        return self._at(int(np.argmax(f1)))

    def at(self, threshold: float) -> Detection:
        """Detection at a threshold, to within the width of a bin."""
        place = int(np.searchsorted(-self.thresholds, -float(score_of(bin_of([threshold]))[0]), side="right")) - 1
        if place < 0:
            return Detection(threshold, 0, 0, self.positives, self.negatives)
        return Detection(threshold, *self._counts(place))

    def _at(self, place: int) -> Detection:
        return Detection(float(self.thresholds[place]), *self._counts(place))

    def _counts(self, place: int) -> tuple[int, int, int, int]:
        hits, alarms = int(self.hits[place]), int(self.alarms[place])
        return hits, alarms, self.positives - hits, self.negatives - alarms


class ScoreHistogram:
    """Pixels by score and by what truly happened to them; takes 2 MB for each kind of change that occurs."""

    def __init__(self) -> None:
        self._counts: dict[int, NDArray[np.int64]] = {_UNCHANGED: np.zeros(_BINS, np.int64)}

    def update(self, scores: NDArray[np.floating], truth: NDArray[np.integer]) -> None:
        """Adds pixels.

        Args:
            scores: of any shape; not negative.
            truth: of the same shape; 0 for no change, else the kind of change, up to 255.
        """
        if scores.shape != truth.shape:
            raise InvalidSetting(
                "scores and truth differ in shape", found=f"{scores.shape} and {truth.shape}", cure="Give one of each."
            )
        values = np.asarray(scores, np.float32).ravel()
        if values.size and not values.min() >= 0:  # NaN is not either
            raise InvalidSetting(
                "a score is negative or not a number", expected="0 or more", cure="Leave out pixels without a score."
            )
        bins, kinds = bin_of(np.abs(values)), truth.ravel()  # -0.0 has a bit set
        for kind in np.unique(kinds):
            counts = self._counts.setdefault(int(kind), np.zeros(_BINS, np.int64))
            counts += np.bincount(bins[kinds == kind], minlength=_BINS)

    def merge(self, other: ScoreHistogram) -> ScoreHistogram:
        """Adds the pixels of another histogram to these, which are returned."""
        for kind, counts in other._counts.items():
            self._counts[kind] = self._counts.get(kind, 0) + counts
        return self

    @property
    def pixels(self) -> int:
        """All of them."""
        return int(sum(counts.sum() for counts in self._counts.values()))

    @property
    def changed(self) -> NDArray[np.int64]:
        """Changed pixels, ``(bins,)``."""
        total = np.zeros(_BINS, np.int64)
        for kind, counts in self._counts.items():
            if kind != _UNCHANGED:
                total += counts
        return total

    @property
    def unchanged(self) -> NDArray[np.int64]:
        """Unchanged pixels, ``(bins,)``."""
        return self._counts[_UNCHANGED]

    def curve(self) -> Curve:
        """Every threshold at which anything changes.

        Raises:
            DatasetError: no pixel was counted.
        """
        changed, unchanged = self.changed, self.unchanged
        filled = np.flatnonzero(changed + unchanged)[::-1]
        if not filled.size:
            raise DatasetError(
                "no pixel has both a score and a known truth", cure="Check that the truth lies over the map."
            )
        return Curve(score_of(filled), np.cumsum(changed[filled]), np.cumsum(unchanged[filled]))

    def recall_by_kind(self, threshold: float) -> Mapping[int, float]:
        """Of each kind of change that occurs, the share that scores at least `threshold`."""
        first = int(bin_of([threshold])[0])
        return {
            kind: float(counts[first:].sum() / counts.sum())
            for kind, counts in sorted(self._counts.items())
            if kind != _UNCHANGED and counts.any()
        }
