"""Figures from arrays: maps with their legend, training curves, confusion matrices.

A map takes a `Raster`, never a file. What kind of map it is follows from what is given: class names make a class map,
three bands or more a colour picture, anything else a map of one quantity with its colour bar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from arpent.core import ClassMap, Language, Raster
from arpent.errors import InvalidSetting
from arpent.report.charts import draw_matrix, draw_series
from arpent.report.furniture import Box, colour_bar, colour_steps, entries_of, legend, north_arrow, scale_bar
from arpent.report.pictures import Rendered, Steps, rendered
from arpent.report.style import FAINT, SOFT, canvas, frame, publish, word, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Panel", "Steps", "compose", "confusion", "curves", "panels", "preview"]

_MAP_AREA = 20.0  # square inches of a lone map
_LONGEST = 8.0  # inches; longer sides are squeezed into it
_SHORTEST = 1.4  # inches; a scale bar needs that much
_GAP = 0.25
_MARGIN = 0.3


@dataclass(frozen=True)
class Panel:
    """One map of a figure.

    Attributes:
        raster: what it shows.
        title: above it.
        classes: what its numbers mean, for a class map.
        unit: of its values, for a map of one quantity.
        steps: its colours, where they have a meaning of their own; even ones from the least to the greatest if None.
        shares: of each class by its id, for a raster that is a thinned copy of a larger map; those of the raster itself
            if None.
        toned: whether its three bands of bytes are colours already, so that panels can be held against each other.
        head: of its column of shares in a legend of several maps, where its title is too long for one.
    """

    raster: Raster
    title: str = ""
    classes: ClassMap | None = None
    unit: str | None = None
    steps: Steps | None = None
    shares: Mapping[int, float] | None = None
    toned: bool = False
    head: str = ""


def preview(
    raster: Raster,
    path: Path,
    *,
    classes: ClassMap | None = None,
    unit: str | None = None,
    shares: Mapping[int, float] | None = None,
    title: str = "",
    language: Language = "en",
) -> Path:
    """A map with title, scale, north, and a legend with the share of each class or a colour bar, as PNG.

    See `Panel` for what is shown of it.
    """
    return panels([Panel(raster, "", classes, unit, shares=shares)], path, title=title, language=language)


def panels(shown: Sequence[Panel], path: Path, *, title: str = "", language: Language = "en") -> Path:
    """Maps side by side, of the same height, with one legend for all class maps, as PNG.

    Args:
        shown: from left to right ("image", "truth", "prediction").
        path: of the PNG.
        title: above all.
        language: of class names, numbers and words.
    """
    return publish(compose(shown, title, language), path)


def compose(shown: Sequence[Panel], title: str, language: Language) -> Figure:
    """The figure that `panels` writes."""
    if not shown:
        raise InvalidSetting("a figure has no map to show", cure="Give at least one panel.")
    pictures = [_rendered(panel) for panel in shown]
    height = _height(shown)
    above = _MARGIN + 0.1 + (0.32 if title else 0.0) + (0.26 if any(panel.title for panel in shown) else 0.0)
    below = 0.52
    boxes, right = [], _MARGIN
    for panel, picture in zip(shown, pictures, strict=True):
        box = Box(right, below, _width(panel, height), height)
        boxes.append(box)
        right = box.right + _GAP + (0.75 if picture.range else 0.0)
    classes = _nomenclature(shown)
    heads = [panel.head or panel.title for panel in shown if panel.classes]
    entries = entries_of([p for p, panel in zip(pictures, shown, strict=True) if panel.classes], classes, language)
    side = _legend_width([entry.label for entry in entries], len(heads)) if entries else 0.0
    tall = max(height, 0.24 * (len(entries) + (len(heads) > 1)))
    boxes = [Box(box.left, below + tall - height, box.width, height) for box in boxes]
    figure = canvas(right + side + (_MARGIN - _GAP if not side else _MARGIN), tall + below + above)
    if title:
        write(figure, _MARGIN, tall + below + above - _MARGIN - 0.12, title, size=12, bold=True)
    for panel, picture, box in zip(shown, pictures, boxes, strict=True):
        _draw(figure, box, panel, picture, language)
    if entries:
        legend(figure, Box(right, below, side, tall), entries, heads)
    return figure


def _rendered(panel: Panel) -> Rendered:
    picture = rendered(panel.raster, panel.classes, panel.steps, toned=panel.toned)
    if panel.classes is None or not panel.shares:
        return picture
    return replace(picture, shares=dict(panel.shares))


def _nomenclature(shown: Sequence[Panel]) -> ClassMap | None:
    """The one nomenclature of all class maps of a figure, for they share a legend."""
    found = [panel.classes for panel in shown if panel.classes]
    if any(classes != found[0] for classes in found):
        raise InvalidSetting(
            "the maps of a figure use different nomenclatures",
            found=", ".join(classes.name for classes in found),
            cure="Draw a figure for each, or bring them to one nomenclature.",
        )
    return found[0] if found else None


def _height(shown: Sequence[Panel]) -> float:
    """Inches of height that give the maps about the same area whatever their shape."""
    aspects = [panel.raster.grid.width / panel.raster.grid.height for panel in shown]
    area = _MAP_AREA if len(shown) == 1 else 0.6 * _MAP_AREA
    height = math.sqrt(area * len(shown) / sum(aspects))
    return min(max(height, _SHORTEST), _LONGEST)


def _width(panel: Panel, height: float) -> float:
    return min(max(height * panel.raster.grid.width / panel.raster.grid.height, _SHORTEST), 2 * _LONGEST)


def _legend_width(labels: Sequence[str], columns: int) -> float:
    return 0.28 + 0.073 * max(len(label) for label in labels) + 0.78 * max(columns, 1)


def _draw(figure: Figure, box: Box, panel: Panel, picture: Rendered, language: Language) -> None:
    """One map with what belongs to it alone."""
    wide, tall = figure.get_size_inches()
    axes = figure.add_axes((box.left / wide, box.bottom / tall, box.width / wide, box.height / tall))
    axes.set_facecolor("#f1f4f5")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    smooth = panel.classes is None and max(picture.rgba.shape) > 64
    axes.imshow(picture.rgba, aspect="auto", interpolation="antialiased" if smooth else "nearest")
    if not picture.rgba[..., 3].any():
        middle = box.left + box.width / 2
        write(figure, middle, box.bottom + box.height / 2, word("nothing", language), colour=SOFT, anchor="center")
    if panel.title:
        write(figure, box.left, box.top + 0.1, panel.title, size=9.5)
    scale_bar(figure, box, panel.raster.grid, language)
    north_arrow(figure, box, panel.raster.grid, language)
    if picture.range:
        bar = Box(box.right + 0.14, box.bottom, 0.17, box.height - (0.3 if panel.unit else 0.0))
        if panel.steps is None:
            colour_bar(figure, bar, picture.range, panel.unit, language)
        else:
            colour_steps(figure, bar, panel.steps, panel.unit, language)


def curves(history: Sequence[Mapping[str, Any]], path: Path, *, language: Language = "en") -> Path:
    """Losses and validation figures of a training over its epochs, as PNG.

    Args:
        history: one entry per epoch, with ``number``, ``train_loss`` and ``validation``, a mapping that may hold
            ``loss`` beside figures between 0 and 1; those of single classes ("iou/water") are left out.
        path: of the PNG.
        language: of the words.
    """
    if not history:
        raise InvalidSetting("a training without epochs has no curves", cure="Train for one epoch at least.")
    steps = [int(entry["number"]) for entry in history]
    losses = {word("train_loss", language): [float(entry["train_loss"]) for entry in history]}
    names = sorted({name for entry in history for name in entry.get("validation", {}) if "/" not in name})
    figures = {name: [_finite(entry.get("validation", {}).get(name)) for entry in history] for name in names}
    if "loss" in figures:
        losses[word("validation_loss", language)] = figures.pop("loss")
    charts = 2 if figures else 1
    figure = canvas(4.6 * charts, 3.1)
    for place, series in enumerate((losses, figures)[:charts]):
        axes = figure.add_axes(((0.12 + place) / charts, 0.17, 0.67 / charts, 0.66))
        frame(axes, x=word("epoch", language), title=word("metrics" if place else "loss", language).capitalize())
        draw_series(axes, steps, series, language, peak="miou" if place else None)
    return publish(figure, path)


def _finite(value: Any) -> float:  # noqa: ANN401 - whatever the history holds
    return float(value) if value is not None else math.nan


def confusion(matrix: ArrayLike, classes: ClassMap, path: Path, *, language: Language = "en") -> Path:
    """A confusion matrix, each row in per cent of its truth, as PNG.

    Args:
        matrix: ``(truth, predicted)`` counts or areas, in the order of the classes.
        classes: names of rows and columns.
        path: of the PNG.
        language: of the names.
    """
    counts = np.asarray(matrix, np.float64)
    if counts.shape != (len(classes), len(classes)):
        raise InvalidSetting(
            "a confusion matrix does not fit its classes",
            found=counts.shape,
            expected=f"{len(classes)} rows and columns",
            cure="Give the matrix of the same nomenclature.",
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    labels = classes.labels(language)
    text = 0.075 * max(len(label) for label in labels)
    grid = max(0.36 * len(classes), 1.6)
    wide, tall = text + grid + 0.85, grid + 0.75 * text + 0.85
    figure = canvas(wide, tall)
    axes = figure.add_axes(((text + 0.55) / wide, (0.75 * text + 0.5) / tall, grid / wide, grid / tall))
    draw_matrix(axes, shares, labels, language)
    axes.set_xlabel(f"{word('predicted', language)}, %", fontsize=8.5, color=SOFT)
    axes.set_ylabel(word("truth", language), fontsize=8.5, color=SOFT)
    return publish(figure, path)
