"""One look for every figure: sizes, colours, words, and bytes that depend on the content alone.

Figures are made with matplotlib's objects and its Agg canvas. Nothing here touches pyplot or the global settings, so
threads may draw at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from arpent.core import Language, write_file

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = [
    "ACCENTS",
    "DPI",
    "FAINT",
    "INK",
    "PAPER",
    "SOFT",
    "STUDY",
    "canvas",
    "decimals_of",
    "frame",
    "publish",
    "word",
    "write",
]

INK: Final = "#1f2a30"
"""Text and axes."""
SOFT: Final = "#5d6b73"
"""Secondary text."""
FAINT: Final = "#dfe5e8"
"""Grid lines."""
PAPER: Final = "#ffffff"
"""Background."""
ACCENTS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
"""Lines. The palette of Okabe and Ito (2008), which all kinds of colour vision tell apart."""
STUDY: Final = ("#b9c4ca", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d")
"""Ways that are compared: what all are held against first, in grey, then the accents."""

DPI: Final = 150
"""Pixels per inch of every figure."""
_FAMILY = "DejaVu Sans"  # comes with matplotlib: the same on every machine, with French and typographic spaces

_WORDS: Mapping[str, Mapping[Language, str]] = {
    "epoch": {"en": "epoch", "fr": "époque"},
    "false_alarms": {"en": "false alarms", "fr": "fausses alarmes"},
    "loss": {"en": "loss", "fr": "perte"},
    "metrics": {"en": "validation", "fr": "validation"},
    "nothing": {"en": "no data", "fr": "aucune donnée"},
    "north": {"en": "N", "fr": "N"},
    "precision": {"en": "precision", "fr": "précision"},
    "predicted": {"en": "predicted", "fr": "prédit"},
    "recall": {"en": "recall", "fr": "rappel"},
    "said": {"en": "probability given", "fr": "probabilité donnée"},
    "seen": {"en": "share that changed", "fr": "part qui a changé"},
    "train_loss": {"en": "training", "fr": "entraînement"},
    "truth": {"en": "truth", "fr": "vérité"},
    "validation_loss": {"en": "validation", "fr": "validation"},
}


def word(key: str, language: Language) -> str:
    """A word that figures need."""
    return _WORDS[key][language]


def canvas(width: float, height: float) -> Figure:
    """An empty figure of that many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from arpent.report.sheet import Sheet

    figure = Sheet(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 9.0,
    colour: str = INK,
    anchor: Literal["left", "center", "right"] = "left",
    bold: bool = False,
) -> None:
    """Puts text at a place given in inches from the lower left corner; `y` is its base line."""
    wide, tall = figure.get_size_inches()
    figure.text(
        x / wide,
        y / tall,
        _plain(text),
        fontsize=size,
        color=colour,
        ha=anchor,
        va="baseline",
        family=_FAMILY,
        fontweight="bold" if bold else "normal",
    )


def _plain(text: str) -> str:
    """The text with dollar signs that mean dollars: matplotlib takes a pair of them for a formula."""
    return text.replace("$", r"\$")


def frame(axes: Axes, *, x: str = "", y: str = "", title: str = "") -> None:
    """Gives a chart the house's axes: no box, faint lines, quiet labels."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelsize=8, length=0, labelfontfamily=_FAMILY)
    words: dict[str, Any] = {"fontsize": 8.5, "color": SOFT, "family": _FAMILY}
    axes.set_xlabel(_plain(x), **words)
    axes.set_ylabel(_plain(y), **words)
    axes.set_title(_plain(title), fontsize=10, color=INK, family=_FAMILY, fontweight="bold", loc="left", pad=10)


def decimals_of(ticks: NDArray[np.float64]) -> int:
    """Decimals that tell the evenly spaced ticks of an axis apart, no more."""
    step = abs(float(ticks[1] - ticks[0])) if len(ticks) > 1 else 1.0
    return max(0, -math.floor(math.log10(step) + 1e-9))  # the logarithm of 0.01 may lie just below -2


def publish(figure: Figure, path: Path) -> Path:
    """Writes the figure as PNG, whole or not at all."""
    from arpent.report.sheet import png_of

    return write_file(path, png_of(figure))
