"""What a study has found: one outcome for each way that was tried, and the figures that tables are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from arpent.core import ClassMap
from arpent.metrics import ConfusionMatrix, DenseScores

__all__ = ["Figures", "Outcome", "Study"]

Counts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Figures:
    """A line of the table; all in per cent.

    Attributes:
        accuracy: overall accuracy.
        miou: classes absent from the truth are left out.
        miou_zero: classes absent from the truth count as zero.
        f_score: mean F1.
        precision: mean precision.
        recall: mean recall.
    """

    accuracy: float
    miou: float
    miou_zero: float
    f_score: float
    precision: float
    recall: float


class Outcome(BaseModel):
    """One way that was tried.

    Attributes:
        name: of the way, unique in its study; the folder of its run.
        kind: the source model on its own sensor, a model applied as it is, or one that was trained.
        normalise: how pixels were normalised.
        side: of the images that it was judged on; "val" where its epoch was chosen by them.
        strategy: how it was trained; None for what was not.
        epochs: the epoch that was kept; None for what was not trained.
        trained: epochs run.
        seconds: of the training.
        counts: confusion matrix on the test images, truth by prediction.
        domains: the same for each domain.
        left_out: indices of classes that are not judged: never predicted, or ignored in training.
        history: of the training, epoch by epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["source", "direct", "tuned"]
    normalise: str
    side: Literal["test", "val"] = "test"
    strategy: str | None = None
    epochs: int | None = None
    trained: int | None = None
    seconds: float | None = None
    counts: Counts
    domains: Mapping[str, Counts] = {}
    left_out: tuple[int, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def matrix(self) -> ConfusionMatrix:
        """The counts, for scores."""
        return ConfusionMatrix(len(self.counts), np.array(self.counts, np.int64))

    @property
    def scores(self) -> DenseScores:
        """Classes absent from the truth are left out."""
        return self.matrix.scores(leave_out=self.left_out)

    @property
    def figures(self) -> Figures:
        """The line of the table."""
        found = self.scores
        return Figures(
            accuracy=100 * found.accuracy,
            miou=100 * found.miou,
            miou_zero=100 * self.matrix.scores("zero", self.left_out).miou,
            f_score=100 * found.f_score,
            precision=100 * found.precision,
            recall=100 * found.recall,
        )

    @property
    def iou(self) -> NDArray[np.float64]:
        """Per class, 0 … 1; NaN where the truth lacks the class."""
        return self.scores.iou_by_class


@dataclass(frozen=True)
class Study:
    """All that was tried on one set of test images.

    Attributes:
        name: of the study.
        classes: the nomenclature.
        outcomes: in the order of the table.
        baseline: name of the outcome that gains are counted from.
        facts: what a reader should know of how it was done, as (name, value).
    """

    name: str
    classes: ClassMap
    outcomes: Sequence[Outcome]
    baseline: str
    facts: Sequence[tuple[str, str]] = ()

    def outcome(self, name: str) -> Outcome:
        """The outcome of that name."""
        return next(one for one in self.outcomes if one.name == name)

    @property
    def target(self) -> Sequence[Outcome]:
        """The outcomes on the target's test images: all but the source's own row."""
        return [one for one in self.outcomes if one.kind != "source"]

    @property
    def best(self) -> Outcome:
        """The one with the greatest mIoU on the target."""
        return max(self.target, key=lambda one: one.figures.miou)

    def gain(self, one: Outcome) -> float | None:
        """Points of mIoU above the baseline; None for what is not comparable with it, and for the baseline itself."""
        if one.kind != "tuned":
            return None
        return one.figures.miou - self.outcome(self.baseline).figures.miou

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class in the truth of the target's test images, as far as it is judged."""
        counts = np.array(self.target[0].counts, np.float64).sum(axis=1)
        counts[list(self.target[0].left_out)] = 0
        return np.asarray(counts / max(counts.sum(), 1.0))

    @property
    def drawn(self) -> Sequence[Outcome]:
        """The baseline, and of each strategy the normalisation that served it best: what charts have room for."""
        found: dict[str, Outcome] = {}
        for one in self.outcomes:
            if one.kind == "tuned" and one.strategy is not None:
                before = found.get(one.strategy)
                if before is None or one.figures.miou > before.figures.miou:
                    found[one.strategy] = one
        return [self.outcome(self.baseline), *found.values()]

    def document(self) -> dict[str, Any]:
        """The study as JSON has it."""
        rows = []
        for one in self.outcomes:
            scores = one.scores
            rows.append(
                {
                    **one.model_dump(mode="json"),
                    **{name: _known(value) for name, value in vars(one.figures).items()},
                    "gain": self.gain(one),
                    "iou_by_class": {
                        entry.en: _known(100 * float(value))
                        for entry, value in zip(self.classes.classes, scores.iou_by_class, strict=True)
                    },
                }
            )
        shares = zip(self.classes.classes, self.shares, strict=True)
        return {
            "format": 1,
            "name": self.name,
            "classes": [{"id": c.id, "en": c.en, "fr": c.fr, "colour": c.colour} for c in self.classes.classes],
            "truth_share": {entry.en: float(share) for entry, share in shares},
            "baseline": self.baseline,
            "best": self.best.name,
            "facts": dict(self.facts),
            "outcomes": rows,
        }


def _known(value: float) -> float | None:
    """NaN has no place in JSON."""
    return value if np.isfinite(value) else None
