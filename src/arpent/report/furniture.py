"""What stands around a map: legend, colour bar, scale bar, north arrow. Places and sizes are in inches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arpent.core import ClassMap, Grid, Language, ground_sampling_distance
from arpent.language import length, number, percent
from arpent.report.pictures import Range, Rendered, Steps, ramp
from arpent.report.style import INK, SOFT, word, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Box", "Entry", "colour_bar", "colour_steps", "entries_of", "legend", "north_arrow", "scale_bar"]

_LINE = 0.235  # from one line of a legend to the next
_LEAST_SHOWN = 0.001  # smaller shares are shown as "less than"


@dataclass(frozen=True)
class Box:
    """A rectangle on the figure."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def top(self) -> float:
        """Its upper side."""
        return self.bottom + self.height

    @property
    def right(self) -> float:
        """Its right side."""
        return self.left + self.width


@dataclass(frozen=True)
class Entry:
    """A line of a legend."""

    colour: str
    label: str
    shares: tuple[str, ...]


def entries_of(pictures: Sequence[Rendered], classes: ClassMap | None, language: Language) -> list[Entry]:
    """The classes that any of the pictures shows, the largest first, with their share in each."""
    if classes is None:
        return []

    def told(share: float) -> str:
        if share == 0.0:
            return "–"
        if share < _LEAST_SHOWN:
            return f"< {percent(_LEAST_SHOWN, language)}"
        return percent(share, language)

    found = {number for picture in pictures for number in picture.shares}
    order = sorted(found, key=lambda number: (-max(p.shares.get(number, 0.0) for p in pictures), number))
    return [
        Entry(
            classes.by_id(number).colour,
            _capital(classes.by_id(number).label(language)),
            tuple(told(picture.shares.get(number, 0.0)) for picture in pictures),
        )
        for number in order
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def legend(figure: Figure, box: Box, entries: Sequence[Entry], heads: Sequence[str]) -> None:
    """Colours, names and shares, from the top of the box down; `heads` name the columns of shares."""
    from matplotlib.patches import Rectangle

    wide, tall = figure.get_size_inches()
    column = 0.78
    y = box.top - 0.13
    if len(heads) > 1:
        for place, head in enumerate(heads):
            right = box.right - (len(heads) - 1 - place) * column
            write(figure, right, y, head, size=7.5, colour=SOFT, anchor="right")
        y -= _LINE
    for entry in entries:
        swatch = Rectangle(
            (box.left / wide, (y - 0.02) / tall), 0.19 / wide, 0.14 / tall, facecolor=entry.colour, linewidth=0.4
        )
        swatch.set_edgecolor(SOFT)
        swatch.set_transform(figure.transFigure)
        figure.add_artist(swatch)
        write(figure, box.left + 0.28, y, entry.label, size=8.5)
        for place, share in enumerate(entry.shares):
            right = box.right - (len(entry.shares) - 1 - place) * column
            write(figure, right, y, share, size=8.5, colour=SOFT, anchor="right")
        y -= _LINE


def colour_bar(figure: Figure, box: Box, ends: Range, unit: str | None, language: Language) -> None:
    """An upright bar of colours with up to five numbers and the unit above it."""
    wide, tall = figure.get_size_inches()
    axes = figure.add_axes((box.left / wide, box.bottom / tall, 0.17 / wide, box.height / tall))
    axes.imshow(ramp(np.linspace(1.0, 0.0, 256))[:, None, :], aspect="auto", interpolation="nearest")
    axes.set_axis_off()
    for value in _marks(ends):
        share = (value - ends.low) / (ends.high - ends.low)
        text = number(value, language, 0 if ends.whole else _decimals(ends))
        write(figure, box.left + 0.27, box.bottom + share * box.height - 0.04, text, size=8)
    if unit:
        write(figure, box.left, box.top + 0.14, unit, size=8, colour=SOFT)


def colour_steps(figure: Figure, box: Box, steps: Steps, unit: str | None, language: Language) -> None:
    """An upright bar of colours of the same height, each with the greatest value that it stands for."""
    wide, tall = figure.get_size_inches()
    axes = figure.add_axes((box.left / wide, box.bottom / tall, 0.17 / wide, box.height / tall))
    axes.imshow(steps.table[::-1][:, None, :], aspect="auto", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(SOFT)
        spine.set_linewidth(0.4)
    height = box.height / (len(steps.ends) + 1)
    top = () if steps.high is None else (steps.high,)
    for place, end in enumerate((steps.low, *steps.ends, *top)):
        text = number(end, language, 0 if end == round(end) else 2)
        write(figure, box.left + 0.27, box.bottom + place * height - 0.04, text, size=8)
    if unit:
        write(figure, box.left, box.top + 0.14, unit, size=8, colour=SOFT)


def _marks(ends: Range) -> list[float]:
    """The values that stand beside a bar, evenly spread: whole ones where all are."""
    values = [float(value) for value in np.linspace(ends.low, ends.high, 5)]
    return sorted({float(round(value)) for value in values}) if ends.whole else values


def _decimals(ends: Range) -> int:
    """Decimals that tell five numbers of the range apart."""
    return max(0, 2 - math.floor(math.log10((ends.high - ends.low) / 4.0)) - 1)


def scale_bar(figure: Figure, box: Box, grid: Grid, language: Language) -> None:
    """A bar of a round length below the left end of the map; nothing for pictures without georeference."""
    from matplotlib.lines import Line2D

    gsd = ground_sampling_distance(grid)
    if gsd is None:
        return
    per_inch = gsd * grid.width / box.width
    metres = _round_length(per_inch * min(1.5, 0.4 * box.width))
    wide, tall = figure.get_size_inches()
    left, y = box.left, box.bottom - 0.13
    right = left + metres / per_inch
    style: dict[str, Any] = {"color": INK, "linewidth": 1.2, "solid_capstyle": "butt", "transform": figure.transFigure}
    corners = [(left, y + 0.05), (left, y), (right, y), (right, y + 0.05)]
    figure.add_artist(Line2D([x / wide for x, _ in corners], [v / tall for _, v in corners], **style))
    text = length(metres, language) if metres < 1000 else f"{number(metres / 1000, language)}\N{NO-BREAK SPACE}km"
    write(figure, right + 0.08, y - 0.01, text, size=8, colour=SOFT)


def _round_length(metres: float) -> float:
    """The greatest of 1, 2, 5, 10, 20 … that is not longer."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= metres * 1.000001)


def north_arrow(figure: Figure, box: Box, grid: Grid, language: Language) -> None:
    """An arrow to the north of the grid below the right end of the map; nothing without georeference."""
    from matplotlib.patches import Polygon

    if grid.crs is None:
        return
    t = grid.transform
    # The way north in pixels (columns to the right, rows down) is the inverse of the transform applied to (0, 1).
    determinant = t.a * t.e - t.b * t.d
    east, north = -t.b / determinant, -(t.a / determinant)
    size = math.hypot(east, north)
    x, y = east / size, north / size
    wide, tall = figure.get_size_inches()
    middle = np.array([box.right - 0.09, box.bottom - 0.17])
    ahead, aside = np.array([x, y]), np.array([y, -x])
    shape = [ahead * 0.12, -ahead * 0.08 + aside * 0.07, -ahead * 0.03, -ahead * 0.08 - aside * 0.07]
    arrow = Polygon([(middle + corner) / (wide, tall) for corner in shape], closed=True, facecolor=INK, linewidth=0)
    arrow.set_transform(figure.transFigure)
    figure.add_artist(arrow)
    write(figure, box.right - 0.24, box.bottom - 0.21, word("north", language), size=8, anchor="right")
