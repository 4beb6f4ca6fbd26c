"""How good labels are where one image has several: counted per image, per label, and over all pairs of the two.

A label that no image bears cannot be found, and has no place in a mean over labels: it is named, and left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics.calibration import Reliability
from arpent.metrics.change import Detection
from arpent.metrics.curves import Curve

__all__ = ["LabelFigures", "LabelScores", "Labelled", "label_curve", "label_reliability", "score_labels"]

_UNKNOWN = float("nan")


@dataclass(frozen=True)
class LabelFigures:
    """One label.

    Attributes:
        name: of the label.
        counted: what was said and what is true, at its threshold.
        average_precision: mean precision over the images that bear it; NaN where none does.
        roc_auc: chance that an image that bears it is given more than one that does not; NaN without both.
    """

    name: str
    counted: Detection
    average_precision: float
    roc_auc: float

    @property
    def positives(self) -> int:
        """Images that bear the label."""
        return self.counted.hits + self.counted.misses


@dataclass(frozen=True)
class LabelScores:
    """Scores in [0, 1].

    Attributes:
        images: how many were judged.
        labels: in their order.
        left_out: names of those that no image bears; no mean over labels holds them.
        micro: all pairs of image and label counted together.
        macro_f1: mean F1 of the labels.
        sample_f1: mean F1 of the images; one that bears no label, and is given none, is right.
        mean_average_precision: mean over the labels (mAP).
        roc_auc: mean over the labels.
        expected_error: calibration error of all pairs (ECE).
        accuracy: share of the pairs that is right.
        always_no: the same, for whoever says no to everything.
    """

    images: int
    labels: tuple[LabelFigures, ...]
    left_out: tuple[str, ...]
    micro: Detection
    macro_f1: float
    sample_f1: float
    mean_average_precision: float
    roc_auc: float
    expected_error: float
    accuracy: float
    always_no: float

    def summary(self) -> dict[str, float]:
        """The figures by short names."""
        return {
            "micro_f1": self.micro.f1,
            "macro_f1": self.macro_f1,
            "sample_f1": self.sample_f1,
            "precision": self.micro.precision,
            "recall": self.micro.recall,
            "map": self.mean_average_precision,
            "roc_auc": self.roc_auc,
            "ece": self.expected_error,
            "accuracy": self.accuracy,
            "always_no": self.always_no,
        }


class Labelled:
    """Chances and truth of the same images, ready to be judged many times under other weights.

    Args:
        chances: ``(images, labels)`` probabilities.
        truth: ``(images, labels)``, 1 where the image bears the label.
        thresholds: ``(labels,)``, or ``(images, labels)`` where they are not the same for all images: a label is said
            where its chance is at least that; 0.5 if not given.

    Raises:
        InvalidSetting: the shapes do not fit.
        DatasetError: there is no image, or a chance is not between 0 and 1.
    """

    def __init__(self, chances: ArrayLike, truth: ArrayLike, thresholds: ArrayLike = 0.5) -> None:
        self.chances = np.asarray(chances, np.float64)
        self.truth = np.asarray(truth).astype(bool)
        if self.chances.ndim != 2 or self.chances.shape != self.truth.shape:
            raise InvalidSetting(
                "chances and truth do not fit each other",
                found=f"{self.chances.shape} and {self.truth.shape}",
                expected="(images, labels) twice",
                cure="Give one chance and one truth for each image and label.",
            )
        if not self.chances.size:
            raise DatasetError("there is no image to judge labels on", cure="Give at least one image and one label.")
        if not (self.chances.min() >= 0 and self.chances.max() <= 1):  # NaN is not either
            raise DatasetError(
                "a chance is not a probability",
                found=f"{self.chances.min():g} to {self.chances.max():g}",
                expected="numbers from 0 to 1",
                cure="Give probabilities, not logits; a network that gives NaN must be trained again.",
            )
        self.thresholds = np.broadcast_to(np.asarray(thresholds, np.float64), self.chances.shape)
        self.said = self.chances >= self.thresholds

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.chances)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """``(images, labels)``: images by falling chance, label by label."""
        return np.argsort(-self.chances, axis=0, kind="stable")

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """``(images, labels)``: in that order, the last place that has the same chance."""
        ranked = np.take_along_axis(self.chances, self._order, axis=0)
        last = np.ones(ranked.shape, bool)
        last[:-1] = ranked[1:] != ranked[:-1]
        places = np.where(last, np.arange(len(ranked))[:, None], len(ranked) - 1)
        return np.asarray(np.minimum.accumulate(places[::-1], axis=0)[::-1], np.int64)

    @cached_property
    def _ranked_truth(self) -> NDArray[np.float64]:
        return np.take_along_axis(self.truth, self._order, axis=0).astype(np.float64)

    def average_precisions(self, weights: NDArray[np.floating] | None = None) -> NDArray[np.float64]:
        """``(labels,)`` average precision of each; NaN where no image bears it.

        Args:
            weights: ``(images,)``, how often each image counts; once if not given.
        """
        order, ends = self._order, self._ends
        ranked = np.ones(order.shape) if weights is None else np.asarray(weights, np.float64)[order]
        found = ranked * self._ranked_truth
        said, hits = (np.take_along_axis(np.cumsum(one, axis=0), ends, axis=0) for one in (ranked, found))
        precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
        positives = found.sum(axis=0)
        summed = (found * precision).sum(axis=0)
        each = np.divide(summed, positives, out=np.full_like(summed, np.nan), where=positives > 0)
        return np.asarray(each, np.float64)

    def mean_average_precision(self, weights: NDArray[np.floating] | None = None) -> float:
        """Mean over the labels that an image bears (mAP)."""
        return _mean(self.average_precisions(weights))

    def micro_f1(self, weights: NDArray[np.floating] | None = None) -> float:
        """F1 of all pairs of image and label."""
        hits, said, true = self._pairs
        counted = np.ones(self.images) if weights is None else np.asarray(weights, np.float64)
        total = float(counted @ (said + true))
        return 2 * float(counted @ hits) / total if total else _UNKNOWN

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Of each image: labels that are rightly said, labels that are said, labels that it bears."""
        return (self.said & self.truth).sum(axis=1), self.said.sum(axis=1), self.truth.sum(axis=1)

    def sample_f1(self) -> float:
        """Mean F1 of the images."""
        hits, said, true = self._pairs
        both = said + true
        return float(np.where(both > 0, 2 * hits / np.maximum(both, 1), 1.0).mean())


