"""Tables, written batch by batch in bounded memory: GeoParquet, GeoPackage, CSV or JSON lines, by suffix.

Rows gather in sealed part files beside the product; the last step joins them into the format asked for. Part files
never change, so a checkpoint is no more than their number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import shapely
from odc.geo.crs import CRS

from arpent.core import publish_file, sync_folder, writing
from arpent.errors import InvalidSetting, RunDamaged
from arpent.io.formats import GeometryColumn, write_csv, write_geopackage, write_jsonl
from arpent.io.geoparquet import GeometryFacts, write_geoparquet, write_parquet
from arpent.io.unfinished import Unfinished

__all__ = ["RowWriter"]

_SUFFIXES = (".parquet", ".geoparquet", ".gpkg", ".csv", ".jsonl")
_OWN = b"arpent:"  # keys of metadata that a table may carry
_STATE_FORMAT = 1
_PART_ROWS = 65_536  # rows held in memory before they are sealed
_PART_BYTES = 64 << 20
_GROUP_ROWS = 16_384  # rows of a row group: what a reader must fetch to see one row


class RowWriter(Unfinished):
    """Writes one table. See the module for how, and `Unfinished` for what becomes of it in its context.

    The product does not depend on how rows were cut into tables.

    Args:
        path: of the product; its suffix names the format: ``.parquet`` (or ``.geoparquet``), ``.gpkg``, ``.csv``,
            ``.jsonl``. Columns that hold lists or structs become JSON text in ``.gpkg`` and ``.csv``.
        schema: of the rows; None takes that of the first table. Of its metadata, keys that begin with ``arpent:`` are
            kept in the file where the format has room for them (Parquet).
        geometry: name of the column that holds geometries as WKB, where the table has one of that name.
        crs: of the geometries.
    """

    def __init__(
        self, path: str | Path, *, schema: pa.Schema | None = None, geometry: str = "geometry", crs: CRS | None = None
    ) -> None:
        self._prepare(path, schema, geometry, crs)
        self._clear_scratch()

    def _prepare(self, path: str | Path, schema: pa.Schema | None, geometry: str, crs: CRS | None) -> None:
        self._aim(path)
        if self.path.suffix.lower() not in _SUFFIXES:
            raise InvalidSetting(
                f"{self.path.name} names no table format",
                found=self.path.suffix or "no suffix",
                expected=", ".join(_SUFFIXES),
                cure="Choose one of these suffixes.",
            )
        self._schema = None if schema is None else _bare(schema)
        self._geometry, self._crs = geometry, crs
        self._buffer: list[pa.Table] = []
        self._held_rows = self._held_bytes = 0  # of the buffer
        self._parts = self._rows = 0

    @classmethod
    def resume(
        cls,
        path: str | Path,
        state: Mapping[str, Any],
        *,
        schema: pa.Schema | None = None,
        geometry: str = "geometry",
        crs: CRS | None = None,
    ) -> Self:
        """The writer as it was when `checkpoint` gave `state`."""
        writer = cls.__new__(cls)
        writer._prepare(path, schema, geometry, crs)
        parts = state.get("parts", 0)
        missing = [part for part in range(parts) if not writer._part(part).exists()]
        if state.get("format") != _STATE_FORMAT or missing or not writer._folder.is_dir():
            raise RunDamaged(
                f"the scratch folder of {path} does not hold its checkpoint",
                found=f"{len(missing)} parts missing of {parts}",
                cure="Start the table anew.",
            )
        with writing(writer.path):
            for later in writer._folder.glob("part-*"):
                if later.suffix != ".arrow" or int(later.stem.removeprefix("part-")) >= parts:
                    later.unlink()
        writer._parts, writer._rows, writer._checkpoints = parts, state["rows"], 1
        if parts and writer._schema is None:
            with pa.OSFile(str(writer._part(0))) as source:
                writer._schema = pa.ipc.open_file(source).schema
        return writer

    @property
    def rows_written(self) -> int:
        """How many rows have come."""
        return self._rows

    def write(self, table: pa.Table) -> None:
        """Adds rows."""
        with self._guarded():
            if self._schema is None:
                self._schema = _bare(table.schema)
            self._buffer.append(self._fitted(table))
            self._rows += table.num_rows
            self._held_rows += table.num_rows
            self._held_bytes += self._buffer[-1].nbytes
            if self._held_rows >= _PART_ROWS or self._held_bytes >= _PART_BYTES:
                self._seal()

    def _fitted(self, table: pa.Table) -> pa.Table:
        assert self._schema is not None
        if table.schema.names != self._schema.names:
            raise InvalidSetting(
                f"rows do not fit {self.path.name}",
                found=", ".join(table.schema.names),
                expected=", ".join(self._schema.names),
                cure="Give all rows the same columns.",
            )
        try:
            return table.cast(self._schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
            raise InvalidSetting(
                f"rows do not fit the columns of {self.path.name}", found=problem, cure="Give all rows the same types."
            ) from problem

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.arrow"

    def _seal(self) -> None:
        """Writes the rows in memory to a part of their own."""
        rows, self._buffer = self._buffer, []
        count, self._held_rows, self._held_bytes = self._held_rows, 0, 0
        if not count:
            return
        whole = pa.concat_tables(rows).combine_chunks()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        growing = self._part(self._parts).with_suffix(".growing")
        with growing.open("wb") as stream:
            with pa.ipc.new_file(stream, whole.schema, options=options) as sink:
                sink.write_table(whole)
            stream.flush()
            os.fsync(stream.fileno())
        growing.replace(self._part(self._parts))
        self._parts += 1

    def checkpoint(self) -> dict[str, Any]:
        """A small JSON value from which `resume` goes on. All rows written so far are on disk when it returns."""
        with self._guarded():
            self._seal()
            sync_folder(self._folder)
            self._checkpoints += 1
        return {"format": _STATE_FORMAT, "parts": self._parts, "rows": self._rows}

    def _groups(self) -> Iterator[pa.Table]:
        """All rows in tables of one size, whatever the sizes they came in."""
        waiting: list[pa.Table] = []
        count = 0
        for number in range(self._parts):
            with pa.OSFile(str(self._part(number))) as source:
                table = pa.ipc.open_file(source).read_all()
            while table.num_rows:
                piece = table.slice(0, _GROUP_ROWS - count)
                waiting.append(piece)
                count += piece.num_rows
                table = table.slice(piece.num_rows)
                if count == _GROUP_ROWS:
                    yield pa.concat_tables(waiting).combine_chunks()
                    waiting, count = [], 0
        if count:
            yield pa.concat_tables(waiting).combine_chunks()

    def close(self) -> Path:
        """Joins the parts into the product and puts it in place; its scratch folder goes."""
        finished = self._folder / f"finished{self.path.suffix.lower()}"
        with self._guarded():
            self._seal()
            if self._schema is None:
                raise InvalidSetting(
                    f"{self.path.name} has neither rows nor columns",
                    cure="Give the schema of a table that may be empty.",
                )
            try:
                self._join(finished, self._schema)
                publish_file(finished, self.path)
            finally:
                finished.unlink(missing_ok=True)
        self.abandon()
        return self.path

    def _join(self, target: Path, schema: pa.Schema) -> None:
        geometry = self._geometry if self._geometry in schema.names else None
        if target.suffix == ".gpkg":
            column = None
            if geometry is not None:
                facts = GeometryFacts()
                for table in self._groups():
                    facts.add(shapely.from_wkb(table[geometry].to_numpy()))
                column = GeometryColumn(geometry, frozenset(facts.kinds), self._crs)
            write_geopackage(target, schema, self._groups(), column, layer=self.path.stem)
            return
        with target.open("wb") as stream:
            if target.suffix == ".csv":
                write_csv(stream, schema, self._groups(), geometry)
            elif target.suffix == ".jsonl":
                write_jsonl(stream, self._groups(), geometry)
            elif geometry is None:
                write_parquet(stream, schema, self._groups())
            else:
                write_geoparquet(stream, schema, self._groups(), geometry, self._crs)

    def suspend(self) -> None:
        """Keeps the scratch folder, to be resumed from the last checkpoint."""
        self._usable = False
        self._buffer = []


def _bare(schema: pa.Schema) -> pa.Schema:
    """The schema without what other libraries have noted in its metadata."""
    own = {key: value for key, value in (schema.metadata or {}).items() if key.startswith(_OWN)}
    return schema.with_metadata(own) if own else schema.remove_metadata()
