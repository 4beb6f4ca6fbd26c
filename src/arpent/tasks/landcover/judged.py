"""The figures of an evaluation, and what they look like as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arpent.core import ClassMap
from arpent.metrics import AdjustedAreas, ConfusionMatrix, DenseScores, Interval
from arpent.tasks.landcover.evaluate_settings import EvaluateSettings
from arpent.tasks.landcover.evaluating import Evaluated
from arpent.tasks.landcover.scoring import ClassArea, adjusted_areas

__all__ = ["Judged", "csv_of", "document_of", "judge"]


@dataclass(frozen=True)
class Judged:
    """What an evaluation has found.

    Attributes:
        found: the counts.
        left_out: indices of classes that are not judged.
        excluded: scores, with classes absent from the truth left out of the means.
        zero: scores, with these classes counting as nought.
        domains: scores of each domain, absent classes left out.
        intervals: of the five means of `excluded`.
        drawn: what the intervals come from: domains, or blocks of the one domain there is.
        areas: that the model maps.
        adjusted: these areas corrected for errors, where that can be done.
    """

    found: Evaluated
    left_out: tuple[int, ...]
    excluded: DenseScores
    zero: DenseScores
    domains: Mapping[str, DenseScores]
    intervals: Mapping[str, Interval]
    drawn: Literal["domains", "blocks"]
    areas: list[ClassArea]
    adjusted: AdjustedAreas | None

    @property
    def classes(self) -> ClassMap:
        """The nomenclature."""
        return self.found.classes

    def metrics(self) -> dict[str, float]:
        """The figures by name, as they go into manifests."""
        ends = {f"{name}/{end}": getattr(one, end) for name, one in self.intervals.items() for end in ("low", "high")}
        by_class = zip(self.classes.labels(), self.excluded.iou_by_class, strict=True)
        figures = {
            **self.excluded.summary(),
            **{f"absent-zero/{name}": value for name, value in self.zero.summary().items()},
            **ends,
            **{f"iou/{name}": float(value) for name, value in by_class},
        }
        return {name: value for name, value in figures.items() if math.isfinite(value)}


def judge(found: Evaluated, settings: EvaluateSettings) -> Judged:
    """Scores, intervals and areas from what was counted."""
    classes, matrix = found.classes, found.matrix
    left_out = tuple(sorted({*classes.inactive, *(classes.index_of(word) for word in settings.ignore)}))
    several = len(found.domains.by_domain) > 1
    areas = _areas(found)
    return Judged(
        found,
        left_out,
        matrix.scores("exclude", left_out),
        matrix.scores("zero", left_out),
        {name: one.scores("exclude", left_out) for name, one in found.domains.by_domain.items()},
        (found.domains if several else found.blocks).intervals(
            "exclude", left_out, draws=settings.draws, seed=settings.seed
        ),
        "domains" if several else "blocks",
        areas,
        adjusted_areas(matrix, areas),
    )


def _areas(found: Evaluated) -> list[ClassArea]:
    """What the model maps, class by class; shares are those of the pixels with a truth where no ground is known."""
    counted = found.matrix.counts.sum(axis=0).astype(np.float64)
    ground = counted if found.mapped is None else found.mapped
    total = max(float(ground.sum()), 1e-9)
    return [
        ClassArea(one, None if found.mapped is None else float(found.mapped[k]), float(ground[k]) / total)
        for k, one in enumerate(found.classes.classes)
    ]


_COLUMNS = ("domain", "class", "id", "truth_pixels", "mapped_pixels", "iou", "f_score", "precision", "recall")


def csv_of(judged: Judged) -> str:
    """A line for each class of each domain; the domain of all together is empty, and so is what is not judged."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    everywhere = [("", judged.found.matrix, judged.excluded)]
    apart = [(name, judged.found.domains.by_domain[name], one) for name, one in judged.domains.items()]
    for name, matrix, scores in everywhere + apart:
        for row in _rows(judged.classes, matrix, scores):
            writer.writerow([name, *("" if value is None else value for value in row.values())])
    return text.getvalue()


def document_of(judged: Judged) -> dict[str, Any]:
    """Everything, for JSON."""
    document: dict[str, Any] = {
        "nomenclature": judged.classes.name,
        "pixels": judged.found.matrix.total,
        "not_judged": [judged.classes.labels()[index] for index in judged.left_out],
        "absent_excluded": _plain(judged.excluded.summary()),
        "absent_zero": _plain(judged.zero.summary()),
        "intervals": {
            "level": 0.95,
            "over": judged.drawn,
            **{name: [_number(one.low), _number(one.high)] for name, one in judged.intervals.items()},
        },
        "classes": list(_rows(judged.classes, judged.found.matrix, judged.excluded)),
        "domains": {
            name: {"pixels": judged.found.domains.by_domain[name].total, **_plain(scores.summary())}
            for name, scores in judged.domains.items()
        },
        "confusion": {name: one.to_list() for name, one in judged.found.domains.by_domain.items()},
    }
    if judged.adjusted is not None:
        ends = [judged.adjusted.area.interval(index) for index in range(len(judged.classes))]
        document["areas_m2"] = {
            one.entry.en: {
                "mapped": one.square_metres,
                "adjusted": _number(found.value),
                "low": _number(found.low),
                "high": _number(found.high),
            }
            for one, found in zip(judged.areas, ends, strict=True)
        }
    return document


def _rows(classes: ClassMap, matrix: ConfusionMatrix, scores: DenseScores) -> list[dict[str, Any]]:
    truth, mapped = matrix.counts.sum(axis=1), matrix.counts.sum(axis=0)
    return [
        {
            "class": one.en,
            "id": one.id,
            "truth_pixels": int(truth[k]),
            "mapped_pixels": int(mapped[k]),
            "iou": _number(scores.iou_by_class[k]),
            "f_score": _number(scores.f_score_by_class[k]),
            "precision": _number(scores.precision_by_class[k]),
            "recall": _number(scores.recall_by_class[k]),
        }
        for k, one in enumerate(classes.classes)
    ]


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in figures.items()}


def _number(value: float) -> float | None:
    """The number for JSON, which has no NaN."""
    return round(float(value), 6) if math.isfinite(value) else None
