"""Tables that several commands show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from arpent.cli.console import table
from arpent.core import Language
from arpent.language import area, percent, say

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.metrics import AdjustedAreas, Estimate
    from arpent.tasks.landcover import ClassArea, LandcoverMap

__all__ = ["adjusted_document", "class_table", "notes_on_areas"]


def class_table(
    areas: Sequence[ClassArea],
    language: Language,
    *,
    iou: Mapping[str, float] | None = None,
    adjusted: AdjustedAreas | None = None,
) -> Table:
    """Ground and share of each class and, where the truth is known, its ground corrected for errors and its IoU.

    Args:
        areas: of a map.
        language: of names and numbers.
        iou: intersection over union by English name.
        adjusted: areas corrected for errors, in the order of `areas`.
    """
    columns = [say("word.class", language), say("word.area", language), say("word.share", language)]
    if adjusted is not None:
        columns.append(say("report.adjusted_area", language))
    if iou is not None:
        columns.append("IoU")
    rows = []
    for index, one in enumerate(areas):
        ground = "–" if one.square_metres is None else area(one.square_metres, language)
        row = [one.entry.label(language), ground, percent(one.share, language)]
        if adjusted is not None:
            row.append(_with_margin(adjusted.area, index, language))
        if iou is not None:
            row.append(percent(iou[one.entry.en], language))
        rows.append(row)
    return table(columns, rows)


def _with_margin(estimate: Estimate, index: int, language: Language) -> str:
    value, margin = float(estimate.value[index]), float(estimate.half_width[index])
    return f"{area(value, language)} ± {area(margin, language)}"


def notes_on_areas(made: LandcoverMap, language: Language) -> list[str]:
    """What to know of areas that are corrected for errors, or why they are not."""
    if made.scores is None:
        return []
    if made.adjusted is None:
        return [say("landcover.not_adjusted", language)]
    return [say("landcover.adjusted", language, level=made.adjusted.level)]


def adjusted_document(made: LandcoverMap) -> dict[str, object]:
    """Areas corrected for errors by English name, in square metres, for JSON; nothing where there are none."""
    if made.adjusted is None:
        return {}
    intervals = [made.adjusted.area.interval(index) for index in range(len(made.areas))]
    return {
        "adjusted_areas": {
            one.entry.en: {"area": found.value, "low": found.low, "high": found.high}
            for one, found in zip(made.areas, intervals, strict=True)
        }
    }
