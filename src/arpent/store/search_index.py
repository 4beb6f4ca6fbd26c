"""The index of a search: one row per parcel and image, made of what the runs of ``describe`` hold.

An index is a folder: ``parcels-….duckdb`` with measurements, classes, texts and embeddings, ``words-….sqlite`` for
full text (SQLite's FTS5, for DuckDB's own is a download), ``vectors-….npy`` for likeness, and ``index.json``, written
last, which names them. It can be thrown away at any time: it is made again from the runs.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely
from pydantic import BaseModel, ConfigDict, ValidationError

from arpent.core import Progress, Silent, publish_file, write_file, writing
from arpent.language import LANGUAGES
from arpent.language.axes import axes_of, word_table
from arpent.store.database import write_database
from arpent.store.search_tables import (
    CLASSES,
    FACTS,
    KEYS,
    Found,
    decided_by,
    embeddings_of,
    find_tables,
    measurements_of,
    texts_of,
)
from arpent.store.search_vectors import write_vectors

__all__ = ["Index", "make_index"]

INDEX = "index.json"
_FORMAT = 3
_LOOKED_AT = 1000
"""Rows of which several files tell different outlines that are looked at."""
_NAMED = 3
"""Parcels that are named where different ground goes by one name."""
_KEYS = ", ".join(KEYS.names)
_KNOWN = (
    "coalesce(place, '') AS place, parcel, coalesce(image, '') AS image, coalesce(taken, DATE '0001-01-01') AS taken"
)
"""Keys that can be compared: what is not known is equal to what is not known."""


class Index(BaseModel):
    """What an index says of itself.

    Attributes:
        format: version of the format.
        fingerprint: of all that it was made from.
        database: name of the DuckDB file.
        words: name of the SQLite file.
        vectors: name of the file of embeddings; empty without any.
        rows: how many there are.
        measures: columns of indices.
        width: of the embeddings; 0 without any.
        embedded: rows that have one.
        encoder: that made them.
        told: rows that have a text.
        warnings: what was left out.
        apart: some parcels, with their places, for which several files tell ground that lies apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = _FORMAT
    fingerprint: str
    database: str
    words: str
    vectors: str
    rows: int
    measures: tuple[str, ...]
    width: int
    embedded: int
    encoder: str
    told: int
    warnings: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


def make_index(
    places: Sequence[str | Path], folder: Path, *, rebuild: bool = False, progress: Progress | None = None
) -> Index:
    """The index of some places; made anew where there is none, or where what it was made from has changed.

    Where several files hold a fact of one parcel on one image, the latest file counts. Embeddings of different models
    cannot be compared: those of the model used last are kept.

    Args:
        places: files, runs, folders of runs.
        folder: of the index.
        rebuild: make it anew in any case.
        progress: who is told how far it is.
    """
    found = find_tables(places)
    fingerprint = _fingerprint(found)
    kept = None if rebuild else _kept(folder)
    if kept is not None and kept.fingerprint == fingerprint:
        return kept
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    name = fingerprint[:12]
    files = [folder / file for file in (f"parcels-{name}.duckdb", f"words-{name}.sqlite", f"vectors-{name}.npy")]
    beside = [file.with_name(f".{file.name}.{os.getpid()}") for file in files]
    try:
        with writing(folder):
            for file in beside:
                file.unlink(missing_ok=True)
        made = _Making(found, progress or Silent()).write(*beside)
        for file, path in zip(beside, files, strict=True):
            if file.exists():
                publish_file(file, path)
    finally:
        for file in beside:
            file.unlink(missing_ok=True)
        shutil.rmtree(_spill(beside[0]), ignore_errors=True)
    names = dict(zip(("database", "words", "vectors"), [file.name for file in files], strict=True))
    index = Index(fingerprint=fingerprint, **names | ({} if made["width"] else {"vectors": ""}), **made)
    write_file(folder / INDEX, index.model_dump_json(indent=2) + "\n")
    _clear(folder, index)
    return index


def _fingerprint(found: Sequence[Found]) -> str:
    facts: list[object] = [_FORMAT, json.dumps(word_table("axes"), sort_keys=True)]
    for one in found:
        known = one.path.stat()
        facts.append((str(one.path.resolve()), known.st_size, known.st_mtime_ns))
    return sha256(repr(facts).encode()).hexdigest()