def score_labels(labelled: Labelled, names: Sequence[str]) -> LabelScores:
    """All the figures of one set of images.

    Args:
        labelled: chances, truth and thresholds.
        names: of the labels, in their order.

    Raises:
        InvalidSetting: there are more or fewer names than labels.
    """
    if len(names) != labelled.chances.shape[1]:
        raise InvalidSetting(
            "names and labels do not fit each other",
            found=f"{len(names)} names for {labelled.chances.shape[1]} labels",
            cure="Give one name for each label.",
        )
    each = labelled.average_precisions()
    figures = []
    for place, name in enumerate(names):
        counted = _counted(
            labelled.said[:, place], labelled.truth[:, place], float(np.median(labelled.thresholds[:, place]))
        )
        curve = label_curve(labelled.chances[:, place], labelled.truth[:, place])
        figures.append(LabelFigures(name, counted, float(each[place]), curve.roc_auc))
    borne = [one for one in figures if one.positives]
    micro = _counted(labelled.said, labelled.truth, 0.0)
    return LabelScores(
        labelled.images,
        tuple(figures),
        tuple(one.name for one in figures if not one.positives),
        micro,
        _mean([one.counted.f1 for one in borne]),
        labelled.sample_f1(),
        _mean(each),
        _mean([one.roc_auc for one in figures]),
        label_reliability(labelled.chances, labelled.truth).expected_error,
        float((labelled.said == labelled.truth).mean()),
        float(1 - labelled.truth.mean()),
    )


def label_curve(chances: NDArray[np.floating], truth: NDArray[np.generic]) -> Curve:
    """Every threshold at which anything changes, of the chances ``(n,)`` of one label, or of all of them together."""
    flat, true = np.ravel(chances), np.ravel(truth).astype(bool)
    order = np.argsort(-flat, kind="stable")
    ranked = flat[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    return Curve(ranked[last], np.cumsum(true[order])[last], np.cumsum(~true[order])[last])


def label_reliability(chances: NDArray[np.floating], truth: NDArray[np.generic], bins: int = 15) -> Reliability:
    """Chances beside what is true, in `bins` of equal width; of one label, or of all of them together."""
    flat, true = np.ravel(chances).astype(np.float64), np.ravel(truth).astype(bool)
    places = np.minimum((flat * bins).astype(np.int64), bins - 1)
    pairs = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        said = np.bincount(places, flat, bins) / pairs
        seen = np.bincount(places, true, bins) / pairs
    return Reliability(pairs.astype(np.int64), said, seen)


def _counted(said: NDArray[np.bool_], truth: NDArray[np.bool_], threshold: float) -> Detection:
    hits = int((said & truth).sum())
    return Detection(
        threshold, hits, int(said.sum()) - hits, int(truth.sum()) - hits, int(said.size - (said | truth).sum())
    )


def _mean(values: ArrayLike) -> float:
    """Of those that are known."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else _UNKNOWN
