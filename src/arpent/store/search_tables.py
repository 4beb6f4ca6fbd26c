"""What a search can find: measurements, embeddings and texts of parcels, told by their columns in files of any name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arpent.errors import ArpentError, FileMissing, UnreadableFile
from arpent.io.vectors import vectors_in, width_in_file
from arpent.language import Measured
from arpent.language.axes import ABSTENTION, AXES, Axis, axes_of
from arpent.store.manifest import MANIFEST, read_manifest

__all__ = [
    "CLASSES",
    "FACTS",
    "KEYS",
    "Found",
    "class_column",
    "decided_by",
    "embeddings_of",
    "find_tables",
    "measurements_of",
    "texts_of",
]

What = Literal["measurements", "embeddings", "texts"]

KEYS = pa.schema([("place", pa.string()), ("parcel", pa.string()), ("image", pa.string()), ("taken", pa.date32())])
"""What tells one row from another: a parcel of a place on an image."""

FACTS = pa.schema(
    [
        ("pixels", pa.int64()),
        ("valid", pa.float64()),
        ("cloud", pa.float64()),
        ("area_m2", pa.float64()),
        ("crop", pa.string()),
        ("vegetation", pa.float64()),
        ("soil", pa.float64()),
        ("water", pa.float64()),
        ("geometry", pa.binary()),
    ]
)
"""What else may be known of a row, besides its indices."""

MEASURE = re.compile(r"[a-z][a-z0-9]{0,30}_(mean|std)")
"""Names of the columns of indices."""

_BATCH = 4096
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Found:
    """A file that holds rows about parcels.

    Attributes:
        path: of the file.
        holds: what.
        measures: names of its columns of indices, sorted.
        width: of its embeddings; 0 without.
        encoder: hash of the model that made them, or the name of the file where it does not say.
    """

    path: Path
    holds: frozenset[What]
    measures: tuple[str, ...] = ()
    width: int = 0
    encoder: str = ""


def find_tables(places: Iterable[str | Path]) -> list[Found]:
    """The tables in files, runs and folders of runs, the oldest first.

    A folder gives what lies in it and in the runs directly below. Files of other kinds are passed over there; one that
    is named itself must be a table.

    Raises:
        FileMissing: no such file or folder, or nothing in it that can be searched.
        UnreadableFile: a file that is named is no such table.
    """
    listed = [Path(place) for place in places]
    found: dict[Path, Found] = {}
    for place in listed:
        if place.is_file():
            one = _looked_at(place)
            if one is None:
                raise UnreadableFile(
                    f"{place} holds neither measurements nor embeddings nor texts of parcels",
                    expected="a column 'parcel' beside indices, embeddings or texts",
                    cure="Give what 'arpent describe' has made: a table, a run, or the folder of the runs.",
                )
            found[one.path.resolve()] = one
        elif place.is_dir():
            found |= {one.path.resolve(): one for one in map(_looked_at, _files_below(place)) if one is not None}
        else:
            raise FileMissing(f"there is no {place}", cure="Give a table, a run, or the folder that holds the runs.")
    if not found:
        raise FileMissing(
            f"nothing in {', '.join(map(str, listed))} can be searched",
            expected="tables of measurements, embeddings or texts",
            cure="Make some: 'arpent describe indices IMAGES --parcels FIELDS -o TABLE.parquet'.",
        )
    return sorted(found.values(), key=lambda one: (one.path.stat().st_mtime_ns, str(one.path)))


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and of the runs directly below it; of a run, its products alone."""
    for home in (folder, *sorted(path for path in folder.iterdir() if (path / MANIFEST).is_file())):
        if (home / MANIFEST).is_file():
            try:
                products = read_manifest(home / MANIFEST).products
            except ArpentError:
                continue  # a damaged run hides no sound one; 'arpent runs list' tells of it
            yield from (home / product.file for product in products if (home / product.file).is_file())
        else:
            yield from sorted(path for path in home.iterdir() if path.is_file())


def _looked_at(path: Path) -> Found | None:
    """What a file holds; None for one of another kind."""
    if path.suffix == ".jsonl":
        first = next(_lines(path), None)
        return Found(path, frozenset({"texts"})) if first is not None else None
    if path.suffix not in (".parquet", ".geoparquet"):
        return None
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return None
    if "parcel" not in schema.names:
        return None
    measures = tuple(sorted(name for name in schema.names if MEASURE.fullmatch(name)))
    holds: set[What] = {"measurements"} if measures else set()
    if {"text", "language"} <= set(schema.names):
        holds.add("texts")
    width = width_in_file(path, "embedding")
    if width:
        holds.add("embeddings")
    encoder = (schema.metadata or {}).get(b"arpent:encoder", b"").decode("utf-8", "replace") or path.name
    return Found(path, frozenset(holds), measures, width, encoder if width else "") if holds else None


