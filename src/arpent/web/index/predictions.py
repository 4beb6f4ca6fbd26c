"""Predictions of other programs: GeoJSON and CSV, read row by row, so that every bad row is told with its reason."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from arpent.errors import FileMissing, GeoreferenceMissing, InvalidSetting, UnreadableFile
from arpent.web.index.geojson import features_of
from arpent.web.index.shapes import in_degrees

__all__ = ["MOST_BYTES", "BadRow", "Predictions", "read_predictions"]

MOST_BYTES = 1 << 30
"""Size of a file that is read."""

_DEGREES = "OGC:CRS84"
_LONGEST_CLASS = 200
_FARTHEST_STEP = 10_000
_AT_ONCE = 1 << 16  # rows of a CSV file
_FEATURES_AT_ONCE = 1 << 10
_LONGEST_FIELD = 1 << 26
_COLUMNS = ("date", "horizon", "prob", "class")
_DECIMALS = {"lat", "lon", "prob"}

_Numbered = tuple[int, Mapping[str, Any] | None]
"""A row with its number; None where it is not one like the others."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be kept.

    Attributes:
        number: of the row: of a CSV file its line, the header being line 1; of GeoJSON its feature, from 1 on.
        reason: what is wrong with it.
    """

    number: int
    reason: str


@dataclass(frozen=True)
class Predictions:
    """The rows of a file, column by column.

    Attributes:
        numbers: of the rows in the file.
        shapes: ``(n,)`` outlines in degrees.
        dates, horizons, probs, classes: what is said of each; None where nothing is.
        bad: rows that are left out.
    """

    numbers: list[int]
    shapes: NDArray[Any]
    dates: list[date | None]
    horizons: list[int | None]
    probs: list[float | None]
    classes: list[str | None]
    bad: list[BadRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    date: date | None
    horizon: int | None
    prob: float | None
    label: str | None


class _Fault(Exception):
    """What is wrong with a row, in a few words."""


def read_predictions(path: Path, crs: str | None = None) -> Predictions:
    """Reads a file of predictions.

    Args:
        path: ``.geojson`` or ``.json``, whose features have the properties ``date``, ``horizon``, ``prob`` and
            ``class``, as far as they are known; or ``.csv`` with columns of these names beside ``lat`` and ``lon``, or
            ``wkt``.
        crs: the reference system; if None, the one that a GeoJSON file declares, or longitude and latitude.

    Raises:
        FileMissing, UnreadableFile: no such file, or neither GeoJSON nor CSV.
        InvalidSetting: it lacks columns or is too large, or there is no such reference system.
    """
    if not path.is_file():
        raise FileMissing(f"there is no file {path}", cure="Give a .geojson, .csv or manifest.json file.")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidSetting(
            f"{path.name} is too large to be imported",
            found=f"{path.stat().st_size >> 20} MiB",
            expected=f"at most {MOST_BYTES >> 20} MiB",
            cure="Divide it.",
        )
    match path.suffix.lower():
        case ".geojson" | ".json":
            return _geojson(path, crs)
        case ".csv":
            return _csv(path, crs)
    raise UnreadableFile(
        f"{path.name} holds no predictions that the map reads",
        expected=".geojson, .csv, or the manifest.json of a run",
        cure="Convert it, or rename it.",
    )


def _geojson(path: Path, crs: str | None) -> Predictions:
    members: dict[str, Any] = {}
    shapes, properties = [np.array([], dtype=object)], list[Mapping[str, Any] | None]()
    try:
        features = features_of(path, members)
        while part := list(islice(features, _FEATURES_AT_ONCE)):
            shapes.append(shapely.from_geojson([_geometry(feature) for feature in part], on_invalid="ignore"))
            properties += [_properties(feature) for feature in part]
        declared = members.get("crs")
        system = crs or (declared["properties"]["name"] if declared else _DEGREES)
        if not isinstance(system, str):
            raise TypeError("crs has no name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise UnreadableFile(
            f"{path.name} is no GeoJSON", found=str(problem)[:120] or type(problem).__name__, cure="Check the file."
        ) from problem
    dated = any(own is not None and own.get("date") not in (None, "") for own in properties)
    return _checked(enumerate(properties, start=1), np.concatenate(shapes), _system(system), dated=dated)


def _geometry(feature: object) -> str | None:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    return json.dumps(geometry) if geometry else None


def _properties(feature: object) -> Mapping[str, Any] | None:
    """What is known of a feature; None where it is no feature, or its properties are none."""
    if not isinstance(feature, dict):
        return None
    own = feature.get("properties", {})
    if own is None:
        return {}
    return {name: own[name] for name in _COLUMNS if name in own} if isinstance(own, dict) else None


def _csv(path: Path, crs: str | None) -> Predictions:
    system = _system(crs or _DEGREES)
    try:
        with _long_fields(), path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _table(stream)
            try:
                names = _columns(path, lines)
                return _joined([_part(rows, names, system) for rows in _parts(_cells(lines, names))])
            except csv.Error as problem:
                raise UnreadableFile(
                    f"{path.name} is no CSV file", found=f"line {lines.line_num}: {problem}", cure="Check the file."
                ) from problem
    except UnicodeDecodeError as problem:
        raise UnreadableFile(
            f"{path.name} is no text in UTF-8", found=problem.reason, cure="Save it as CSV in UTF-8."
        ) from problem


def _parts(rows: Iterator[_Numbered]) -> Iterator[list[_Numbered]]:
    """The rows, some at a time: as they are read they take many times the memory of what is kept of them."""
    while part := list(islice(rows, _AT_ONCE)):
        yield part


def _part(rows: list[_Numbered], names: Mapping[str, str], system: str) -> Predictions:
    shapes = _written(rows) if "wkt" in names else _points(rows)
    return _checked(rows, shapes, system, dated="date" in names)


def _joined(parts: list[Predictions]) -> Predictions:
    return Predictions(
        [number for part in parts for number in part.numbers],
        np.concatenate([np.array([], dtype=object), *(part.shapes for part in parts)]),
        [day for part in parts for day in part.dates],
        [horizon for part in parts for horizon in part.horizons],
        [prob for part in parts for prob in part.probs],
        [name for part in parts for name in part.classes],
        [row for part in parts for row in part.bad],
    )


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lets a field hold the outline of a large forest."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _table(stream: TextIO) -> csv.DictReader[str]:
    """The rows, divided by commas, or by semicolons as spreadsheets do where the comma is that of decimals."""
    head = stream.readline()
    stream.seek(0)
    # Strictly: a quote that nobody closes would take all rows behind it into one field.
    return csv.DictReader(
        stream, restkey="more", strict=True, delimiter=";" if ";" in head and "," not in head else ","
    )


def _columns(path: Path, lines: csv.DictReader[str]) -> dict[str, str]:
    """The columns that are known, by what they are called here."""
    columns = {name.strip().casefold(): name for name in lines.fieldnames or ()}
    if not ({"lat", "lon"} <= set(columns) or "wkt" in columns):
        raise InvalidSetting(
            f"{path.name} does not say where its rows lie",
            found=", ".join(list(columns)[:12]) or "no columns",
            expected="columns lat and lon, or wkt, beside date, horizon, prob and class",
            cure="Name the columns in its first line.",
        )
    return {short: full for short, full in columns.items() if short in {*_COLUMNS, "lat", "lon", "wkt"}}


def _cells(lines: csv.DictReader[str], names: Mapping[str, str]) -> Iterator[_Numbered]:
    """What the rows hold in these columns; None for a row of another width."""
    for row in lines:
        known = {short: row.get(full) for short, full in names.items()}
        if lines.reader.dialect.delimiter == ";":
            known |= {short: (known[short] or "").replace(",", ".") for short in _DECIMALS & set(known)}
        yield lines.line_num, None if "more" in row else known


def _written(rows: list[_Numbered]) -> NDArray[Any]:
    texts = [(row or {}).get("wkt") or None for _, row in rows]
    shapes: NDArray[Any] = shapely.from_wkt(texts, on_invalid="ignore") if texts else np.array([], dtype=object)
    return shapes


def _points(rows: list[_Numbered]) -> NDArray[Any]:
    places = np.array([[_number((row or {}).get(name)) for name in ("lon", "lat")] for _, row in rows]).reshape(-1, 2)
    shapes: NDArray[Any] = shapely.points(np.nan_to_num(places, nan=0.0))
    shapes[~np.isfinite(places).all(axis=1)] = None
    return shapes


def _system(name: str) -> str:
    try:
        pyproj.CRS.from_user_input(name)
    except pyproj.exceptions.CRSError:
        raise GeoreferenceMissing(
            "there is no such reference system", found=name[:60], cure="Name one, such as EPSG:2154, with --crs."
        ) from None
    return name


def _checked(rows: Iterable[_Numbered], shapes: NDArray[Any], crs: str, *, dated: bool) -> Predictions:
    """The rows that can be kept, and of the others what is wrong."""
    faults = _faults_of_shapes(shapes)
    known: list[tuple[int, _Row]] = []
    bad: dict[int, str] = {}
    for place, (number, row) in enumerate(rows):
        try:
            read = _row(number, row, dated=dated)
        except _Fault as fault:
            bad[number] = str(fault)
            continue
        if faults[place]:
            bad[number] = faults[place]
        else:
            known.append((place, read))
    placed = in_degrees(shapes[[place for place, _ in known]], crs)
    beyond = shapely.is_missing(placed) | ~_on_earth(placed)
    kept = []
    for position, (_, read) in enumerate(known):
        if beyond[position]:
            bad[read.number] = f"the place is not on earth in {crs}"
        else:
            kept.append((position, read))
    good = [read for _, read in kept]
    return Predictions(
        [row.number for row in good],
        placed[[position for position, _ in kept]],
        [row.date for row in good],
        [row.horizon for row in good],
        [row.prob for row in good],
        [row.label for row in good],
        [BadRow(number, reason) for number, reason in sorted(bad.items())],
    )


def _faults_of_shapes(shapes: NDArray[Any]) -> list[str]:
    """Of each shape what is wrong with it; nothing where all is well."""
    faults = [""] * len(shapes)
    missing, empty, valid = shapely.is_missing(shapes), shapely.is_empty(shapes), shapely.is_valid(shapes)
    for place in np.flatnonzero(missing | empty | ~valid):
        if missing[place]:
            faults[place] = "no place: lat and lon, wkt or geometry is missing or cannot be read"
        else:
            faults[place] = "an empty outline" if empty[place] else shapely.is_valid_reason(shapes[place])
    return faults


def _on_earth(shapes: NDArray[Any]) -> NDArray[np.bool_]:
    bounds = shapely.bounds(shapes)
    with np.errstate(invalid="ignore"):
        inside: NDArray[np.bool_] = (np.abs(bounds[:, [1, 3]]) <= 90).all(axis=1) & (
            np.abs(bounds[:, [0, 2]]) <= 180
        ).all(axis=1)
    return inside


def _row(number: int, row: Mapping[str, Any] | None, *, dated: bool) -> _Row:
    if row is None:
        raise _Fault("not a row like the others: too many columns, or no properties")
    return _Row(
        number,
        _date(row.get("date"), needed=dated),
        _horizon(row.get("horizon")),
        _prob(row.get("prob")),
        _label(row.get("class")),
    )


def _date(value: object, *, needed: bool) -> date | None:
    if value in (None, ""):
        if needed:
            raise _Fault("no date, which other rows have")
        return None
    try:
        return datetime.fromisoformat(str(value).strip()).date()
    except ValueError:
        raise _Fault(f"date '{_short(value)}' is no day like 2026-07-14") from None


def _horizon(value: object) -> int | None:
    if value in (None, ""):
        return None
    number = _number(value)
    if not number.is_integer() or abs(number) > _FARTHEST_STEP:
        raise _Fault(f"horizon '{_short(value)}' is no whole number of steps")
    return int(number)


def _prob(value: object) -> float | None:
    if value in (None, ""):
        return None
    number = _number(value)
    if not 0 <= number <= 1:
        raise _Fault(f"prob '{_short(value)}' is no number from 0 to 1")
    return number


def _number(value: object) -> float:
    """The number that a cell holds; NaN for anything else."""
    text = str(value)
    try:
        return float(text) if "_" not in text else math.nan  # Python alone reads 1_000
    except ValueError:
        return math.nan


def _label(value: object) -> str | None:
    if value in (None, ""):
        return None
    text = str(value).strip()
    if len(text) > _LONGEST_CLASS or isinstance(value, dict | list):
        raise _Fault(f"class of {len(text)} characters is no name")
    if not text.isprintable():
        raise _Fault(f"class {text[:30]!r} holds signs that cannot be shown")
    return text


def _short(value: object) -> str:
    return " ".join(str(value).split())[:30]
