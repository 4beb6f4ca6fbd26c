"""What probabilities are worth: said beside seen, one line for each way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.report.charts import square
from arpent.report.style import ACCENTS, FAINT, SOFT, canvas, publish

__all__ = ["ReliabilityLine", "reliabilities"]


@dataclass(frozen=True)
class ReliabilityLine:
    """Probabilities in bins of equal width.

    Attributes:
        pixels: ``(bins,)``, how many.
        said: ``(bins,)``, their mean probability; NaN in an empty bin.
        seen: ``(bins,)``, the share of them that came true; NaN in an empty bin.
    """

    pixels: NDArray[np.int64]
    said: NDArray[np.float64]
    seen: NDArray[np.float64]


def reliabilities(
    lines: Mapping[str, ReliabilityLine], path: Path, *, x: str, y: str, language: Language = "en"
) -> Path:
    """The diagram, and below it how often each probability is given, as PNG.

    Args:
        lines: by name, which stands in the legend.
        path: of the PNG.
        x: what was said.
        y: what was seen.
        language: of the numbers.
    """
    if not lines:
        raise InvalidSetting("a diagram of reliability has no line to show", cure="Give at least one.")
    figure = canvas(4.9, 5.4)
    axes = figure.add_axes((0.15, 0.32, 0.79, 0.64))
    square(axes, "", y, language)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1.5)
    below = figure.add_axes((0.15, 0.1, 0.79, 0.15))
    square(below, x, "", language)
    width = 0.9 / len(lines)
    for place, (name, one) in enumerate(lines.items()):
        colour, filled = ACCENTS[place % len(ACCENTS)], one.pixels > 0
        axes.plot(one.said[filled], one.seen[filled], color=colour, linewidth=1.8, marker="o", markersize=4, label=name)
        bins = one.pixels.size
        at = (np.arange(bins) + 0.05 + width * (place + 0.5)) / bins
        below.bar(at, one.pixels / one.pixels.sum(), width=width / bins, color=colour, linewidth=0)
    axes.legend(loc="upper left", frameon=False, labelcolor=SOFT, prop={"family": "DejaVu Sans", "size": 8})
    return publish(figure, path)
