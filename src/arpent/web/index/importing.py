"""Predictions of other programs become a run of the map's own, which is registered as any other run is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import shapely
from django.conf import settings
from odc.geo.crs import CRS

from arpent.core import Progress, file_sha256, write_file
from arpent.errors import DatasetError, FileMissing, InvalidSetting
from arpent.io import RowWriter
from arpent.store import RunFolder, open_run
from arpent.store.manifest import MANIFEST
from arpent.web.index.imported import IMPORT_TASK, PREDICTIONS, SCHEMA
from arpent.web.index.predictions import BadRow, Predictions, read_predictions
from arpent.web.index.registering import Registration, register

__all__ = ["IMPORTS", "Import", "load_predictions"]

IMPORTS = "imports"
"""Folder of the runs that imports make."""

_REFUSED = "refused"
_BATCH = 16_384


@dataclass(frozen=True)
class Import:
    """What came of an import.

    Attributes:
        registration: of the run that it has made, or that the manifest belongs to.
        rows: that are kept; None for a manifest.
        bad: rows that are left out.
        is_new: whether it was not on the map before.
    """

    registration: Registration
    rows: int | None
    bad: tuple[BadRow, ...]
    is_new: bool


def load_predictions(
    file: Path, *, crs: str | None = None, strict: bool = False, name: str = "", progress: Progress | None = None
) -> Import:
    """Puts the predictions of a file on the map; a file that is there already is not imported again.

    Args:
        file: ``.geojson``, ``.csv``, or the ``manifest.json`` of a run, which is registered.
        crs: reference system of the coordinates, if the file does not declare it.
        strict: whether a single bad row keeps all others out.
        name: on the map; that of the file if empty.
        progress: told how far it is.

    Raises:
        FileMissing, UnreadableFile, InvalidSetting, GeoreferenceMissing: see `read_predictions`.
        DatasetError: no row can be kept, or one cannot and `strict`.
    """
    if file.name == MANIFEST:
        done = register(file.parent, progress)
        return Import(done, None, (), done.is_new)
    if not file.is_file():
        raise FileMissing(f"there is no file {file}", cure="Give a .geojson, .csv or manifest.json file.")
    content = file_sha256(file)
    folder = Path(settings.DATA_PATH) / IMPORTS / f"{content[:24]}-{_short(crs)}"
    # An earlier try may have made the run, and not come as far as the map.
    read = None if (folder / MANIFEST).is_file() else read_predictions(file, crs)
    rows, bad = _judged(folder) if read is None else (len(read), tuple(read.bad))
    _check(file, rows, bad, strict=strict)
    if read is not None:
        _make_run(folder, file, read, {"source": file.name, "sha256": content, "crs": crs, "name": name or file.stem})
    done = register(folder, progress)
    return Import(done, rows, bad, done.is_new)


def _short(crs: str | None) -> str:
    return "".join(letter for letter in (crs or "declared").casefold() if letter.isalnum())[:24]


def _judged(folder: Path) -> tuple[int, tuple[BadRow, ...]]:
    """How many rows a run has kept, and which it has not."""
    run = open_run(folder)
    bad: list[BadRow] = []
    if run.manifest.metrics["bad_rows"]:
        with run.file(_REFUSED).open(encoding="utf-8", newline="") as text:
            bad = [BadRow(int(row["row"]), row["reason"]) for row in csv.DictReader(text)]
    return int(run.manifest.metrics["rows"] or 0), tuple(bad)


def _check(file: Path, rows: int, bad: Sequence[BadRow], *, strict: bool) -> None:
    if bad and (strict or not rows):
        first = bad[0]
        raise DatasetError(
            f"{file.name} is not imported" if strict else f"no row of {file.name} can be used",
            found=f"{len(bad):,} bad rows of {len(bad) + rows:,}; row {first.number}: {first.reason}",
            cure="Correct these rows." if not strict else "Correct these rows, or leave --strict out.",
        )
    if not rows:
        raise InvalidSetting(f"{file.name} has no rows", cure="Give a file that holds predictions.")


def _make_run(folder: Path, file: Path, read: Predictions, told: dict[str, str | None]) -> None:
    points = bool((shapely.get_type_id(read.shapes) == shapely.GeometryType.POINT).all())
    own = {**told, "points": points}
    with RunFolder.create(folder, IMPORT_TASK, str(told["name"]), settings=own, exact=True, force=True) as run:
        run.add_input(file, "predictions")
        target = run.scratch / f"{PREDICTIONS}.parquet"
        with RowWriter(target, schema=SCHEMA, crs=CRS("EPSG:4326")) as writer:
            for table in _tables(read):
                writer.write(table)
        run.publish(target, kind="vector", name=PREDICTIONS)
        run.add_metrics({"rows": len(read), "bad_rows": len(read.bad)})
        if read.bad:
            run.publish(write_file(run.scratch / f"{_REFUSED}.csv", _listed(read.bad)), kind="table", name=_REFUSED)
            run.warn(f"{len(read.bad):,} of {len(read.bad) + len(read):,} rows were left out; see {_REFUSED}.csv.")
        run.finish()


def _tables(read: Predictions) -> Iterator[pa.Table]:
    for start in range(0, len(read), _BATCH):
        part = slice(start, start + _BATCH)
        columns = [
            read.numbers[part],
            read.dates[part],
            read.horizons[part],
            read.probs[part],
            read.classes[part],
            shapely.to_wkb(read.shapes[part]),
        ]
        arrays = [pa.array(values, entry.type) for values, entry in zip(columns, SCHEMA, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=SCHEMA)


def _listed(bad: list[BadRow]) -> str:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["row", "reason"])
    lines.writerows((row.number, row.reason) for row in bad)
    return text.getvalue()
