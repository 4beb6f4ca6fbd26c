"""How the values of each band are spread: one hill per band, with its mean and its tails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number, say
from arpent.report.style import ACCENTS, FAINT, INK, SOFT, canvas, frame, publish, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BandHill", "histograms"]

_COLOURS = {"red": "#c0392b", "green": "#2e8b57", "blue": "#2c6fbb", "nir": "#7a1f3d", "panchromatic": "#4d4d4d"}
_WIDTH, _HEIGHT, _MARGIN, _GAP = 6.4, 0.78, 0.62, 0.16


@dataclass(frozen=True)
class BandHill:
    """The values of one band.

    Attributes:
        name: of the band.
        edges: ``(n + 1,)`` ascending ends of the bars, the same for all bands of a figure.
        counts: ``(n,)`` pixels in each bar.
        mean: of all values.
        low: value below which the lower tail lies.
        high: value above which the upper tail lies.
    """

    name: str
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    mean: float
    low: float
    high: float


def histograms(bands: Sequence[BandHill], path: Path, *, title: str = "", language: Language = "en") -> Path:
    """Draws the bands below each other on one axis of values, as PNG: the tails pale, the mean a line.

    Each hill has its own height, since what is compared is where values lie and how far they spread.
    """
    if not bands:
        raise InvalidSetting("a histogram has no band to show", cure="Give at least one.")
    top = 0.5 if title else 0.15
    height = top + len(bands) * (_HEIGHT + _GAP) + _MARGIN
    figure = canvas(_WIDTH, height)
    if title:
        write(figure, 0.25, height - 0.32, title, size=11, bold=True)
    for place, band in enumerate(bands):
        bottom = height - top - (place + 1) * (_HEIGHT + _GAP)
        axes = figure.add_axes((1.45 / _WIDTH, bottom / height, (_WIDTH - 1.75) / _WIDTH, _HEIGHT / height))
        last = place + 1 == len(bands)
        _draw(axes, band, _COLOURS.get(band.name.casefold(), ACCENTS[place % len(ACCENTS)]), language, last=last)
        write(figure, 0.25, bottom + 0.42, band.name, size=9.5, bold=True)
        write(
            figure,
            0.25,
            bottom + 0.2,
            f"{say('stats.mean', language)} {number(band.mean, language)}",
            size=8.5,
            colour=SOFT,
        )
    return publish(figure, path)


def _draw(axes: Axes, band: BandHill, colour: str, language: Language, *, last: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    frame(axes)
    axes.grid(visible=False)
    heights = band.counts / max(int(band.counts.max()), 1)
    axes.stairs(heights, band.edges, fill=True, color=colour, alpha=0.28, linewidth=0)
    middles = (band.edges[:-1] + band.edges[1:]) / 2
    body = np.where((middles >= band.low) & (middles <= band.high), heights, 0)
    axes.stairs(body, band.edges, fill=True, color=colour, alpha=0.62, linewidth=0)
    axes.stairs(heights, band.edges, color=colour, linewidth=1.0)
    axes.axvline(band.mean, color=INK, linewidth=1.0, ymax=0.98)
    axes.set_xlim(float(band.edges[0]), float(band.edges[-1]))
    axes.set_ylim(0, 1.08)
    axes.set_yticks([])
    axes.spines["bottom"].set_color(SOFT if last else FAINT)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language)))
    if not last:
        axes.set_xticklabels([])
