"""A page that stands alone: one HTML file with its pictures inside, to be read in ten years without Arpent."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from arpent.core import Language, write_file
from arpent.errors import InvalidSetting
from arpent.language import number, say, signed
from arpent.report.templates import filled, own
from arpent.version import __version__

__all__ = ["Part", "Picture", "Section", "Table", "Text", "made_by", "page_html", "write_page"]

Cell = str | int | float | None

_WORDS: Mapping[Language, Mapping[str, str]] = {"en": {"contents": "Contents"}, "fr": {"contents": "Sommaire"}}
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Picture:
    """A PNG that the page carries.

    Attributes:
        png: the file's content.
        alt: what it shows, for those who cannot see it.
        caption: below it.
    """

    kind: ClassVar[str] = "picture"
    png: bytes
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.png.startswith(_PNG):
            raise InvalidSetting(
                "a picture of a page is not a PNG", found=repr(self.png[:8]), cure="Give the bytes of a PNG file."
            )

    @classmethod
    def of(cls, path: Path, alt: str, caption: str = "") -> Picture:
        """The picture in a file."""
        return cls(path.read_bytes(), alt, caption)

    @property
    def address(self) -> str:
        """The picture as a ``data:`` address."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: their heads.
        rows: of text, numbers, or None where nothing is known.
        caption: above it.
        decimals: of floats; three significant digits where not given.
        marked: the row that stands out, from 0 on.
        signed: columns whose numbers are differences, from 0 on: those above zero get a plus.
        right: columns of text that are set to the right as numbers are, from 0 on: sizes with their units.
    """

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    decimals: int | None = None
    marked: int | None = None
    signed: Sequence[int] = ()
    right: Sequence[int] = ()

    def __post_init__(self) -> None:
        wrong = [len(row) for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise InvalidSetting(
                "a row of a table does not fit its columns",
                found=f"{wrong[0]} cells",
                expected=f"{len(self.columns)}",
                cure="Give one cell per column.",
            )

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns are set to the right: those that hold numbers and nothing else, and those asked for."""
        columns = [[row[place] for row in self.rows] for place in range(len(self.columns))]
        return tuple(
            place in self.right
            or (any(cell is not None for cell in column) and not any(isinstance(cell, str) for cell in column))
            for place, column in enumerate(columns)
        )

    def cells(self, language: Language) -> list[list[str]]:
        """The rows as text."""
        return [[self._told(cell, place, language) for place, cell in enumerate(row)] for row in self.rows]

    def _told(self, cell: Cell, place: int, language: Language) -> str:
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return "–"
        if isinstance(cell, str):
            return cell
        write = signed if place in self.signed else number
        return write(cell, language, 0 if isinstance(cell, int) else self.decimals)


Part = Text | Picture | Table


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading."""

    title: str
    parts: Sequence[Part]


def page_html(
    title: str, sections: Sequence[Section], *, language: Language = "en", lead: str = "", footer: str = ""
) -> str:
    """The page as HTML. Everything given is text: markup in it is shown, not obeyed.

    Args:
        title: of the page.
        sections: from top to bottom; more than two get a table of contents.
        language: of the page; decides how numbers are written.
        lead: a sentence or two under the title.
        footer: small print.
    """
    return filled(
        "page.html",
        title=title,
        sections=sections,
        language=language,
        lead=lead,
        footer=footer,
        style=own("page.css"),
        words=_WORDS[language],
    )


def made_by(language: Language) -> str:
    """The footer of a page: which version of Arpent has made it, and on what day."""
    return say("report.made_by", language, version=__version__, when=datetime.now(UTC).date())


def write_page(
    path: Path,
    title: str,
    sections: Sequence[Section],
    *,
    language: Language = "en",
    lead: str = "",
    footer: str = "",
) -> Path:
    """Writes the `page_html` of the same arguments, whole or not at all."""
    return write_file(path, page_html(title, sections, language=language, lead=lead, footer=footer))
