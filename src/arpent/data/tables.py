"""Samples as the rows of a CSV or Parquet table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arpent.core import Window, is_document, sensor, write_file
from arpent.data.sample import SPLITS, Sample
from arpent.errors import DatasetError, FileMissing, InvalidSetting, UnreadableFile, nearest

__all__ = ["read_rows", "row_of_sample", "sample_of_row", "write_rows"]

_WINDOW = ("row", "col", "height", "width")
_TEXT = ("image", "mask", "domain", "sensor", "split", "name")
_TABLES = {".csv", ".parquet"}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a table that has the column ``image``."""
    _check_suffix(path)
    if not path.exists():
        raise FileMissing(f"there is no index {path}", cure="Check the path.")
    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.DictReader(stream)
                columns, rows = list(reader.fieldnames or ()), list(reader)
        else:
            table = pq.read_table(path)
            columns, rows = table.column_names, table.to_pylist()
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as problem:
        raise UnreadableFile(
            f"{path.name} cannot be read", found=str(problem), cure="Save it as UTF-8 CSV or as Parquet."
        ) from problem
    if "image" not in columns:
        guess = nearest("image", columns)
        raise DatasetError(
            f"{path.name} has no column 'image'",
            found=", ".join(columns) or "no columns",
            cure=f"Rename '{guess}' to 'image'." if guess else "Add one with the path of each image.",
        )
    return rows


def sample_of_row(row: Mapping[str, Any], folder: Path) -> Sample:
    """The sample of one row; a `ValueError` says what is wrong with it."""
    if None in row:  # where the csv module puts surplus cells
        raise ValueError("more cells than columns")
    values = {key: value for key, value in row.items() if not _is_empty(value)}
    text = {key: str(values.pop(key)).strip() for key in _TEXT if key in values}
    if not text.get("image"):
        raise ValueError("no image")
    split = text.get("split")
    if split is not None and split not in SPLITS:
        raise ValueError(f"split '{split}' is none of {', '.join(SPLITS)}")
    day = _date_of(values.pop("date")) if "date" in values else None
    window = _window_of(values)
    return Sample(
        image=_resolved(text["image"], folder),
        mask=_resolved(text["mask"], folder) if text.get("mask") else None,
        name=text.get("name", ""),
        domain=text.get("domain", ""),
        sensor=_sensor_of(text.get("sensor", ""), folder),
        date=day,
        split=split,
        window=window,
        attributes=values,
    )


def _is_empty(value: object) -> bool:
    """Whether a cell says nothing; columns of numbers have NaN where others have no value."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _date_of(value: object) -> date:
    if isinstance(value, date):  # a datetime is one too
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        raise ValueError(f"date '{value}' is not like 2021-07-14") from None


def _window_of(values: dict[str, Any]) -> Window | None:
    """Takes the window's columns out of `values`."""
    given = {key: values.pop(key) for key in _WINDOW if key in values}
    if not given:
        return None
    if len(given) < len(_WINDOW):
        raise ValueError(f"a window needs {', '.join(_WINDOW)}, found only {', '.join(given)}")
    numbers = [_whole(key, given[key]) for key in _WINDOW]
    window = Window(*numbers)
    if window.row < 0 or window.col < 0 or window.height < 1 or window.width < 1:
        raise ValueError(f"window {numbers} is empty or starts outside the image")
    return window


def _whole(column: str, value: object) -> int:
    try:
        number = float(str(value))
        if number.is_integer():
            return int(number)
    except ValueError:
        pass
    raise ValueError(f"{column} '{value}' is no whole number")


def _resolved(path: str, folder: Path) -> str:
    return path if "://" in path or path.startswith("/vsi") else str(folder / path)


def row_of_sample(sample: Sample, folder: Path) -> dict[str, Any]:
    """A sample as the cells of a table."""
    row: dict[str, Any] = {**sample.attributes}
    for entry in fields(sample):
        value = getattr(sample, entry.name)
        if entry.name in ("attributes", "window"):
            continue
        if entry.name in ("image", "mask") and value and "://" not in value and not value.startswith("/vsi"):
            # Readers take paths to be relative to the table, and not to where people stand.
            whole, home = Path(value).absolute(), folder.absolute()
            value = (whole.relative_to(home) if whole.is_relative_to(home) else whole).as_posix()
        row[entry.name] = value
    if sample.window is not None:
        row.update({key: getattr(sample.window, key) for key in _WINDOW})
    return row


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes a table whose columns are those of all rows."""
    _check_suffix(path)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if path.suffix.lower() == ".csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return write_file(path, text.getvalue())
    content = pa.BufferOutputStream()
    pq.write_table(pa.table({column: [row.get(column) for row in rows] for column in columns}), content)
    return write_file(path, content.getvalue().to_pybytes())


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in _TABLES:
        raise InvalidSetting(
            f"{path.name} is no index", expected="a .csv or .parquet file or a folder", cure="Name one of these."
        )


def _sensor_of(name: str, folder: Path) -> str:
    """A sensor that is described in a file of somebody's own is read from there and goes by its name."""
    return sensor(str(_resolved(name, folder))).name if is_document(name) else name
