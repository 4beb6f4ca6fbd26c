"""Tables that several commands show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from arpent.cli.console import table
from arpent.core import Language
from arpent.language import area, percent, say

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.tasks.landcover import ClassArea

__all__ = ["class_table"]


def class_table(
    areas: Sequence[ClassArea],
    language: Language,
    *,
    iou: Mapping[str, float] | None = None,
) -> Table:
    """Ground and share of each class and, where the truth is known, its IoU.

    Args:
        areas: of a map.
        language: of names and numbers.
        iou: intersection over union by English name.
    """
    columns = [say("word.class", language), say("word.area", language), say("word.share", language)]
    if iou is not None:
        columns.append("IoU")
    rows = []
    for one in areas:
        ground = "–" if one.square_metres is None else area(one.square_metres, language)
        row = [one.entry.label(language), ground, percent(one.share, language)]
        if iou is not None:
            row.append(percent(iou[one.entry.en], language))
        rows.append(row)
    return table(columns, rows)
