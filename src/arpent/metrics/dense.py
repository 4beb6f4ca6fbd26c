"""Scores of a class map against the truth, all from one mergeable confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arpent.core import ClassMap
from arpent.errors import InvalidSetting
from arpent.metrics.resampling import Interval, redrawn, within

__all__ = ["Absent", "ConfusionMatrix", "DenseScores", "DomainMatrices"]

Absent = Literal["exclude", "zero"]
"""What a class without any true pixel does to a mean over classes: it is left out, or it counts as 0."""


@dataclass(frozen=True)
class DenseScores:
    """Scores in [0, 1]. Per class they are NaN where the class does not count; the means are over classes that do.

    Attributes:
        accuracy: share of pixels that are right (overall accuracy).
        miou: mean intersection over union.
        f_score: mean F1.
        precision: mean precision (user's accuracy).
        recall: mean recall (producer's accuracy).
        iou_by_class: ``(classes,)``.
        f_score_by_class: ``(classes,)``.
        precision_by_class: ``(classes,)``.
        recall_by_class: ``(classes,)``.
    """

    accuracy: float
    miou: float
    f_score: float
    precision: float
    recall: float
    iou_by_class: NDArray[np.float64]
    f_score_by_class: NDArray[np.float64]
    precision_by_class: NDArray[np.float64]
    recall_by_class: NDArray[np.float64]

    def summary(self) -> dict[str, float]:
        """The five means by name, as they go into manifests and tables."""
        return {name: float(getattr(self, name)) for name in _MEANS}


_MEANS = ("accuracy", "miou", "f_score", "precision", "recall")


def _as_array(labels: ArrayLike) -> NDArray[np.integer]:
    """Labels from numpy or from a tensor on any device, flat; torch itself is not imported."""
    detach = getattr(labels, "detach", None)  # a tensor
    if detach is not None:
        labels = detach().cpu()
    array = np.asarray(labels).ravel()
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidSetting(
            "a confusion matrix counts class indices",
            found=f"values of type {array.dtype}",
            expected="integers",
            cure="Take the arg-max of the model's output first.",
        )
    return array


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the last axis of the values that count; NaN where none does."""
    number = counted.sum(-1)
    total = np.where(counted, values, 0.0).sum(-1)
    return np.asarray(np.divide(total, number, out=np.full(np.shape(total), np.nan), where=number > 0))


def _scores(counts: NDArray[np.float64], absent: Absent, kept: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """All scores of a stack of matrices ``(..., classes, classes)``; rows are the truth."""
    if absent not in ("exclude", "zero"):
        raise InvalidSetting(
            "no such policy for absent classes", found=absent, expected="exclude or zero", cure="Choose one of the two."
        )
    counts = counts * kept[:, None]  # pixels whose truth is left out do not count at all
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    truth, predicted = counts.sum(-1), counts.sum(-2)
    counted = np.broadcast_to(kept, truth.shape) & ((truth > 0) | (absent == "zero"))
    by_class = {
        "iou": _ratio(right, truth + predicted - right),
        "f_score": _ratio(2 * right, truth + predicted),
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, truth),
    }
    total = truth.sum(-1)
    result = {"accuracy": np.divide(right.sum(-1), total, out=np.full(np.shape(total), np.nan), where=total > 0)}
    for name, values in by_class.items():
        result["miou" if name == "iou" else name] = _mean(values, counted)
        result[f"{name}_by_class"] = np.where(counted, values, np.nan)
    return result


class ConfusionMatrix:
    """Counts of pixels by truth (rows) and prediction (columns), ``(classes, classes)`` of int64.

    Counts add up, so matrices of tiles, of processes or of machines can be merged in any order.

    Args:
        classes: a nomenclature, or the number of classes.
        counts: to start from; zeros if not given.
    """

    def __init__(self, classes: ClassMap | int, counts: NDArray[np.integer] | None = None) -> None:
        size = classes if isinstance(classes, int) else len(classes)
        if size < 1:
            raise InvalidSetting("a confusion matrix needs at least one class", found=size, cure="Name the classes.")
        self.counts: NDArray[np.int64] = np.zeros((size, size), np.int64)
        if counts is not None:
            if np.shape(counts) != (size, size):
                raise InvalidSetting(
                    "the counts of a confusion matrix do not fit its classes",
                    found=np.shape(counts),
                    expected=(size, size),
                    cure="Use matrices of the same nomenclature.",
                )
            self.counts += np.asarray(counts, np.int64)

    def __len__(self) -> int:
        return len(self.counts)

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        return ConfusionMatrix(len(self), self.counts).merge(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfusionMatrix) and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # mutable, as a list is

    @property
    def total(self) -> int:
        """Number of pixels counted."""
        return int(self.counts.sum())

    def update(self, target: ArrayLike, prediction: ArrayLike, ignore: int = -1) -> None:
        """Counts the pixels of two label images of the same shape, given as numpy arrays or tensors.

        Args:
            target: true class indices; pixels equal to `ignore` are passed over.
            prediction: predicted class indices.
            ignore: the index that means "no truth here".
        """
        truth, guess = _as_array(target), _as_array(prediction)
        if truth.shape != guess.shape:
            raise InvalidSetting(
                "truth and prediction differ in size",
                found=f"{guess.size} pixels",
                expected=truth.size,
                cure="Compare images on the same grid.",
            )
        keep = truth != ignore
        if not keep.all():
            truth, guess = truth[keep], guess[keep]
        if truth.size == 0:
            return
        size = len(self)
        lowest, highest = min(truth.min(), guess.min()), max(truth.max(), guess.max())
        if lowest < 0 or highest >= size:
            raise InvalidSetting(
                "a class index lies outside the nomenclature",
                found=f"indices {lowest} to {highest}",
                expected=f"0 to {size - 1}",
                cure="Map file numbers to indices first, and unknown ones to -1.",
            )
        # 32 bits hold every pair of classes and halve the traffic against numpy's default of 64.
        pairs = np.multiply(truth, size, dtype=np.int32, casting="unsafe")
        pairs += guess.astype(np.int32, copy=False)
        self.counts += np.bincount(pairs, minlength=size * size).reshape(size, size)

    def merge(self, other: ConfusionMatrix) -> ConfusionMatrix:
        """Adds the counts of another matrix to this one, which is returned."""
        if len(other) != len(self):
            raise InvalidSetting(
                "confusion matrices of different nomenclatures cannot be merged",
                found=f"{len(other)} classes",
                expected=len(self),
                cure="Use matrices of the same nomenclature.",
            )
        self.counts += other.counts
        return self

    def scores(self, absent: Absent = "exclude", leave_out: Iterable[int] = ()) -> DenseScores:
        """The scores.

        Args:
            absent: what a class without true pixels does to the means. The same model can gain four points of mIoU
                by the choice alone, so reports print both.
            leave_out: class indices that are not judged: their true pixels do not count, but other pixels that
                were taken for them are errors.
        """
        parts = _scores(self.counts.astype(np.float64), absent, _kept(len(self), leave_out))
        return DenseScores(**{k: (v if k.endswith("_by_class") else float(v)) for k, v in parts.items()})  # type: ignore[arg-type]  # means are floats, the rest arrays

    def to_list(self) -> list[list[int]]:
        """The counts as plain lists, for JSON."""
        return [[int(count) for count in row] for row in self.counts]


def _kept(size: int, leave_out: Iterable[int]) -> NDArray[np.bool_]:
    kept = np.ones(size, bool)
    kept[list(leave_out)] = False
    return kept


class DomainMatrices:
    """One confusion matrix for each domain (a department, a place, a sensor), and intervals over domains.

    Args:
        classes: a nomenclature, or the number of classes.
    """

    def __init__(self, classes: ClassMap | int) -> None:
        self._size = classes if isinstance(classes, int) else len(classes)
        self._matrices: dict[str, ConfusionMatrix] = {}

    @property
    def by_domain(self) -> Mapping[str, ConfusionMatrix]:
        """The matrices, sorted by the name of the domain."""
        return dict(sorted(self._matrices.items()))

    def update(self, target: ArrayLike, prediction: ArrayLike, domain: str, ignore: int = -1) -> None:
        """Counts two label images that belong to one domain."""
        matrix = self._matrices.setdefault(domain, ConfusionMatrix(self._size))
        matrix.update(target, prediction, ignore)

    def merge(self, other: DomainMatrices) -> DomainMatrices:
        """Adds the counts of another set, domain by domain; returns this one."""
        for domain, matrix in other.by_domain.items():
            self._matrices.setdefault(domain, ConfusionMatrix(self._size)).merge(matrix)
        return self

    def total(self) -> ConfusionMatrix:
        """The matrix of all domains together."""
        result = ConfusionMatrix(self._size)
        for matrix in self._matrices.values():
            result.merge(matrix)
        return result

    def intervals(
        self,
        absent: Absent = "exclude",
        leave_out: Sequence[int] = (),
        *,
        level: float = 0.95,
        draws: int = 2000,
        seed: int = 0,
    ) -> dict[str, Interval]:
        """Percentile bootstrap of the five means, by drawing domains with replacement.

        Pixels of one place resemble each other, so drawing pixels would give intervals that are far too narrow.
        With fewer than two domains there is nothing to draw from, and the ends are NaN.
        """
        whole = self.total().scores(absent, leave_out).summary()
        count = len(self._matrices)
        if count < 2:
            return {name: Interval(value, np.nan, np.nan) for name, value in whole.items()}
        stack = np.stack([matrix.counts.ravel() for matrix in self.by_domain.values()]).astype(np.float64)
        drawn = (redrawn(count, draws, seed) @ stack).reshape(draws, self._size, self._size)
        replicas = _scores(drawn, absent, _kept(self._size, leave_out))
        return {name: within(whole[name], replicas[name], level) for name in _MEANS}
