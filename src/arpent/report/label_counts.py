"""The confusion of each label: what was found and missed to the right, what was said in error to the left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number
from arpent.report.legend import legend
from arpent.report.style import ACCENTS, FAINT, INK, SOFT, canvas, frame, publish

__all__ = ["LabelCount", "label_counts"]

_ROW = 0.24  # inches
_LETTER = 0.075
_MISSED = "#b9c4ca"


@dataclass(frozen=True)
class LabelCount:
    """One label, counted in pictures.

    Attributes:
        name: in words.
        hits: that bear it and get it.
        misses: that bear it and do not get it.
        alarms: that get it and do not bear it.
    """

    name: str
    hits: int
    misses: int
    alarms: int


def label_counts(
    rows: Sequence[LabelCount], path: Path, *, heads: tuple[str, str, str], x: str, language: Language = "en"
) -> Path:
    """A row for each label, as PNG.

    Args:
        rows: from the top down.
        path: of the PNG.
        heads: what hits, misses and alarms are called.
        x: what is counted.
        language: of the numbers.
    """
    if not rows:
        raise InvalidSetting("a chart of labels has nothing to show", cure="Give at least one label.")
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    text = _LETTER * max(len(row.name) for row in rows)
    wide, tall = max(text + 5.6, 6.5), _ROW * len(rows) + 1.05
    figure = canvas(wide, tall)
    left = text + 0.35
    axes = figure.add_axes((left / wide, 0.5 / tall, (wide - left - 0.3) / wide, _ROW * len(rows) / tall))
    frame(axes, x=x)
    places = range(len(rows))
    hits = [row.hits for row in rows]
    axes.barh(places, hits, height=0.74, color=ACCENTS[0], linewidth=0)
    axes.barh(places, [row.misses for row in rows], left=hits, height=0.74, color=_MISSED, linewidth=0)
    axes.barh(places, [-row.alarms for row in rows], height=0.74, color=ACCENTS[1], linewidth=0)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(places, [row.name for row in rows], fontsize=8.5, color=INK, family="DejaVu Sans")
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(abs(value), language, 0)))
    legend(figure, heads, (ACCENTS[0], _MISSED, ACCENTS[1]), tall - 0.3)
    return publish(figure, path)