def measurements_of(found: Found, measures: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Keys, facts, indices and the class of each axis, in batches."""
    wanted = pa.schema([*KEYS, *FACTS, *((name, pa.float64()) for name in measures)])
    for table in _parts(found.path, wanted):
        yield _with_classes(table).to_batches()[0]


def _with_classes(table: pa.Table) -> pa.Table:
    """The rows with the class that they have on each axis; without any where too little is seen to tell."""
    seen = [
        (valid is None or valid >= ABSTENTION.valid) and (cloud is None or cloud <= ABSTENTION.cloud)
        for valid, cloud in zip(table["valid"].to_pylist(), table["cloud"].to_pylist(), strict=True)
    ]
    table = table.append_column("seen", pa.array(seen, pa.bool_()))
    known = [_measured(row) for row in table.select([n for n in table.column_names if n in _DECIDING]).to_pylist()]
    for axis in axes_of().values():
        values = [axis.deciding(one) if enough else None for one, enough in zip(known, seen, strict=True)]
        classes = [None if value is None else axis.class_of(value) for value in values]
        table = table.append_column(class_column(axis.name), pa.array(classes, pa.string()))
    return table.combine_chunks()


def _measured(row: dict[str, float | None]) -> Measured:
    """What classes are concluded from."""
    values = {name: value for name, value in row.items() if value is not None}
    indices = {axis.index: values[column] for axis in axes_of().values() if (column := _mean(axis)) in values}
    return Measured("", indices, {name: values[name] for name in ("soil", "vegetation", "water") if name in values})


def _mean(axis: Axis) -> str:
    return f"{axis.index.casefold()}_mean"


_DECIDING = {"soil", "vegetation", "water", *map(_mean, axes_of().values())}
"""Columns that classes are concluded from."""


def decided_by(axis: Axis) -> str:
    """The column that decides the class on an axis."""
    return axis.share or _mean(axis)


def class_column(axis: str) -> str:
    """The column that says which class a row has on an axis: the axis' own name, unless a fact bears it."""
    return f"{axis}_class" if axis in FACTS.names else axis


CLASSES = pa.schema([("seen", pa.bool_()), *((class_column(axis), pa.string()) for axis in AXES)])
"""What is concluded of a row: whether enough of it is seen, and its class on each axis."""


def embeddings_of(found: Found) -> Iterator[pa.RecordBatch]:
    """Keys, geometry, share of valid pixels and embedding, in batches; rows without any are left out."""
    facts = [FACTS.field("valid"), FACTS.field("geometry")]
    for part in _parts(found.path, pa.schema([*KEYS, *facts, ("embedding", pa.list_(pa.float32()))])):
        table = part.filter(part["embedding"].is_valid())
        vectors = vectors_in(table["embedding"], found.width, np.float32, found.path)
        # A vector of no length is like nothing; one that is not finite would be like everything.
        usable = np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)
        given = pa.FixedSizeListArray.from_arrays(pa.array(vectors[usable].ravel()), found.width)
        yield from table.drop_columns("embedding").filter(usable).append_column("embedding", given).to_batches()


def _parts(path: Path, wanted: pa.Schema) -> Iterator[pa.Table]:
    """A Parquet file, part by part, with the columns of `wanted`; null where it lacks one."""
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in wanted.names if name in file.schema_arrow.names]
            for batch in file.iter_batches(_BATCH, columns=names):
                if batch.num_rows:
                    yield _fitted(pa.Table.from_batches([batch]), wanted)
    except (pa.ArrowException, OSError) as problem:
        raise UnreadableFile(
            f"{path} cannot be read",
            found=str(problem).partition("\n")[0],
            cure="Make it again, or move it away from what is searched.",
        ) from problem


def _fitted(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)


def texts_of(found: Found) -> Iterator[pa.RecordBatch]:
    """Keys, language and text, in batches."""
    wanted = pa.schema([*KEYS, ("language", pa.string()), ("text", pa.string())])
    if found.path.suffix != ".jsonl":
        for table in _parts(found.path, wanted):
            yield table.combine_chunks().to_batches()[0]
        return
    rows: list[dict[str, Any]] = []
    for row in _lines(found.path):
        rows.append(row)
        if len(rows) == _BATCH:
            yield pa.RecordBatch.from_pylist(rows, wanted)
            rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, wanted)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of texts that are rows about a parcel; others are passed over."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        while line := stream.readline(_LONGEST_LINE):
            try:
                row = json.loads(line)
                taken = row.get("taken")
                told = {name: row.get(name) for name in ("place", "parcel", "image", "language", "text")}
                told["taken"] = date.fromisoformat(taken) if taken else None
            except (ValueError, AttributeError, TypeError, RecursionError):
                continue
            if all(isinstance(told[name], str) for name in ("parcel", "language", "text")):
                yield told
