"""The page of an evaluation: how right a model is, as a whole, by class and by domain, in French or English."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from arpent.core import Language
from arpent.language import area as area_of
from arpent.language import percent, say
from arpent.report import Picture, Section, Table, Text, write_page
from arpent.report.page import Part
from arpent.tasks.landcover.judged import Judged

__all__ = ["MEANS", "summary_heads", "summary_rows", "write_evaluation_page"]

MEANS = {
    "accuracy": "metric.overall_accuracy",
    "miou": "metric.mean_iou",
    "f_score": "metric.mean_f_score",
    "precision": "metric.mean_precision",
    "recall": "metric.mean_recall",
}
"""The five means by name, with the phrases that call them."""


def write_evaluation_page(
    path: Path, judged: Judged, confusion: Path, *, model: str, data: str, language: Language, footer: str
) -> Path:
    """Writes the page.

    Args:
        path: of the page.
        judged: what was found.
        confusion: picture of the confusion matrix.
        model: what was judged.
        data: what it was judged by.
        language: of the page.
        footer: small print.
    """
    matrix = say("report.confusion_matrix", language)
    sections = [
        Section(say("report.summary", language), _summary(judged, language)),
        Section(say("report.quality_by_class", language), _classes(judged, language)),
        Section(say("report.quality_by_domain", language), [_domains(judged, language)]),
        Section(matrix, [Picture.of(confusion, matrix, say("report.confusion_axes", language))]),
        Section(say("report.areas_by_class", language), _ground(judged, language)),
    ]
    return write_page(
        path,
        say("evaluate.title", language),
        sections,
        language=language,
        lead=say("evaluate.lead", language, model=model, data=data, pixels=judged.found.matrix.total),
        footer=footer,
    )


def summary_rows(judged: Judged, language: Language) -> list[list[str]]:
    """The five means with their intervals, and beside them what they are if absent classes count as nought."""
    rows = []
    for name, phrase in MEANS.items():
        one = judged.intervals[name]
        between = f"{_percent(one.low, language)} – {_percent(one.high, language)}" if math.isfinite(one.low) else "–"
        value, strict = judged.excluded.summary()[name], judged.zero.summary()[name]
        rows.append([say(phrase, language), _percent(value, language), between, _percent(strict, language)])
    return rows


def summary_heads(language: Language) -> list[str]:
    """What stands above `summary_rows`."""
    keys = ("evaluate.figure", "evaluate.excluded", "word.interval", "evaluate.zero")
    return [say(key, language) for key in keys]


def _summary(judged: Judged, language: Language) -> Sequence[Part]:
    parts: list[Part] = [Table(summary_heads(language), summary_rows(judged, language))]
    parts.append(Text(say(f"evaluate.over_{judged.drawn}", language, count=_drawn_from(judged))))
    if judged.left_out:
        names = ", ".join(judged.classes.labels(language)[index] for index in judged.left_out)
        parts.append(Text(say("evaluate.not_judged", language, names=names)))
    return parts


def _drawn_from(judged: Judged) -> int:
    source = judged.found.domains if judged.drawn == "domains" else judged.found.blocks
    return len(source.by_domain)


def _classes(judged: Judged, language: Language) -> Sequence[Part]:
    scores, truth = judged.excluded, judged.found.matrix.counts.sum(axis=1)
    total = max(int(truth.sum()), 1)
    by_class = (scores.iou_by_class, scores.f_score_by_class, scores.precision_by_class, scores.recall_by_class)
    rows = [
        [one.label(language), 100 * int(truth[k]) / total, *(_hundred(float(values[k])) for values in by_class)]
        for k, one in enumerate(judged.classes.classes)
        if k not in judged.left_out
    ]
    keys = ("evaluate.share_of_truth", "metric.iou", "metric.f_score", "word.precision", "word.recall")
    heads = [say("word.class", language), *(f"{say(key, language)}, %" for key in keys)]
    return [Table(heads, rows, decimals=1), Text(say("evaluate.dash", language))]


def _domains(judged: Judged, language: Language) -> Table:
    rows = [
        [
            name or "–",
            judged.found.domains.by_domain[name].total,
            *(_hundred(value) for value in scores.summary().values()),
        ]
        for name, scores in judged.domains.items()
    ]
    heads = [
        say("word.domain", language),
        say("word.pixels", language),
        *(f"{say(key, language)}, %" for key in MEANS.values()),
    ]
    return Table(heads, rows, decimals=1)


def _hundred(share: float) -> float | None:
    """A share in percent; None where there is none."""
    return 100 * share if math.isfinite(share) else None


def _ground(judged: Judged, language: Language) -> Sequence[Part]:
    adjusted = judged.adjusted
    heads = [say("word.class", language), say("evaluate.mapped", language)]
    if adjusted is not None:
        heads += [say("report.adjusted_area", language), say("word.interval", language)]
    rows = []
    for k, one in enumerate(judged.areas):
        row = [one.entry.label(language), _area(one.square_metres, language)]
        if one.square_metres is None:
            row[1] = percent(one.share, language)
        if adjusted is not None:
            ends = adjusted.area.interval(k)
            row += [_area(ends.value, language), f"{_area(max(ends.low, 0), language)} – {_area(ends.high, language)}"]
        rows.append(row)
    told = "landcover.not_adjusted" if adjusted is None else "evaluate.adjusted"
    return [Table(heads, rows), Text(say(told, language))]


def _area(value: float | None, language: Language) -> str:
    return "–" if value is None or not math.isfinite(value) else area_of(value, language)


def _percent(value: float, language: Language) -> str:
    return percent(value, language) if math.isfinite(value) else "–"
