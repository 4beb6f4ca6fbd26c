"""Tables and JSON documents that others wrote: of any separator, with or without a byte-order mark."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.core.small_files import read_small
from arpent.errors import UnreadableFile

__all__ = ["TextTable", "parse_json", "parse_table", "read_text"]

_MOST_BYTES = 1 << 29
_SEPARATORS = "\t,;|"


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes:
        columns: names in the first row.
        rows: as many cells as there are columns; empty rows are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_text(path: Path, what: str) -> str:
    """The text of a file.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: it is no text, or empty.
    """
    content = read_small(path, what, most=_MOST_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UnreadableFile(
            f"{path} is no text in UTF-8", found=problem.reason, cure="Save it as UTF-8 and try again."
        ) from None
    if not text.strip():
        raise UnreadableFile(f"{path} is empty", expected=what, cure="Copy or download it again.")
    return text


def parse_json(text: str, path: Path) -> Any:  # noqa: ANN401 - whatever a file holds
    """The document in a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise UnreadableFile(
            f"{path} is no JSON", found=problem, cure="Download it again, or name another file."
        ) from None


def parse_table(text: str, path: Path) -> TextTable:
    """The rows of a table; the separator is that of tab, comma, semicolon and bar which parts the first row most."""
    lines = text.splitlines()
    first = next(line for line in lines if line.strip())
    separator = max(_SEPARATORS, key=lambda one: (first.count(one), -_SEPARATORS.index(one)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    listed: list[list[str]] = []
    try:
        listed.extend(reader)
    except csv.Error as problem:
        raise UnreadableFile(
            f"{path} is no table from row {len(listed) + 1} on",
            found=problem,
            cure="Close the quotation marks that are opened there, double those inside a cell, or save it as CSV anew.",
        ) from None
    rows = [[cell.strip() for cell in row] for row in listed if any(cell.strip() for cell in row)]
    columns = _bare(rows[0])
    return TextTable(columns, tuple(_fitted(row, columns, number, path) for number, row in enumerate(rows[1:], 2)))


def _bare(row: Sequence[str]) -> tuple[str, ...]:
    """A row without the empty cells at its end."""
    cells = list(row)
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


def _fitted(row: Sequence[str], columns: Sequence[str], number: int, path: Path) -> tuple[str, ...]:
    cells = _bare(row)
    if len(cells) > len(columns):
        raise UnreadableFile(
            f"row {number} of {path} has more cells than there are columns",
            found=f"{len(cells)} cells",
            expected=f"{len(columns)}",
            cure="Put text that holds the separator between quotes.",
        )
    return (*cells, *[""] * (len(columns) - len(cells)))