def _kept(folder: Path) -> Index | None:
    """The index that is there, if it can be used."""
    try:
        index = Index.model_validate_json((folder / INDEX).read_bytes())
    except (OSError, ValidationError):
        return None
    named = filter(None, (index.database, index.words, index.vectors))
    whole = index.format == _FORMAT and all((folder / name).is_file() for name in named)
    return index if whole else None


def _clear(folder: Path, index: Index) -> None:
    """Removes the files of earlier indices; who is still reading them keeps them open."""
    patterns = ("parcels-*.duckdb", "words-*.sqlite", "vectors-*.npy")
    for file in chain.from_iterable(folder.glob(pattern) for pattern in patterns):
        if file.name not in (index.database, index.words, index.vectors):
            file.unlink(missing_ok=True)


class _Making:
    """Puts the rows of several files together.

    Args:
        found: the files, the oldest first.
        progress: who is told how far it is.
    """

    def __init__(self, found: Sequence[Found], progress: Progress) -> None:
        self._found, self._progress = found, progress
        deciding = {decided_by(axis) for axis in axes_of().values()} - {*FACTS.names}
        self._measures = tuple(sorted(deciding.union(*(one.measures for one in found))))
        embedded = [one for one in found if one.width]
        self._encoder = embedded[-1].encoder if embedded else ""
        self._width = embedded[-1].width if embedded else 0
        self._others = [one for one in embedded if (one.encoder, one.width) != (self._encoder, self._width)]

    def write(self, database: Path, words: Path, vectors: Path) -> dict[str, Any]:
        """Writes the files, and says what they hold."""
        with closing(write_database(database, _spill(database))) as con:
            self._gather(con)
            apart = _apart(con)
            self._join(con)
            seen = "(SELECT count(*) FROM vectors)" if self._width else "0"
            asked = f"SELECT count(*), {seen}, count(coalesce(text_en, text_fr)) FROM parcels"  # noqa: S608
            counts = con.execute(asked).fetchone()
            self._write_words(con, words)
            if self._width:
                write_vectors(con, vectors, int(counts[0]), self._width)
        warnings = tuple(
            f"{one.path.name} is left out of likeness: another model made its embeddings" for one in self._others
        )
        if self._encoder.startswith("random:"):
            warnings += ("the embeddings come from a model that has learnt nothing: likeness means little",)
        told = dict(zip(("rows", "embedded", "told"), map(int, counts), strict=True))
        return told | {
            "measures": self._measures,
            "width": self._width,
            "encoder": self._encoder,
            "warnings": warnings,
            "apart": apart,
        }

    def _gather(self, con: Any) -> None:  # noqa: ANN401 - duckdb publishes no types
        """Reads all files into tables that go when the connection does."""
        indices = pa.schema([(name, pa.float64()) for name in self._measures])
        vector = [("embedding", pa.list_(pa.float32(), self._width))] if self._width else []
        facts = pa.schema([FACTS.field("valid"), FACTS.field("geometry"), *vector])
        tables = {
            "measured": pa.schema([*KEYS, *FACTS, *indices, *CLASSES]),
            "embedded": pa.schema([*KEYS, *facts]),
            "told": pa.schema([*KEYS, ("language", pa.string()), ("text", pa.string())]),
        }
        for name, schema in tables.items():
            con.register("rows", schema.empty_table())
            con.execute(f"CREATE TEMP TABLE {name} AS SELECT 0 AS source, * FROM rows")  # noqa: S608 - a fixed name
            con.unregister("rows")
        with self._progress.bar("index", len(self._found), "files") as bar:
            for number, one in enumerate(self._found):
                for table, batches in self._rows_of(one):
                    into = f"INSERT INTO {table} BY NAME SELECT {number} AS source, * EXCLUDE ({_KEYS}), {_KNOWN}"
                    for batch in batches:
                        con.register("rows", pa.Table.from_batches([batch]))
                        con.execute(f"{into} FROM rows")
                        con.unregister("rows")
                bar.advance()

    def _rows_of(self, one: Found) -> Iterator[tuple[str, Iterable[pa.RecordBatch]]]:
        if "measurements" in one.holds:
            yield "measured", measurements_of(one, self._measures)
        if "embeddings" in one.holds and one not in self._others:
            yield "embedded", embeddings_of(one)
        if "texts" in one.holds:
            yield "told", texts_of(one)

    def _join(self, con: Any) -> None:  # noqa: ANN401 - duckdb publishes no types
        """One row for each parcel and image, in the order of time, so that conditions on dates read little.

        Embeddings lie in a table of their own: DuckDB 2.0 loses its way where it joins arrays that may be missing.
        """
        columns = [*FACTS.names, *self._measures, *CLASSES.names]
        newest = ", ".join(_newest(name) for name in columns)
        told = [f"text_{language}" for language in LANGUAGES]
        texts = ", ".join(
            f"last(text ORDER BY source) FILTER (language = '{language}') AS text_{language}" for language in LANGUAGES
        )
        bare = ", ".join(f"NULL AS {name}" for name in columns if name not in ("valid", "geometry"))
        con.execute(f"""
            CREATE TEMP TABLE joined AS
            WITH facts AS (SELECT * FROM measured UNION ALL BY NAME
                SELECT -1 AS source, {_KEYS}, valid, geometry, {bare} FROM embedded UNION ALL BY NAME
                SELECT -1 AS source, {_KEYS}, NULL AS valid, NULL AS geometry, {bare} FROM told),
            m AS (SELECT {_KEYS}, {newest} FROM facts GROUP BY {_KEYS}),
            t AS (SELECT {_KEYS}, {texts} FROM told GROUP BY {_KEYS})
            SELECT (row_number() OVER (ORDER BY taken, place, parcel, image) - 1)::BIGINT AS row,
                {_KEYS}, {", ".join([*columns, *told])}
            FROM m LEFT JOIN t USING ({_KEYS}) ORDER BY row
        """)  # noqa: S608 - names of columns, all from fixed tables or matched against a pattern
        unknown = "* REPLACE (nullif(taken, DATE '0001-01-01') AS taken)"
        con.execute(f"CREATE TABLE parcels AS SELECT {unknown} FROM joined ORDER BY row")  # noqa: S608 - fixed names
        if self._width:
            latest = f"SELECT max(rowid) FROM embedded GROUP BY {_KEYS}"  # noqa: S608 - fixed names
            con.execute(f"DELETE FROM embedded WHERE rowid NOT IN ({latest})")  # noqa: S608 - fixed names
            vectors = f"SELECT row, embedding FROM joined JOIN embedded USING ({_KEYS}) ORDER BY row"  # noqa: S608
            con.execute(f"CREATE TABLE vectors AS {vectors}")

    def _write_words(self, con: Any, path: Path) -> None:  # noqa: ANN401 - duckdb publishes no types
        """Full text: accents and capitals do not count."""
        columns = ("parcel", "place", "crop", *(f"text_{language}" for language in LANGUAGES))
        rows = con.execute(f"SELECT row, {', '.join(columns)} FROM parcels")  # noqa: S608 - fixed names
        with closing(sqlite3.connect(path, isolation_level=None)) as words:
            words.execute("PRAGMA journal_mode = OFF")
            words.execute("PRAGMA synchronous = OFF")
            tokens = "tokenize = 'unicode61 remove_diacritics 2'"
            words.execute(f"CREATE VIRTUAL TABLE words USING fts5({', '.join(columns)}, {tokens})")
            words.execute("BEGIN")
            slots = ", ".join("?" * (len(columns) + 1))
            insert = f"INSERT INTO words (rowid, {', '.join(columns)}) VALUES ({slots})"  # noqa: S608 - fixed names
            while some := rows.fetchmany(4096):
                words.executemany(insert, some)
            words.execute("COMMIT")


