"""Lines over a number that somebody chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.report.charts import draw_series
from arpent.report.style import SOFT, canvas, frame, publish

__all__ = ["lines"]


def lines(
    steps: Sequence[int],
    series: Mapping[str, Sequence[float]],
    path: Path,
    *,
    x: str,
    title: str = "",
    marked: int | None = None,
    language: Language = "en",
) -> Path:
    """Values over whole numbers, as PNG.

    Args:
        steps: the numbers, ascending.
        series: values by name, one per step; NaN leaves a gap.
        path: of the PNG.
        x: what the numbers are.
        title: above all.
        marked: the number that was chosen, where a line stands.
        language: of the numbers.
    """
    if not steps:
        raise InvalidSetting("a chart has no step to show", cure="Give at least one.")
    figure = canvas(5.4, 3.1)
    axes = figure.add_axes((0.1, 0.17, 0.68, 0.66))
    frame(axes, x=x, title=title)
    draw_series(axes, steps, series, language)
    if marked is not None:
        axes.axvline(marked, color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
    return publish(figure, path)
