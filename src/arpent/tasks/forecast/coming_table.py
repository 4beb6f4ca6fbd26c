"""What is known of the coming dates, such as a forecast of rain: a small CSV table of somebody's own."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arpent.core.small_files import read_small
from arpent.errors import DatasetError, InvalidSetting, UnreadableFile, nearest
from arpent.tasks.forecast.foretold import Plan

__all__ = ["ComingRow", "read_coming", "told_of_coming"]

_DATE, _DOMAIN = "date", "domain"
_SHOWN = 3  # bad rows that an error lists before it says how many more there are


@dataclass(frozen=True)
class ComingRow:
    """What is known of one day.

    Attributes:
        line: of the file, from 1 on.
        date: a valid date of the forecast.
        domain: the place; empty for all places.
        covariates: numbers by name; a cell that is empty is not there.
    """

    line: int
    date: dt.date
    domain: str
    covariates: Mapping[str, float]


def read_coming(path: Path, ahead: Sequence[str]) -> tuple[ComingRow, ...]:
    """The rows of a table with the column ``date``, one for each covariate, and ``domain`` if places differ.

    Args:
        path: of the CSV file.
        ahead: covariates that the model has learnt to know of coming dates.

    Raises:
        InvalidSetting: the model is told nothing of coming dates, or the file is too large.
        FileMissing, UnreadableFile: there is no such file, or it is no text.
        DatasetError: a column that the model is not told, no column at all, or bad rows.
    """
    if not ahead:
        raise InvalidSetting(
            "the model is told nothing of the coming dates, and a table of them is given",
            found=f"--coming {path}",
            cure="Leave it out, or give a model of 'arpent forecast train --ahead'.",
        )
    content = read_small(path, "table of coming dates")
    try:
        table = list(csv.reader(content.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise UnreadableFile(f"{path} cannot be read", found=problem, cure="Save it as UTF-8 CSV.") from problem
    columns = [name.strip() for name in table[0]] if table else []
    _check_columns(path, columns, ahead)
    return _rows(path, columns, table[1:])


def _check_columns(path: Path, columns: Sequence[str], ahead: Sequence[str]) -> None:
    known = (_DATE, _DOMAIN, *ahead)
    strange = [name for name in columns if name not in known]
    twice = [name for name in columns if columns.count(name) > 1]
    if _DATE in columns and not strange and not twice and set(columns) & set(ahead):
        return
    wrong = strange or twice
    guess = nearest(wrong[0], known) if wrong else None
    raise DatasetError(
        f"{path.name} does not tell the coming dates of what the model has learnt",
        found=f"the columns {', '.join(columns) or 'of an empty file'}",
        expected=f"{_DATE}, {', '.join(ahead)} and nothing else but {_DOMAIN}, each once and divided by commas",
        cure=f"Rename '{wrong[0]}' to '{guess}'." if guess and guess != wrong[0] else "Correct the first line.",
    )


def _rows(path: Path, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> tuple[ComingRow, ...]:
    rows, problems, seen = [], [], set()
    for line, row in enumerate(cells, start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            one = _row(line, columns, row)
            if (one.domain, one.date) in seen:
                raise ValueError(f"{one.date} is given twice")
            seen.add((one.domain, one.date))
            rows.append(one)
        except ValueError as problem:
            problems.append(f"line {line}: {problem}")
    if problems:
        more = len(problems) - _SHOWN
        raise DatasetError(
            f"{path.name} has {len(problems)} bad {'row' if len(problems) == 1 else 'rows'}",
            found="; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else ""),
            cure="Correct these lines.",
        )
    if not rows:
        raise DatasetError(f"{path.name} has no rows", cure="Add a row for each coming date.")
    return tuple(rows)


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> ComingRow:
    """One row; a `ValueError` says what is wrong with it."""
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells for {len(columns)} columns")
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    written, domain = values.pop(_DATE), values.pop(_DOMAIN, "")
    try:
        date = dt.date.fromisoformat(written)
    except ValueError:
        raise ValueError(f"the date '{written}' is not like 2021-07-14") from None
    numbers = {name: _number(name, text) for name, text in values.items() if text}
    return ComingRow(line, date, domain, numbers)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{text}' is no number of {name}")
    return number


def told_of_coming(
    plans: Sequence[Plan], rows: Sequence[ComingRow], source: str, places: Sequence[str]
) -> tuple[Plan, ...]:
    """The plans, their coming dates with what the table tells of them.

    Args:
        plans: of the places that are foretold.
        rows: of the table.
        source: its name, for messages.
        places: every place of the series; what is told of one that is not foretold now is passed over.

    Raises:
        DatasetError: a row is of no place, or of a day that no forecast speaks of.
    """
    for row in rows:
        if row.domain and row.domain not in places:
            raise DatasetError(
                f"{source} tells of a place that the series does not have",
                found=f"line {row.line}: '{row.domain}'",
                expected=", ".join(places[:_SHOWN]) + (" …" if len(places) > _SHOWN else ""),
                cure="Correct the column 'domain', or leave it empty where all places share the row.",
            )
        asked = [plan for plan in plans if row.domain in ("", plan.place.name)]
        days = sorted({one.date for plan in asked for one in plan.coming})
        if asked and row.date not in days:
            raise DatasetError(
                f"{source} tells of a day that the forecast does not speak of",
                found=f"line {row.line}: {row.date}",
                expected=", ".join(map(str, days)),
                cure="Give the rows these dates; --step and --issue change them.",
            )
    return tuple(_told(plan, rows) for plan in plans)


def _told(plan: Plan, rows: Sequence[ComingRow]) -> Plan:
    """Rows of the place itself outweigh those of all places."""
    told: dict[dt.date, dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: row.domain):
        if row.domain in ("", plan.place.name):
            told.setdefault(row.date, {}).update(row.covariates)
    coming = tuple(replace(one, told=told.get(one.date, {})) for one in plan.coming)
    return replace(plan, coming=coming)
