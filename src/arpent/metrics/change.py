"""How well change is found: counts of right and wrong pixels, and how sure one can be of the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arpent.errors import DatasetError
from arpent.metrics.resampling import Interval, redrawn, within

__all__ = ["BlockCounts", "Detection"]


@dataclass(frozen=True, slots=True)
class Detection:
    """What one threshold finds, in pixels.

    Attributes:
        threshold: of the score; the score itself is reported.
        hits: changed, and reported.
        alarms: unchanged, and reported.
        misses: changed, and not reported.
        quiet: unchanged, and not reported.
    """

    threshold: float
    hits: int
    alarms: int
    misses: int
    quiet: int

    @property
    def precision(self) -> float:
        """Share of what is reported that changed."""
        return _share(self.hits, self.hits + self.alarms)

    @property
    def recall(self) -> float:
        """Share of what changed that is reported."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.hits, 2 * self.hits + self.alarms + self.misses)

    @property
    def iou(self) -> float:
        """Intersection over union of what changed and what is reported."""
        return _share(self.hits, self.hits + self.alarms + self.misses)

    def summary(self) -> dict[str, float]:
        """The figures by name, as they go into manifests and tables."""
        return {
            "f1": self.f1,
            "iou": self.iou,
            "precision": self.precision,
            "recall": self.recall,
            "threshold": self.threshold,
        }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


class BlockCounts:
    """Pixels by block of ground and by score, to draw blocks anew and see how much the figures move.

    Neighbouring pixels resemble each other: drawing single pixels would promise far too narrow intervals. Blocks that
    are larger than the events are nearly independent.

    Args:
        edges: scores between which is counted.
        threshold: that decides; becomes an edge too.
    """

    def __init__(self, edges: ArrayLike, threshold: float) -> None:
        self._edges = np.unique(np.append(np.asarray(edges, np.float64), threshold))
        self._place = int(np.searchsorted(self._edges, threshold)) + 1
        self._counts: dict[int, NDArray[np.int64]] = {}

    def update(self, block: int, scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
        """Adds pixels of a block; `truth` says which of them changed."""
        counts = self._counts.setdefault(block, np.zeros((2, self._edges.size + 1), np.int64))
        bins = np.searchsorted(self._edges, scores.ravel().astype(np.float64), side="right")
        for side, chosen in enumerate((~truth.ravel(), truth.ravel())):
            counts[side] += np.bincount(bins[chosen], minlength=counts.shape[1])

    def intervals(self, draws: int = 1000, seed: int = 0) -> dict[str, Interval]:
        """F1, IoU, precision, recall, ROC-AUC and AP with the ends of their 95 % intervals.

        The areas under the curves are those of the edges, which are coarser than `metrics.ScoreHistogram`.

        Args:
            draws: how often as many blocks as there are are drawn, with repetition.
            seed: of the draws.

        Raises:
            DatasetError: no pixel was counted.
        """
        if not self._counts:
            raise DatasetError("no block holds a pixel", cure="Check that the truth lies over the map.")
        blocks = np.stack([self._counts[key] for key in sorted(self._counts)]).astype(np.float64)
        count = len(blocks)
        drawn = np.einsum("db,bse->dse", redrawn(count, draws, seed), blocks)
        values, spread = self._figures(blocks.sum(axis=0)[None]), self._figures(drawn)
        return {name: within(float(values[name][0]), spread[name]) for name in values}

    def _figures(self, counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Figures of a stack of counts ``(n, 2, edges + 1)``."""
        reported = counts[:, :, ::-1].cumsum(axis=2)  # from the highest scores down
        at = counts.shape[2] - 1 - self._place
        alarms, hits = reported[:, 0, at], reported[:, 1, at]
        negatives, positives = reported[:, 0, -1:], reported[:, 1, -1:]
        misses = positives[:, 0] - hits
        precision = _ratio(reported[:, 1], reported.sum(axis=1))
        recall = np.pad(_ratio(reported[:, 1], positives), ((0, 0), (1, 0)))
        false = np.pad(_ratio(reported[:, 0], negatives), ((0, 0), (1, 0)))
        return {
            "f1": _ratio(2 * hits, 2 * hits + alarms + misses),
            "iou": _ratio(hits, hits + alarms + misses),
            "precision": _ratio(hits, hits + alarms),
            "recall": _ratio(hits, hits + misses),
            "roc_auc": (np.diff(false, axis=1) * (recall[:, 1:] + recall[:, :-1]) / 2).sum(axis=1),
            "average_precision": (np.diff(recall, axis=1) * precision).sum(axis=1),
        }


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)
