"""Figures of a study that compares several ways over the same classes: bars, curves of learning, and example tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Language, Raster
from arpent.errors import InvalidSetting
from arpent.language import number
from arpent.report.charts import draw_lines
from arpent.report.legend import LINE, legend, legend_lines
from arpent.report.pictures import rendered
from arpent.report.style import FAINT, INK, PAPER, SOFT, STUDY, canvas, frame, publish, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Course", "Tile", "class_bars", "courses", "tiles"]

_BAR = 0.115  # inches
_TEXT = 0.075  # inches of a letter of a class


@dataclass(frozen=True)
class Course:
    """One training, as a line.

    Attributes:
        steps: where the values were measured, ascending.
        values: between 0 and 1; NaN leaves a gap.
        chosen: the step that was kept; None for none.
    """

    steps: Sequence[float]
    values: Sequence[float]
    chosen: float | None = None


@dataclass(frozen=True)
class Tile:
    """One place of the examples.

    Attributes:
        image: of the place.
        maps: of it on the same pixels, by the name of their column.
        toned: whether the image is three bands of bytes that are colours already.
    """

    image: Raster
    maps: Mapping[str, Raster]
    toned: bool = False


def _colour(place: int) -> str:
    return STUDY[place % len(STUDY)]


def class_bars(
    values: Mapping[str, Sequence[float]],
    classes: ClassMap,
    path: Path,
    *,
    x: str,
    shown: Sequence[int] | None = None,
    language: Language = "en",
) -> Path:
    """A group of bars for each class, one bar for each way, as PNG.

    Args:
        values: between 0 and 1 by the name of the way, each in the order of the classes; NaN draws no bar.
        classes: the nomenclature.
        path: of the PNG.
        x: what the bars measure.
        shown: indices of the classes to show, from top to bottom; all if not given.
        language: of names and numbers.
    """
    chosen = list(range(len(classes))) if shown is None else list(shown)
    if not values or not chosen:
        raise InvalidSetting("a chart by class has nothing to show", cure="Give at least one way and one class.")
    labels = classes.labels(language)
    text = _TEXT * max(len(labels[place]) for place in chosen)
    group = len(values) * _BAR + 0.13
    rows = legend_lines(list(values), 8.2)
    above, below = 0.3 + LINE * rows, 0.55
    wide, tall = 8.6, above + below + group * len(chosen)
    figure = canvas(wide, tall)
    left = text + 0.45
    axes = figure.add_axes((left / wide, below / tall, (wide - left - 0.5) / wide, group * len(chosen) / tall))
    frame(axes, x=x)
    for place, series in enumerate(values.values()):
        at = [row * group + 0.065 + (place + 0.5) * _BAR for row in range(len(chosen))]
        lengths = [_length(series[index]) for index in chosen]
        axes.barh(at, lengths, height=0.86 * _BAR, color=_colour(place), linewidth=0)
        for height, index in zip(at, chosen, strict=True):
            if math.isfinite(series[index]):
                told = number(100 * series[index], language, 0)
                axes.text(series[index] + 0.006, height, told, va="center", fontsize=5.8, color=SOFT)
    axes.set_ylim(len(chosen) * group, 0)
    axes.set_xlim(0, 1)
    axes.set_yticks([(row + 0.5) * group for row in range(len(chosen))], [labels[index] for index in chosen])
    axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.8)
    _in_percent(axes.xaxis, language)
    legend(figure, list(values), [_colour(place) for place in range(len(values))], tall - 0.3)
    return publish(figure, path)


def _length(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _in_percent(axis: Any, language: Language) -> None:  # noqa: ANN401 - an axis of matplotlib
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: number(100 * value, language, 0)))


def courses(
    series: Mapping[str, Course],
    path: Path,
    *,
    x: str,
    y: str,
    language: Language = "en",
    first: int = 0,
    whole: bool = True,
) -> Path:
    """Trainings of different lengths over their epochs, or scores over a budget, as PNG.

    Args:
        series: by name, which stands in the legend.
        path: of the PNG.
        x: what the steps are.
        y: what is measured, between 0 and 1.
        language: of the numbers.
        first: colour of the first line, so that a way has one colour in all charts of a page.
        whole: whether steps are whole numbers.
    """
    if not any(len(course.steps) for course in series.values()):
        raise InvalidSetting("a chart of trainings has no step to show", cure="Give at least one epoch.")
    names = list(series)
    rows = legend_lines(names, 8.2)
    wide, tall = 8.6, 3.4 + LINE * rows
    figure = canvas(wide, tall)
    axes = figure.add_axes((0.72 / wide, 0.55 / tall, (wide - 1.1) / wide, 2.6 / tall))
    frame(axes, x=x, y=y)
    for place, course in enumerate(series.values()):
        _draw(axes, course, _colour(first + place))
    draw_lines(axes, language, whole=whole)
    _in_percent(axes.yaxis, language)
    legend(figure, names, [_colour(first + place) for place in range(len(names))], tall - 0.3)
    return publish(figure, path)


def _draw(axes: Axes, course: Course, colour: str) -> None:
    few = len(course.steps) <= 8
    axes.plot(course.steps, course.values, color=colour, linewidth=1.7, marker="o" if few else None, markersize=4)
    if course.chosen is not None and course.chosen in course.steps:
        at = list(course.steps).index(course.chosen)
        axes.plot(
            course.steps[at], course.values[at], marker="o", markersize=7, color=colour, markeredgecolor=PAPER, zorder=5
        )


def tiles(
    shown: Sequence[Tile], classes: ClassMap, path: Path, *, image: str, language: Language = "en", across: int = 4
) -> Path:
    """Examples: for each place its image and the maps of it, with one legend for all, as PNG.

    Args:
        shown: places with the same columns.
        classes: nomenclature of all maps.
        path: of the PNG.
        image: title of the image's column.
        language: of class names.
        across: maps side by side, the image included; more go to a second line.
    """
    if not shown:
        raise InvalidSetting("there is no example to show", cure="Give at least one.")
    titles = [image, *shown[0].maps]
    across = min(across, len(titles))
    lines = -(-len(titles) // across)
    wide, gap, head, between = 8.6, 0.09, 0.24, 0.22
    side = (wide - 0.4 - gap * (across - 1)) / across
    found = sorted({int(i) for tile in shown for one in tile.maps.values() for i in np.unique(one.pixels[0])})
    entries = [classes.by_id(i) for i in found if classes.index_of_id[i] >= 0]
    names = [entry.label(language) for entry in entries]
    legend_rows = legend_lines(names, wide - 0.4)
    tall = 0.2 + len(shown) * (lines * (side + head) + between) + LINE * legend_rows + 0.1
    figure = canvas(wide, tall)
    top = tall - 0.1
    for tile in shown:
        for place, (title, raster) in enumerate([(image, tile.image), *tile.maps.items()]):
            left = 0.2 + (place % across) * (side + gap)
            upper = top - (place // across) * (side + head)
            picture = rendered(raster, classes) if place else rendered(raster, None, toned=tile.toned)
            _tile(figure, (left, upper - head - side, side), title, picture.rgba, smooth=not place)
        top -= lines * (side + head) + between
    legend(figure, names, [entry.colour for entry in entries], LINE * legend_rows - 0.08)
    return publish(figure, path)


def _tile(
    figure: Figure, box: tuple[float, float, float], title: str, rgba: NDArray[np.uint8], *, smooth: bool
) -> None:
    """One small map; `box` is its left, its bottom and its side in inches."""
    wide, tall = figure.get_size_inches()
    left, bottom, side = box
    axes = figure.add_axes((left / wide, bottom / tall, side / wide, side / tall))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    axes.imshow(rgba, aspect="auto", interpolation="antialiased" if smooth else "nearest")
    write(figure, left, bottom + side + 0.06, title, size=8)
