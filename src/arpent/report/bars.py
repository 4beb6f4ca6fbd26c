"""Lying bars: one quantity of many named things, coloured by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number
from arpent.report.style import ACCENTS, FAINT, INK, SOFT, canvas, decimals_of, frame, publish, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Bar", "bars"]

_ROW = 0.185  # inches
_TOP, _BOTTOM = 0.85, 0.6  # inches above and below the bars
_LONGEST = 34  # letters of a name; the ends of longer ones tell them apart


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: before it.
        value: its length; 0 or more.
        group: gives the colour.
    """

    name: str
    value: float
    group: str


def bars(
    rows: Sequence[Bar],
    path: Path,
    *,
    title: str,
    x: str,
    notes: Mapping[str, str] | None = None,
    language: Language = "en",
) -> Path:
    """A bar for each row, from the top down, as PNG.

    Args:
        rows: at least one.
        path: of the PNG.
        title: above all.
        x: what the length means.
        notes: what to say of a group, beside its name.
        language: of the numbers.
    """
    if not rows:
        raise InvalidSetting("a chart has no bar to show", cure="Give at least one.")
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    tall = _TOP + _BOTTOM + _ROW * len(rows)
    figure = canvas(7.2, tall)
    names = [row.name if len(row.name) <= _LONGEST else f"…{row.name[1 - _LONGEST :]}" for row in rows]
    left = 0.035 + 0.0105 * max(map(len, names))
    axes = figure.add_axes((left, _BOTTOM / tall, 0.93 - left, _ROW * len(rows) / tall))
    frame(axes, x=x)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.8)
    groups = list(dict.fromkeys(row.group for row in rows))
    colours = [ACCENTS[groups.index(row.group) % len(ACCENTS)] for row in rows]
    axes.barh(range(len(rows)), [row.value for row in rows], height=0.72, color=colours)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), names, fontsize=7, color=INK, family="DejaVu Sans")
    greatest = max(row.value for row in rows)
    axes.set_xlim(0, greatest * 1.06 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    decimals = decimals_of(axes.get_xticks())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, decimals)))
    write(figure, 0.2, tall - 0.32, title, size=10, bold=True)
    _key(figure, tall - 0.6, {group: (notes or {}).get(group, "") for group in groups})
    return publish(figure, path)


def _key(figure: Figure, y: float, groups: Mapping[str, str]) -> None:
    """The groups side by side, each in its colour with its note."""
    at = 0.2
    for place, (group, note) in enumerate(groups.items()):
        write(figure, at, y, "\N{BLACK SQUARE}", size=9, colour=ACCENTS[place % len(ACCENTS)])
        text = f"{group} · {note}" if note else group
        write(figure, at + 0.17, y, text, size=8.5, colour=SOFT)
        at += 0.42 + 0.075 * len(text)
