"""The list of pairs that Planaura's configurations name: a CSV file, as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.errors import FileMissing, UnreadableFile, nearest

__all__ = ["PairList", "PairRow", "read_pair_list"]

_DELIMITERS = ",;\t|"
_MOST_BYTES = 64 * 1024 * 1024
"""A list of a hundred thousand pairs has some twenty megabytes."""


@dataclass(frozen=True)
class PairRow:
    """One row of the list.

    Attributes:
        line: of the file, counted from 1, where the row ends.
        files: what it names, one per date, before first.
    """

    line: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class PairList:
    """All pairs of a list.

    Attributes:
        rows: in the order of the file; a row that repeats an earlier one is left out.
        skipped: lines that name some of the images only.
        repeated: lines that say what an earlier one has said.
    """

    rows: tuple[PairRow, ...]
    skipped: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()


def read_pair_list(path: str | Path, frames: int) -> PairList:
    """Reads the columns ``input_file_0`` … ``input_file_{frames - 1}`` of a CSV file.

    Commas, semicolons and tabs part the columns; blanks around names, quotes, a byte-order mark, further columns and
    empty rows do no harm. A row that lacks one of its images is skipped and told.

    Args:
        path: of the file, in UTF-8.
        frames: dates per row.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: it is no such list, or names no pair.
    """
    path = Path(path)
    lines = _lines(_text(path), path)
    header, cells = _header(lines, path, frames)
    wanted = [header.index(f"input_file_{frame}") for frame in range(frames)]
    rows: dict[tuple[str, ...], PairRow] = {}
    skipped, repeated = [], []
    for line, row in cells:
        files = tuple(row[column].strip() if column < len(row) else "" for column in wanted)
        if not any(files):
            continue
        if any("\0" in file for file in files):
            raise _unusable(path, f"a zero byte in line {line}", "Correct that line.")
        if not all(files):
            skipped.append(line)
        elif files in rows:
            repeated.append(line)
        else:
            rows[files] = PairRow(line, files)
    if not rows:
        raise _unusable(path, "no row that names all its images", "Write one pair of images per row.")
    return PairList(tuple(rows.values()), tuple(skipped), tuple(repeated))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise FileMissing(
            f"there is no list of pairs {path}",
            cure="Check 'csv_inference_file'; a relative path starts at the "
            "working folder, or else at the folder of the configuration.",
        ) from None
    except OSError as problem:
        raise UnreadableFile(
            f"{path} cannot be read", found=problem.strerror, cure="Give a CSV file that you may read."
        ) from problem
    if len(content) > _MOST_BYTES:
        raise _unusable(path, f"more than {_MOST_BYTES >> 20} MiB", "Split it into several lists.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _unusable(path, "letters that are not UTF-8", "Save it as 'CSV UTF-8'.") from problem


def _lines(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """The rows with the number of the line on which each ends."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda mark: (first.count(mark), mark == ","))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as problem:
        raise _unusable(path, f"{problem} in line {reader.line_num}", "Correct its quotes.") from problem


def _header(
    lines: Sequence[tuple[int, list[str]]], path: Path, frames: int
) -> tuple[list[str], Iterable[tuple[int, list[str]]]]:
    """Names of the columns, and the rows below them."""
    start = next((n for n, (_, row) in enumerate(lines) if any(cell.strip() for cell in row)), None)
    if start is None:
        raise _unusable(path, "an empty file", "Write a header and one pair of images per row.")
    header = [cell.strip() for cell in lines[start][1]]
    for frame in range(frames):
        name = f"input_file_{frame}"
        if header.count(name) != 1:
            guess = nearest(name, [cell for cell in header if not cell.startswith("input_file_")])
            hint = f"; did you mean '{name}' by '{guess}'?" if guess and name not in header else "."
            found = f"{header.count(name)} of that name" if name in header else ", ".join(header)[:80]
            raise UnreadableFile(
                f"the list of pairs {path} needs one column '{name}'",
                found=found,
                cure=f"Begin it with the line {','.join(f'input_file_{n}' for n in range(frames))}{hint}",
            )
    return header, lines[start + 1 :]


def _unusable(path: Path, found: str, cure: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path} cannot be used as a list of pairs",
        found=found,
        expected="CSV with the columns input_file_0, input_file_1",
        cure=cure,
    )
