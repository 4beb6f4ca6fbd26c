"""What was said beside what is true, a small chart for each quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number
from arpent.report.style import ACCENTS, FAINT, INK, SOFT, canvas, frame, publish, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Dot", "scatter"]

_SIDE, _GAP, _LEFT, _RIGHT = 2.05, 0.62, 0.62, 0.25  # inches
_ABOVE, _BELOW = 0.42, 0.62
_ACROSS = 3


@dataclass(frozen=True)
class Dot:
    """One statement.

    Attributes:
        true: the value.
        said: what was said of it; None where nothing was.
        group: gives the colour.
    """

    true: float
    said: float | None
    group: str


def scatter(
    charts: Mapping[str, Sequence[Dot]], path: Path, *, x: str, y: str, near: float = 0.05, language: Language = "en"
) -> Path:
    """The charts, three side by side, as PNG. What nothing was said of stands as a tick at the lower edge.

    Args:
        charts: dots by title.
        path: of the PNG.
        x: what is true, in words.
        y: what was said, in words.
        near: half the width of the band around the diagonal.
        language: of the numbers.
    """
    if not any(charts.values()):
        raise InvalidSetting("a chart of statements has nothing to show", cure="Give at least one dot.")
    groups = sorted({dot.group for dots in charts.values() for dot in dots})
    across = min(_ACROSS, len(charts))
    lines = -(-len(charts) // across)
    wide = _LEFT + across * _SIDE + (across - 1) * _GAP + _RIGHT
    key = 0.3 if len(groups) > 1 else 0.0
    tall = key + lines * (_ABOVE + _SIDE + _BELOW)
    figure = canvas(wide, tall)
    for place, (title, dots) in enumerate(charts.items()):
        left = _LEFT + (place % across) * (_SIDE + _GAP)
        bottom = tall - key - (place // across) * (_ABOVE + _SIDE + _BELOW) - _ABOVE - _SIDE
        axes = figure.add_axes((left / wide, bottom / tall, _SIDE / wide, _SIDE / tall))
        frame(axes, x=x, y=y if place % across == 0 else "")
        _draw(axes, dots, groups, near, language)
        write(figure, left, bottom + _SIDE + 0.12, title, size=9.5, bold=True)
    at = _LEFT
    for place, group in enumerate(groups if key else ()):
        write(figure, at, tall - 0.2, "●", size=9, colour=ACCENTS[place % len(ACCENTS)])
        write(figure, at + 0.16, tall - 0.2, group, size=8.5, colour=SOFT)
        at += 0.45 + 0.075 * len(group)
    return publish(figure, path)


def _draw(axes: Axes, dots: Sequence[Dot], groups: Sequence[str], near: float, language: Language) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = [dot.true for dot in dots] + [dot.said for dot in dots if dot.said is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = max(0.06 * (high - low), near)
    low, high = low - margin, high + margin
    axes.fill_between([low, high], [low - near, high - near], [low + near, high + near], color=FAINT, linewidth=0)
    axes.plot([low, high], [low, high], color=SOFT, linewidth=0.8)
    for place, group in enumerate(groups):
        colour = ACCENTS[place % len(ACCENTS)]
        said = [(dot.true, dot.said) for dot in dots if dot.group == group and dot.said is not None]
        if said:
            true, stated = np.array(said).T
            axes.scatter(true, stated, s=9, color=colour, alpha=0.65, linewidths=0)
        silent = [dot.true for dot in dots if dot.group == group and dot.said is None]
        if silent:
            axes.plot(silent, np.full(len(silent), low), linestyle="", marker="|", markersize=7, color=colour)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(SOFT)
    axes.tick_params(labelcolor=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, 1 if high - low > 0.5 else 2)))
