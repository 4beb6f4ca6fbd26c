"""Cloud-optimised GeoTIFFs, written row by row in bounded memory, and resumed after a crash.

Rows arrive from top to bottom. Each level of the pyramid holds one row of blocks; a full one is compressed and
appended to a scratch file beside the product, and its pixels, halved, feed the next level. When the last row is there,
the directories are written and the blocks copied behind them in the order that a COG demands. Nothing is compressed
twice, and nothing is read back but compressed blocks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Strip, band_count, publish_file, sync_folder, write_file, writing
from arpent.errors import InvalidSetting, OutputError, RunDamaged
from arpent.io.assemble import StoredLevel, assemble
from arpent.io.blocks import BlockCodec
from arpent.io.geotags import geotags, sidecar
from arpent.io.overviews import halved, is_valid
from arpent.io.scratch import BlockLog
from arpent.io.spec import RasterSpec
from arpent.io.tally import BandStatistics, Tally
from arpent.io.unfinished import Unfinished

__all__ = ["CogWriter"]

_STATE_FORMAT = 1
_KEPT_TAILS = 2  # a caller may die between a checkpoint and writing its state down: the one before must still work


@dataclass
class _Level:
    """One level of the pyramid: the row of blocks that is being filled, and the log of those that are done."""

    grid: Grid
    log: BlockLog
    rows: NDArray[np.generic]
    received: int = 0
    filled: int = 0

    @property
    def pending(self) -> NDArray[np.generic]:
        """The rows that no finished block holds yet."""
        return self.rows[:, : self.filled]

    @property
    def complete(self) -> bool:
        """Whether the last row has come."""
        return self.received == self.grid.height


class CogWriter(Unfinished):
    """Writes one raster product. See the module for how, and `Unfinished` for what becomes of it in its context.

    Args:
        path: of the product. A scratch folder ``.NAME.partial`` stands beside it until it is finished; one left over
            from an earlier attempt is removed.
        spec: what the product will be.
        threads: that compress; the bytes do not depend on their number.
    """

    def __init__(self, path: str | Path, spec: RasterSpec, *, threads: int = 2) -> None:
        self._aim(path)
        self.spec, self._threads = spec, threads
        self._clear_scratch()
        self._begin({})

    @classmethod
    def resume(cls, path: str | Path, spec: RasterSpec, state: Mapping[str, Any], *, threads: int = 2) -> Self:
        """The writer as it was when `checkpoint` gave `state`; continue with row `rows_written`.

        The last two checkpoints of a writer can be resumed.
        """
        writer = cls.__new__(cls)
        writer._aim(path)
        writer.spec, writer._threads = spec, threads
        if state.get("format") != _STATE_FORMAT or state.get("spec") != spec.fingerprint:
            raise RunDamaged(
                f"the checkpoint of {path} belongs to another product",
                cure="Resume with the settings it was begun with, or start anew.",
            )
        with writing(writer.path):
            writer._begin(state)
        return writer

    def _begin(self, state: Mapping[str, Any]) -> None:
        spec = self.spec
        self._codec = BlockCodec.of(spec)
        self._tally = Tally(spec.bands, spec.nodata)
        self._checkpoints = state.get("checkpoint", 0)
        self._levels: list[_Level] = []
        tails = self._load_tail() if state else []
        with writing(self.path), ExitStack() as opened:
            for index, grid in enumerate(spec.levels):
                known = state["levels"][index] if state else None
                log = BlockLog.reopen(self._folder, index, known) if known else BlockLog(self._folder, index)
                opened.callback(log.close)
                rows = np.empty((len(spec.bands), min(spec.block, grid.height), grid.width), spec.dtype)
                level = _Level(grid, log, rows)
                if known:
                    level.received, level.filled = known["rows"], tails[index].shape[1]
                    level.pending[...] = tails[index]
                self._levels.append(level)
            opened.pop_all()
        if state:
            self._tally.restore(state["tally"])
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="arpent-cog")

    @property
    def rows_written(self) -> int:
        """How many rows have come; also the row that must come next."""
        return self._levels[0].received

    @property
    def statistics(self) -> tuple[BandStatistics, ...]:
        """Statistics of each band over the rows of finished blocks; over all pixels once the writer is closed."""
        return self._tally.summaries(self.spec.grid.window.size)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Adds metadata that is known only once pixels have come; it is not in checkpoints."""
        self.spec = replace(self.spec, tags={**self.spec.tags, **tags})

    def write(self, strip: Strip) -> None:
        """Adds the next rows, any number of them."""
        self._check(strip)
        with self._guarded():
            self._feed(0, strip.values)

    def _check(self, strip: Strip) -> None:
        bands, rows, width = strip.values.shape
        if (bands, width) != (len(self.spec.bands), self.spec.grid.width) or str(strip.values.dtype) != self.spec.dtype:
            raise InvalidSetting(
                f"a strip does not fit {self.path.name}",
                found=f"{band_count(bands)} of {width} columns, {strip.values.dtype}",
                expected=f"{band_count(len(self.spec.bands))} of {self.spec.grid.width} columns, {self.spec.dtype}",
                cure="Make the strip fit its specification.",
            )
        if strip.row != self.rows_written or strip.row + rows > self.spec.grid.height:
            raise InvalidSetting(
                f"rows {strip.row} to {strip.row_end} of {self.path.name} come out of turn",
                expected=f"rows from {self.rows_written} on, at most to {self.spec.grid.height}",
                cure="Write strips from top to bottom without gaps.",
            )

    def _feed(self, index: int, values: NDArray[np.generic]) -> None:
        level = self._levels[index]
        capacity = level.rows.shape[1]
        taken = 0
        while taken < values.shape[1]:
            count = min(capacity - level.filled, values.shape[1] - taken)
            level.rows[:, level.filled : level.filled + count] = values[:, taken : taken + count]
            level.filled += count
            level.received += count
            taken += count
            if level.filled == capacity or level.complete:
                self._finish_row_of_blocks(index)

    def _finish_row_of_blocks(self, index: int) -> None:
        level = self._levels[index]
        rows = level.pending
        packed = self._pool.map(self._packed, self._blocks(rows))
        if index == 0:
            self._tally.add(rows)
        if index + 1 < len(self._levels):
            coarser = halved(rows, self.spec.overviews, self.spec.nodata)
        level.log.append(packed)
        level.filled = 0
        if index + 1 < len(self._levels):
            self._feed(index + 1, coarser)

    def _blocks(self, rows: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
        """The blocks of a row as ``(bands in the block, rows, columns)``, band by band where bands lie apart."""
        side = self.spec.block
        for column in range(0, rows.shape[2], side):
            block = rows[:, :, column : column + side]
            if self.spec.interleaved:
                yield block
            else:
                for band in range(rows.shape[0]):
                    yield block[band : band + 1]

    def _packed(self, block: NDArray[np.generic]) -> bytes:
        """The bytes of a block; none where it is all no-data."""
        if self.spec.nodata is not None and not is_valid(block, self.spec.nodata).any() and self._is_plain(block):
            return b""
        bands, rows, columns = block.shape
        side = self.spec.block
        if (rows, columns) == (side, side):
            return self._codec.encode(block.transpose(1, 2, 0))
        padded = np.full((side, side, bands), self.spec.fill, self.spec.dtype)
        padded[:rows, :columns] = block.transpose(1, 2, 0)
        return self._codec.encode(padded)

    def _is_plain(self, block: NDArray[np.generic]) -> bool:
        """Whether all pixels are no-data itself, and not NaN beside a no-data value that is a number."""
        nodata = self.spec.nodata
        if not self.spec.is_float or nodata is None or math.isnan(nodata):
            return True
        return bool((block == block.dtype.type(nodata)).all())

    def checkpoint(self) -> dict[str, Any]:
        """A small JSON value from which `resume` goes on. All rows written so far are on disk when it returns."""
        with self._guarded():
            self._checkpoints += 1
            for level in self._levels:
                level.log.sync()
            tail = self._tail_path(self._checkpoints)
            with tail.open("wb") as stream:
                for level in self._levels:
                    # Through memory: numpy writes to a file by itself, and hides the reason when the disk is full.
                    packed = BytesIO()
                    np.save(packed, level.pending)
                    stream.write(packed.getbuffer())
                stream.flush()
                os.fsync(stream.fileno())
            sync_folder(self._folder)
            self._tail_path(self._checkpoints - _KEPT_TAILS).unlink(missing_ok=True)
        return {
            "format": _STATE_FORMAT,
            "spec": self.spec.fingerprint,
            "rows": self.rows_written,
            "checkpoint": self._checkpoints,
            "levels": [{"rows": level.received, **level.log.state()} for level in self._levels],
            "tally": self._tally.state(),
        }

    def _tail_path(self, checkpoint: int) -> Path:
        return self._folder / f"tail-{checkpoint}.npy"

    def _load_tail(self) -> list[NDArray[np.generic]]:
        path = self._tail_path(self._checkpoints)
        try:
            with path.open("rb") as stream:
                return [np.load(stream, allow_pickle=False) for _ in self.spec.levels]
        except (FileNotFoundError, EOFError, ValueError) as problem:
            raise RunDamaged(
                f"the scratch folder of {self.path} does not hold its checkpoint",
                found=problem,
                expected=f"a whole file {path}",
                cure="Start the product anew.",
            ) from problem

    def close(self) -> Path:
        """Finishes the product and puts it in place; its scratch folder goes."""
        if self.rows_written != self.spec.grid.height:
            raise OutputError(
                f"{self.path.name} is not complete",
                found=f"{self.rows_written} rows",
                expected=f"{self.spec.grid.height} rows",
                cure="Write the rows that are missing, or abandon it.",
            )
        finished = self._folder / "finished.tif"
        with self._guarded():
            stored = [self._stored(level) for level in self._levels]
            try:
                assemble(finished, self.spec, geotags(self.spec, self.statistics), stored)
                # The sidecar first: names without a map do no harm, a map without its names does.
                names = sidecar(self.spec, self.statistics)
                aside = self.path.with_name(f"{self.path.name}.aux.xml")
                if names is None:
                    aside.unlink(missing_ok=True)
                else:
                    write_file(aside, names)
                publish_file(finished, self.path)
            finally:
                finished.unlink(missing_ok=True)
        self.abandon()
        return self.path

    def _stored(self, level: _Level) -> StoredLevel:
        level.log.flush()
        down, across = (math.ceil(size / self.spec.block) for size in level.grid.shape)
        planes = 1 if self.spec.interleaved else len(self.spec.bands)
        return StoredLevel(level.grid, level.log.path, level.log.sizes().reshape(down, across, planes))

    def suspend(self) -> None:
        """Lets go of all files and keeps the scratch folder, to be resumed from its last checkpoint."""
        self._usable = False
        self._pool.shutdown(cancel_futures=True)
        for level in self._levels:
            level.log.close()
