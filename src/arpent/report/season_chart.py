"""A season as a chart: indices of a parcel over its dates, days under cloud as hollow points."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number, say
from arpent.report.label_places import Label, place_labels
from arpent.report.style import ACCENTS, PAPER, SOFT, canvas, frame, publish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SeasonLine", "season_chart"]

_FAMILY = "DejaVu Sans"
_VALUE_SIZE = 7.5
"""Points of the type of values."""
_NAME_GAP = 9
"""Points between the end of a line and its name."""
_COLOURS = (ACCENTS[2], ACCENTS[0], *ACCENTS[3:])
"""Green for the first index, which is one of vegetation, blue for the second, which is one of water."""
_MONTHS = 100
"""Days from which on ticks name months instead of days."""

Point = tuple[dt.date, float]


@dataclass(frozen=True)
class SeasonLine:
    """An index over a season.

    Attributes:
        name: "NDVI".
        points: days on which enough was seen, in order.
        hidden: days on which too little was, with the value that came out all the same.
        marked: points of the line whose value is written beside them.
    """

    name: str
    points: Sequence[Point]
    hidden: Sequence[Point] = ()
    marked: Sequence[Point] = ()


def season_chart(
    lines: Sequence[SeasonLine], path: Path, *, title: str = "", language: Language = "en", small: bool = False
) -> Path:
    """Indices over days, as PNG.

    Args:
        lines: one or more.
        path: of the PNG.
        title: above all.
        language: of numbers and words.
        small: for an overview: half the size.
    """
    days = [day for line in lines for day, _ in (*line.points, *line.hidden)]
    if not days:
        raise InvalidSetting("a chart of a season has no day to show", cure="Give at least one point.")
    figure = canvas(*((4.2, 2.4) if small else (7.2, 3.3)))
    axes = figure.add_axes((0.09, 0.16, 0.78, 0.66) if not small else (0.13, 0.2, 0.7, 0.58))
    frame(axes, title=title)
    for place, line in enumerate(lines):
        _draw(axes, line, _COLOURS[place % len(_COLOURS)])
    _scale(axes, lines, days, language)
    _mark(axes, lines, _name(axes, lines), language)
    if any(line.hidden for line in lines):
        words: dict[str, Any] = {"fontsize": 7.5, "color": SOFT, "family": _FAMILY}
        figure.text(0.99, 0.9, f"○ {say('season.hidden', language)}", ha="right", **words)
    return publish(figure, path)


def _draw(axes: Axes, line: SeasonLine, colour: str) -> None:
    """A line with its points and its hollow ones."""
    if line.points:
        days, values = zip(*line.points, strict=True)
        axes.plot(days, values, color=colour, linewidth=1.6, marker="o", markersize=4, clip_on=False)
    if line.hidden:
        days, values = zip(*line.hidden, strict=True)
        style: dict[str, Any] = {"marker": "o", "markersize": 5, "markerfacecolor": PAPER, "markeredgecolor": colour}
        axes.plot(days, values, linestyle="none", markeredgewidth=1.1, clip_on=False, **style)


def _mark(axes: Axes, lines: Sequence[SeasonLine], names: Sequence[NDArray[np.float64]], language: Language) -> None:
    """The values of turns, where they cover neither lines nor `names`."""
    from matplotlib.patheffects import withStroke

    drawn = [*names, *(_pixels(axes, line.points) for line in lines)]
    drawn += [_pixels(axes, [point]) for line in lines for point in line.hidden]
    marks = [
        (line, point, _COLOURS[place % len(_COLOURS)]) for place, line in enumerate(lines) for point in line.marked
    ]
    labels = []
    for line, (day, value), _ in marks:
        above = value >= max((near for _, near in _beside(line.points, day)), default=value)
        x, y = _pixels(axes, [(day, value)])[0]
        labels.append(Label(x, y, number(value, language, 2), above))
    offsets = place_labels(axes, labels, drawn, _VALUE_SIZE)
    for (_, point, colour), label, offset in zip(marks, labels, offsets, strict=True):
        axes.annotate(
            label.text,
            point,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_VALUE_SIZE,
            color=colour,
            family=_FAMILY,
            path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],  # no ruled line runs through a number
        )


def _pixels(axes: Axes, points: Sequence[Point]) -> NDArray[np.float64]:
    """Where points lie in the figure, ``(points, 2)``."""
    from matplotlib.dates import date2num

    if not points:
        return np.empty((0, 2))
    places = [(date2num(day), value) for day, value in points]  # type: ignore[no-untyped-call]
    return np.asarray(axes.transData.transform(places), np.float64)


def _name(axes: Axes, lines: Sequence[SeasonLine]) -> list[NDArray[np.float64]]:
    """Names at the ends of the lines, pushed apart where they would touch; where they stand, in pixels."""
    low, high = axes.get_ylim()
    ends = [(line.points or line.hidden)[-1] if line.points or line.hidden else None for line in lines]
    last = max(end[0] for end in ends if end is not None)
    y, stand = -math.inf, []
    for end, place in sorted((end[1], place) for place, end in enumerate(ends) if end is not None):
        y = max(end, y + 0.075 * (high - low))
        axes.annotate(
            lines[place].name,
            (last, y),
            xytext=(_NAME_GAP, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=_COLOURS[place % len(_COLOURS)],
            family=_FAMILY,
            fontweight="bold",
            annotation_clip=False,
        )
        left, middle = _pixels(axes, [(last, y)])[0]
        left += _NAME_GAP * axes.figure.dpi / 72
        stand += [np.array([(left, middle + up), (left + 60, middle + up)]) for up in (-6, 0, 6)]
    return stand


def _beside(points: Sequence[Point], day: dt.date) -> list[Point]:
    """The points next to that of a day."""
    days = [one for one, _ in points]
    place = days.index(day) if day in days else 0
    return [points[near] for near in (place - 1, place + 1) if 0 <= near < len(points)]


def _scale(axes: Axes, lines: Sequence[SeasonLine], days: Sequence[dt.date], language: Language) -> None:
    """Room around the lines, few ticks, and days as months where there are many."""
    from matplotlib.dates import AutoDateLocator, num2date
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = [value for line in lines for _, value in (*line.points, *line.hidden)]
    room = max(0.12 * (max(values) - min(values)), 0.06)
    axes.set_ylim(min(values) - room, max(values) + room)
    span = max((max(days) - min(days)).days, 10)
    edge = dt.timedelta(days=0.03 * span)
    first, last = (dt.datetime.combine(day, dt.time()) for day in (min(days), max(days)))
    axes.set_xlim(first - edge, last + edge)  # type: ignore[arg-type]  # dates are fine
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=8))  # type: ignore[no-untyped-call]
    form = "%Y-%m" if span >= _MONTHS else "%Y-%m-%d"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: str(num2date(place).strftime(form))))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, 1)))
