"""Figures with their intervals: a dot and a line for each way, in groups below each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number
from arpent.report.style import ACCENTS, FAINT, INK, SOFT, canvas, frame, publish

__all__ = ["Range", "ranges"]

_ROW, _HEAD, _LETTER = 0.24, 0.42, 0.075  # inches


@dataclass(frozen=True)
class Range:
    """One figure.

    Attributes:
        name: of the way.
        value: the figure.
        low: lower end of its interval; NaN for none.
        high: upper end.
    """

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan


def ranges(groups: Mapping[str, Sequence[Range]], path: Path, *, x: str, language: Language = "en") -> Path:
    """A line for each figure, group after group, as PNG. A way has one colour in all groups.

    Args:
        groups: figures by title.
        path: of the PNG.
        x: what is measured.
        language: of the numbers.
    """
    every = [one for rows in groups.values() for one in rows if math.isfinite(one.value)]
    if not every:
        raise InvalidSetting("a chart of intervals has nothing to show", cure="Give at least one figure.")
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    names = list(dict.fromkeys(one.name for one in every))
    text = _LETTER * max(map(len, names)) + 0.4
    tall = 0.65 + sum(_HEAD + _ROW * len(rows) for rows in groups.values())
    wide = text + 5.4
    figure = canvas(wide, tall)
    axes = figure.add_axes((text / wide, 0.55 / tall, 4.7 / wide, (tall - 0.65) / tall))
    frame(axes, x=x)
    ticks, y = [], 0.0
    low = min(one.low if math.isfinite(one.low) else one.value for one in every)
    high = max(one.high if math.isfinite(one.high) else one.value for one in every)
    margin = 0.06 * max(high - low, 0.02)
    for title, rows in groups.items():
        y += _HEAD
        axes.text(low - margin, y - 0.16, title, fontsize=9, fontweight="bold", color=INK, family="DejaVu Sans")
        for one in rows:
            colour = ACCENTS[names.index(one.name) % len(ACCENTS)] if one.name in names else SOFT
            at = y + _ROW / 2
            ticks.append((at, one.name))
            if math.isfinite(one.low):
                axes.plot([one.low, one.high], [at, at], color=colour, linewidth=2.2, solid_capstyle="butt", alpha=0.55)
            axes.plot([one.value], [at], marker="o", markersize=5.5, color=colour)
            axes.text(high + 1.6 * margin, at, number(one.value, language, 3), va="center", fontsize=8, color=SOFT)
            y += _ROW
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(y, 0)
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks], fontsize=8.5, color=INK)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, 2)))
    return publish(figure, path)
