"""The table of measurements: one row for each parcel on each date, as GeoParquet.

Everything that is said later is said of these rows. An index that has no value on a parcel is null, and so is every
fact that is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arpent.errors import FileMissing, UnreadableFile
from arpent.language import Measured
from arpent.pixels import index_names

__all__ = ["SHARES", "Measurement", "measured_of", "read_measured", "read_rows", "schema_of", "table_of"]

SHARES = ("vegetation", "soil", "water")
"""Names of the columns that hold shares of the valid pixels."""

_FIRST = pa.schema(
    [
        pa.field("parcel", pa.string(), nullable=False),
        ("place", pa.string()),
        ("image", pa.string()),
        ("taken", pa.date32()),
        ("pixels", pa.int64()),
        ("valid", pa.float64()),
        ("cloud", pa.float64()),
        ("area_m2", pa.float64()),
        ("crop", pa.string()),
        *((share, pa.float64()) for share in SHARES),
    ]
)
_NEEDED = ("parcel", "valid", "taken")
_TABLES = {".parquet", ".geoparquet"}


@dataclass(frozen=True)
class Measurement:
    """One row.

    Attributes:
        measured: the facts that a sentence may state.
        image: name of the image.
        pixels: that the parcel covers.
        deviations: standard deviation of each index over the valid pixels, by its name.
        geometry: the parcel as WKB, in longitude and latitude; None without georeference.
    """

    measured: Measured
    image: str
    pixels: int
    deviations: Mapping[str, float] = field(default_factory=dict)
    geometry: bytes | None = None


def schema_of(indices: Sequence[str]) -> pa.Schema:
    """Columns of a table that holds these indices."""
    columns = [*_FIRST]
    for name in indices:
        columns += [pa.field(f"{name.casefold()}_{what}", pa.float64()) for what in ("mean", "std")]
    return pa.schema([*columns, pa.field("geometry", pa.binary())])


def table_of(rows: Sequence[Measurement], indices: Sequence[str]) -> pa.Table:
    """Rows as a table; geometries are WKB in EPSG:4326.

    Args:
        rows: measurements.
        indices: names of those that get columns.
    """
    kept = schema_of(indices)
    return pa.Table.from_pylist([_row(row, indices) for row in rows], schema=kept)


def _row(row: Measurement, indices: Sequence[str]) -> dict[str, Any]:
    known = row.measured
    values: dict[str, Any] = {
        "parcel": known.parcel,
        "place": known.place,
        "image": row.image,
        "taken": known.taken,
        "pixels": row.pixels,
        "valid": known.valid,
        "cloud": known.cloud,
        "area_m2": known.area,
        "crop": known.crop,
        "geometry": row.geometry,
    }
    values |= {share: known.shares.get(share) for share in SHARES}
    for name in indices:
        values[f"{name.casefold()}_mean"] = _finite(known.indices.get(name))
        values[f"{name.casefold()}_std"] = _finite(row.deviations.get(name))
    return values


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def read_rows(path: str | Path) -> pa.Table:
    """The table of a file, or of the run that holds it.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: no table of measurements.
    """
    file = Path(path)
    if file.is_dir():
        file = _of_folder(file)
    if not file.is_file():
        raise FileMissing(f"there is no table {file}", cure="Make one with 'arpent describe indices IMAGES -o TABLE'.")
    if file.suffix.lower() not in _TABLES:
        raise UnreadableFile(
            f"{file.name} is no table of measurements that can be read again",
            expected=", ".join(sorted(_TABLES)),
            cure="Write it as Parquet: 'arpent describe indices IMAGES -o TABLE.parquet'.",
        )
    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UnreadableFile(
            f"{file} is damaged, or no Parquet file",
            found=str(problem).splitlines()[0],
            cure="Make it again with 'arpent describe indices'.",
        ) from problem
    missing = [name for name in _NEEDED if name not in table.column_names]
    if missing:
        raise UnreadableFile(
            f"{file} is no table of measurements: it has no column {', '.join(missing)}",
            found=", ".join(table.column_names[:8]),
            cure="Make one with 'arpent describe indices IMAGES -o TABLE.parquet'.",
        )
    return table


def _of_folder(folder: Path) -> Path:
    tables = sorted(folder.glob("*.parquet"))
    return next((file for file in tables if "parcel" in _columns(file)), folder / "indices.parquet")


def _columns(file: Path) -> list[str]:
    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowInvalid, OSError):
        return []


def read_measured(path: str | Path) -> list[Measured]:
    """The facts of each row of a table, in its order; see `read_rows` for what can go wrong."""
    return [measured_of(row) for row in read_rows(path).to_pylist()]


def measured_of(row: Mapping[str, Any]) -> Measured:
    """The facts of one row, as `pyarrow.Table.to_pylist` gives it; columns that are not known here are passed over."""
    found = {name: _finite(row.get(f"{name.casefold()}_mean")) for name in index_names()}
    shares = {share: _finite(row.get(share)) for share in SHARES}
    taken = row.get("taken")
    return Measured(
        parcel=str(row["parcel"]),
        indices={name: value for name, value in found.items() if value is not None},
        shares={share: value for share, value in shares.items() if value is not None},
        valid=_finite(row.get("valid")) or 0.0,
        cloud=_finite(row.get("cloud")),
        taken=taken if isinstance(taken, date) else None,
        area=_finite(row.get("area_m2")),
        crop=row.get("crop") or None,
        place=row.get("place") or "",
    )
