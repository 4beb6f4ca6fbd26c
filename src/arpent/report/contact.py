"""Contact sheets: small pictures of many dates, all in one tone, so that the eye goes from one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting
from arpent.report.legend import LINE, legend, legend_lines
from arpent.report.style import FAINT, INK, SOFT, canvas, publish, write

__all__ = ["Contact", "ContactRow", "contact_sheet"]

_WIDE, _MARGIN, _GAP = 10.0, 0.35, 0.10
_LABEL, _HEAD = 0.30, 0.42
_MOST = 7  # pictures side by side
_TALLEST = 2.0  # times the width that there is for a picture; one that is taller still is drawn narrower
_OUTLINE = (255, 255, 255)


@dataclass(frozen=True)
class Contact:
    """One small picture.

    Attributes:
        rgb: ``(height, width, 3)`` uint8.
        label: below it.
        aside: a word on the right of the label, such as the days since the picture before.
        outlined: ``(height, width)``; ground whose edge is drawn, such as water.
    """

    rgb: NDArray[np.uint8]
    label: str
    aside: str = ""
    outlined: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class ContactRow:
    """The pictures of one place, which go on in the next line where there are many.

    Attributes:
        title: above them.
        shown: in their order, all of one shape.
    """

    title: str
    shown: Sequence[Contact]


def contact_sheet(
    rows: Sequence[ContactRow],
    path: Path,
    *,
    title: str,
    note: str = "",
    named: Mapping[str, str] | None = None,
    least: int = 4,
) -> Path:
    """Writes the sheet as PNG.

    Args:
        rows: a place each.
        path: of the PNG.
        title: above all.
        note: below the title.
        named: colours by what they mean, for a legend at the foot.
        least: pictures that have room side by side, where there are fewer.
    """
    if not rows or not all(row.shown for row in rows):
        raise InvalidSetting("a contact sheet has no picture to show", cure="Give at least one.")
    across = max(_columns(len(row.shown), least) for row in rows)
    side = (_WIDE - 2 * _MARGIN - (across - 1) * _GAP) / across
    slopes = [row.shown[0].rgb.shape[0] / row.shown[0].rgb.shape[1] for row in rows]
    heights = [side * min(slope, _TALLEST) for slope in slopes]
    lines = [-(-len(row.shown) // across) for row in rows]
    names = list(named or {})
    foot = 0.1 + (LINE * legend_lines(names, _WIDE - 2 * _MARGIN) if names else 0.0)
    tall = 0.85 + sum(_HEAD + n * (high + _LABEL) for n, high in zip(lines, heights, strict=True)) + foot
    figure = canvas(_WIDE, tall)
    write(figure, _MARGIN, tall - 0.45, title, size=13, bold=True)
    write(figure, _MARGIN, tall - 0.70, note, size=8.5, colour=SOFT)
    top = tall - 0.85
    for row, high, slope, count in zip(rows, heights, slopes, lines, strict=True):
        write(figure, _MARGIN, top - 0.26, row.title, size=9.5, bold=True)
        top -= _HEAD - 0.08
        for place, one in enumerate(row.shown):
            left = _MARGIN + (place % across) * (side + _GAP)
            bottom = top - (place // across) * (high + _LABEL) - high
            axes = figure.add_axes((left / _WIDE, bottom / tall, high / slope / _WIDE, high / tall))
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_color(FAINT)
            axes.imshow(_drawn(one), aspect="auto", interpolation="antialiased")
            write(figure, left, bottom - 0.15, one.label, size=7.5, colour=INK)
            write(figure, left + side, bottom - 0.15, one.aside, size=7.5, colour=SOFT, anchor="right")
        top -= count * (high + _LABEL) + 0.08
    legend(figure, names, list((named or {}).values()), foot - 0.22, _MARGIN)
    return publish(figure, path)


def _columns(count: int, least: int) -> int:
    """As many side by side as leave the fewest holes in the last line, rather more than fewer."""
    return min(range(_MOST, least - 1, -1), key=lambda across: (-count) % across)


def _drawn(one: Contact) -> NDArray[np.uint8]:
    if one.outlined is None:
        return one.rgb
    inside = np.pad(one.outlined, 1, mode="edge")
    core = inside[1:-1, 1:-1]
    edge = core & ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
    drawn = one.rgb.copy()
    drawn[edge] = _OUTLINE
    return drawn
