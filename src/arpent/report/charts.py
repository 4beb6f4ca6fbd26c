"""Charts: series over epochs, confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.language import number
from arpent.report.style import ACCENTS, INK, PAPER, SOFT, decimals_of, frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_lines", "draw_matrix", "draw_series", "square"]

_NAMES = {
    "average_precision": "AP",
    "cosine_f1": "F1, cosine",
    "f1": "F1",
    "iou": "IoU",
    "miou": "mIoU",
    "oa": "OA",
}


def draw_series(
    axes: Axes,
    steps: Sequence[int],
    series: Mapping[str, Sequence[float]],
    language: Language,
    *,
    peak: str | None = None,
) -> None:
    """Lines over epochs, each with its name at its end.

    Args:
        axes: framed already.
        steps: numbers of the epochs.
        series: values by name; NaN leaves a gap.
        language: of the numbers.
        peak: the series whose greatest value is marked.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    lone = len(steps) == 1
    ends: dict[str, float] = {}
    for place, (name, values) in enumerate(series.items()):
        colour = ACCENTS[place % len(ACCENTS)]
        axes.plot(steps, values, color=colour, linewidth=1.8, marker="o" if lone else None, label=name, clip_on=False)
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            ends[name] = finite[-1]
    if peak is not None and np.isfinite(series.get(peak, [math.nan])).any():
        best = int(np.nanargmax(series[peak]))
        colour = ACCENTS[list(series).index(peak) % len(ACCENTS)]
        axes.plot(steps[best], series[peak][best], marker="o", markersize=6, color=colour, markeredgecolor=PAPER)
    axes.set_xlim(steps[0] - 0.5, steps[-1] + 0.5)
    if len(steps) <= 8:
        axes.set_xticks(list(steps))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    decimals = decimals_of(axes.get_yticks())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, decimals)))
    _name_ends(axes, steps[-1], series, ends)


def draw_lines(axes: Axes, language: Language, *, whole: bool) -> None:
    """Ticks for lines over a number: few of them, and whole where the number is.

    Args:
        axes: with their lines.
        language: of the numbers.
        whole: whether the number is a whole one.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=whole, steps=[1, 2, 5, 10]))
    decimals = decimals_of(axes.get_xticks())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, decimals)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))


def _name_ends(axes: Axes, last: int, series: Mapping[str, Sequence[float]], ends: Mapping[str, float]) -> None:
    """Names to the right of the ends of the lines, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    gap = 0.075 * (high - low)
    y = -math.inf
    for name, value in sorted(ends.items(), key=lambda item: item[1]):
        y = max(value, y + gap)
        colour = ACCENTS[list(series).index(name) % len(ACCENTS)]
        axes.annotate(
            _NAMES.get(name, name),
            (last, y),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
            family="DejaVu Sans",
            annotation_clip=False,
        )
    axes.set_ylim(low, high)


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array(tuple(bytes.fromhex(colour[1:])), np.float64)


def draw_matrix(axes: Axes, shares: NDArray[np.float64], labels: Sequence[str], language: Language) -> None:
    """A matrix of shares per row, 0 … 1, each cell with its percentage: hits blue, errors orange.

    Rows of NaN, classes that the truth lacks, stay grey.

    Args:
        axes: empty.
        shares: ``(truth, predicted)``.
        labels: of the classes.
        language: of the numbers.
    """
    count = len(labels)
    right = np.eye(count, dtype=bool)[..., None]
    weight = np.sqrt(np.nan_to_num(shares))[..., None]  # the root makes rare errors visible
    inks = np.where(right, _rgb(ACCENTS[0]), _rgb(ACCENTS[1]))
    colours = np.rint(255.0 + weight * (inks - 255.0)).astype(np.uint8)
    colours[~np.isfinite(shares)] = 244
    axes.imshow(colours, interpolation="nearest")
    for row in range(count):
        for col in range(count):
            share = shares[row, col]
            if math.isfinite(share) and share >= 0.005:
                text = number(100.0 * share, language, 0)
                colour = INK if share < 0.3 else PAPER
                axes.text(col, row, text, ha="center", va="center", fontsize=7, color=colour, family="DejaVu Sans")
    frame(axes)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks(range(count), labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=8, color=INK)
    axes.set_yticks(range(count), labels, fontsize=8, color=INK)
    axes.set_xticks(np.arange(-0.5, count), minor=True)
    axes.set_yticks(np.arange(-0.5, count), minor=True)
    axes.grid(visible=True, which="minor", color=PAPER, linewidth=1.2)
    axes.tick_params(which="both", length=0, colors=SOFT, labelcolor=INK)


def square(axes: Axes, x: str, y: str, language: Language) -> None:
    """Axes from 0 to 1 both ways."""
    from matplotlib.ticker import FuncFormatter

    frame(axes, x=x, y=y)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, 1)))
