"""A run at a glance, as HTML that a notebook shows below the cell that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from arpent.core import Language
from arpent.report.page import Picture, Table
from arpent.report.templates import filled, own

__all__ = ["Summary", "summary_html", "thumbnail"]

_WIDEST = 1600
"""Pixels: more than a notebook gives a picture, for sharp screens."""
_ASIDE = 1.6
"""Of a picture beside which there is room for a table: its width over its height, at most."""


@dataclass(frozen=True)
class Summary:
    """What is told of a run.

    Attributes:
        title: what it is.
        lead: a line below it.
        notes: what people should know before they use it.
        picture: what it looks like.
        tables: what it holds; the first one is open, the others open at a click.
        footer: where it lies and how it was made.
        language: of the numbers.
    """

    title: str
    lead: str = ""
    notes: Sequence[str] = ()
    picture: Picture | None = None
    tables: Sequence[Table] = field(default_factory=tuple)
    footer: str = ""
    language: Language = "en"


def summary_html(summary: Summary) -> str:
    """The summary as a piece of HTML, whose style reaches nothing else on the page.

    Everything given is text: markup in it is shown, not obeyed.
    """
    wide = summary.picture is not None and _is_wide(summary.picture.png)
    return filled("summary.html", **vars(summary), style=own("summary.css"), wide=wide)


def _is_wide(png: bytes) -> bool:
    """Whether a picture wants the whole width, as maps side by side do; a PNG begins with its size."""
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    return width > _ASIDE * height


def thumbnail(png: bytes) -> bytes:
    """A PNG that is no wider than a notebook needs; the same one, if it is not."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape[1] <= _WIDEST:
        return png
    height = round(picture.shape[0] * _WIDEST / picture.shape[1])
    small = cv2.resize(picture, (_WIDEST, max(height, 1)), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", small)[1].tobytes()