def _apart(con: Any) -> tuple[str, ...]:  # noqa: ANN401 - duckdb publishes no types
    """Some parcels, with their places, whose outlines lie apart although all their keys are equal."""
    rows = con.execute(f"""
        SELECT place, parcel, list(DISTINCT geometry) FROM
            (SELECT {_KEYS}, geometry FROM measured UNION ALL SELECT {_KEYS}, geometry FROM embedded)
        WHERE geometry IS NOT NULL GROUP BY {_KEYS} HAVING count(DISTINCT geometry) > 1
        ORDER BY place, parcel LIMIT {_LOOKED_AT}
    """).fetchall()  # noqa: S608 - fixed names
    found: dict[str, None] = {}
    for place, parcel, outlines in rows:
        west, south, east, north = shapely.bounds(shapely.from_wkb(outlines, on_invalid="ignore")).T
        if west.max() > east.min() or south.max() > north.min():
            found[f"{place}/{parcel}" if place else parcel] = None
    return tuple(found)[:_NAMED]


def _spill(database: Path) -> Path:
    """Where rows go that memory has no room for."""
    return database.with_name(f"{database.name}.spill")


def _newest(name: str) -> str:
    """The latest known value of a column, in the words of SQL."""
    return f"last({name} ORDER BY source) FILTER ({name} IS NOT NULL) AS {name}"
