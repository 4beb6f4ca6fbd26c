"""What a person looks at first: how strong lasting change is, and when it came."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arpent.core import ClassMap, LandClass, Language, Raster
from arpent.io import quicklook
from arpent.language import say
from arpent.report import figures
from arpent.tasks.change.frames import day_of
from arpent.tasks.change.mosaic_style import strength_steps

__all__ = ["draw_series"]

_LARGEST = 700
_MOST_DATES = 12
"""Colours that can be told apart; longer series are shown by their years."""

_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725", "#fca636", "#e16462", "#b12a90", "#6a00a8")


def draw_series(
    strength: Path, date: Path, path: Path, dates: Sequence[int], *, threshold: float, language: Language = "en"
) -> Path:
    """Draws the map of strength beside that of dates, the latter where ground has changed, as PNG.

    Args:
        strength: the file of the product.
        date: the file of the product.
        path: of the PNG.
        dates: of all images, as YYYYDDD.
        threshold: strength from which on ground counts as changed.
        language: of titles.
    """
    shown, days = quicklook(strength, _LARGEST), quicklook(date, _LARGEST, classes=True)
    names = {day: day_of(day).isoformat() for day in dates}
    if len(names) > _MOST_DATES:
        names = {day: str(day // 1000) for day in dates}
    labels = sorted(set(names.values()))
    numbers = np.zeros(days.grid.shape, np.uint8)
    changed = days.valid & shown.valid & (shown.pixels[0] >= threshold)
    for day, name in names.items():
        numbers[changed & (days.pixels[0] == day)] = labels.index(name) + 1
    classes = ClassMap(
        name="dates",
        classes=tuple(
            LandClass(id=number, en=name, fr=name, colour=_COLOURS[(number - 1) % len(_COLOURS)])
            for number, name in enumerate(labels, start=1)
        ),
    )
    when = Raster(numbers[None], changed, days.grid, ("date",))
    return figures.panels(
        [
            figures.Panel(shown, say("change.series_strength", language), steps=strength_steps(threshold)),
            figures.Panel(when, say("change.series_date", language), classes=classes),
        ],
        path,
        language=language,
    )
