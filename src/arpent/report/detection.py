"""How well something is found, in three charts: precision over recall, ROC, and what probabilities are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.report.charts import square
from arpent.report.style import ACCENTS, FAINT, PAPER, SOFT, canvas, publish, word

__all__ = ["DetectionLine", "detection"]

_LEAST = 0.01
"""Recall from which on there is a precision to speak of."""


@dataclass(frozen=True)
class DetectionLine:
    """One way of finding, as curves from its strictest threshold to its most lenient.

    Attributes:
        name: in the legend.
        recall: ``(n,)``, 0 … 1.
        precision: ``(n,)``.
        false_alarms: ``(n,)``, share of the negatives that is reported.
        chosen: recall and precision at the threshold in use; None for none.
    """

    name: str
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    chosen: tuple[float, float] | None = None


def detection(
    lines: Sequence[DetectionLine],
    path: Path,
    *,
    reliability: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    language: Language = "en",
) -> Path:
    """The charts as PNG; the third one only where probabilities are given.

    Args:
        lines: the first is the one that matters.
        path: of the PNG.
        reliability: probabilities said, and the shares seen, per bin; NaN in empty ones.
        language: of the words.
    """
    charts = 2 if reliability is None else 3
    figure = canvas(3.7 * charts, 3.5)
    places = [((0.17 + place) / charts, 0.17, 0.74 / charts, 0.78) for place in range(charts)]
    precise, roc, *rest = (figure.add_axes(place) for place in places)
    square(precise, word("recall", language), word("precision", language), language)
    square(roc, word("false_alarms", language), word("recall", language), language)
    for colour, line in zip(ACCENTS, lines, strict=False):
        style: dict[str, Any] = {"color": colour, "linewidth": 1.8, "label": line.name, "clip_on": False}
        precise.plot(*_steps(line), drawstyle="steps-pre", **style)
        roc.plot(np.append(0, line.false_alarms), np.append(0, line.recall), **style)
        if line.chosen is not None:
            precise.plot(*line.chosen, marker="o", markersize=6, color=colour, markeredgecolor=PAPER, clip_on=False)
    # Curves of detection leave the lower left of the one and the lower right of the other free.
    roc.legend(loc="lower right", frameon=False, fontsize=8, labelcolor=SOFT, prop={"family": "DejaVu Sans", "size": 8})
    if reliability is not None:
        said, seen = reliability
        square(rest[0], word("said", language), word("seen", language), language)
        rest[0].plot([0, 1], [0, 1], color=FAINT, linewidth=1.5)
        filled = np.isfinite(said)
        rest[0].plot(
            said[filled], seen[filled], color=ACCENTS[0], linewidth=1.8, marker="o", markersize=4, clip_on=False
        )
    return publish(figure, path)


def _steps(line: DetectionLine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and precision, as steps to be drawn: what is found between two thresholds has the precision of the second.

    A slope would promise what no threshold gives. The first few pixels found say nothing of precision, and are left
    out.
    """
    told = line.recall >= _LEAST
    recall, precision = line.recall[told], line.precision[told]
    return np.append(0, recall), np.append(precision[:1], precision) if told.any() else np.zeros(1)
