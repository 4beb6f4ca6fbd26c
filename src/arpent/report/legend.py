"""Legends of small figures: patches of colour with their names, in lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arpent.report.style import write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LINE", "legend", "legend_lines"]

LINE = 0.24
"""Inches from one line to the next."""
_LETTER = 0.075  # inches
_PATCH = 0.34  # inches of a patch and what keeps it from its neighbours


def legend_lines(names: Sequence[str], width: float) -> int:
    """How many lines names take that are `width` inches long."""
    return len(_lines_of(names, width))


def legend(figure: Figure, names: Sequence[str], colours: Sequence[str], y: float, left: float = 0.2) -> None:
    """Writes the names from the upper left; `y` is the base of the first line in inches, `left` the margins."""
    from matplotlib.patches import Rectangle

    wide, tall = figure.get_size_inches()
    for line in _lines_of(names, wide - 2 * left):
        for place, name, x in line:
            patch = Rectangle(((left + x) / wide, (y - 0.015) / tall), 0.14 / wide, 0.11 / tall, linewidth=0)
            patch.set_facecolor(colours[place])
            patch.set_transform(figure.transFigure)
            figure.add_artist(patch)
            write(figure, left + 0.2 + x, y, name, size=8.2)
        y -= LINE


def _lines_of(names: Sequence[str], width: float) -> list[list[tuple[int, str, float]]]:
    """Names in lines no longer than `width` inches, each with its number and its distance from the left."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    x = 0.0
    for place, name in enumerate(names):
        step = _PATCH + _LETTER * len(name)
        if lines[-1] and x + step > width:
            lines.append([])
            x = 0.0
        lines[-1].append((place, name, x))
        x += step
    return lines
