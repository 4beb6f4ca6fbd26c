"""One pass over a mosaic: windows are made by threads, rows are written in order, and any kill is survived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Strip, Window, writing
from arpent.core.progress import Bar
from arpent.engine.crew import Opener, Reading, made_ahead
from arpent.engine.ledger import Ledger, Progressed
from arpent.io import CogWriter, RasterSpec

__all__ = ["Sweep", "swept"]

_STRIP_BYTES = 64 << 20
_WINDOW_BYTES = 16 << 20
_ROWS = 512
_COLUMNS = 1024
_LEAST = 64

Make = Callable[[Window], Mapping[str, NDArray[np.generic]]]
"""The pixels of a window, by product."""


@dataclass(frozen=True)
class Sweep:
    """What one pass makes.

    Attributes:
        specs: of the products, by name.
        open: gives the function that makes the pixels ``(bands, height, width)`` of a window, by product; also in
            other processes.
        fingerprint: of all that decides the pixels.
    """

    specs: Mapping[str, RasterSpec]
    open: Opener
    fingerprint: str

    @property
    def grid(self) -> Grid:
        """The grid of all products."""
        return next(iter(self.specs.values())).grid

    @property
    def rows(self) -> int:
        """Rows that are made at a time: whatever the products are, a strip of them fits in some 64 MiB."""
        pixel = sum(len(spec.bands) * spec.itemsize for spec in self.specs.values())
        fit = _STRIP_BYTES // (pixel * self.grid.width)
        return max(_LEAST, min(_ROWS, fit // _LEAST * _LEAST))

    @property
    def columns(self) -> int:
        """Columns of a window."""
        pixel = sum(len(spec.bands) * spec.itemsize for spec in self.specs.values())
        return max(_LEAST, min(_COLUMNS, _WINDOW_BYTES // (pixel * self.rows) // _LEAST * _LEAST))


def swept(sweep: Sweep, folder: Path, published: Path, bar: Bar, *, threads: int) -> dict[str, Path]:
    """Makes the products of a sweep, or goes on with them; where each file is, by name.

    Args:
        sweep: what to make.
        folder: for unfinished files; a ledger in it says how far an earlier attempt has come.
        published: where a finished product may lie already.
        bar: told about every pixel.
        threads: that make windows.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder)
    progressed = ledger.read(sweep.fingerprint)
    files = {name: folder / f"{name}.tif" for name in sweep.specs}
    there = _finished(files, published) if progressed.sinks else {}
    with ExitStack() as open_ones:
        writers = {}
        for name, spec in sweep.specs.items():
            if name in there:
                continue
            state = progressed.sinks.get(name)
            writer = CogWriter(files[name], spec) if state is None else CogWriter.resume(files[name], spec, state)
            writers[name] = open_ones.enter_context(writer)
        bar.advance(progressed.next_row * sweep.grid.width)
        for strip in _strips(sweep, progressed.next_row, threads):
            for name, writer in writers.items():
                writer.write(Strip(strip.row, strip.values[name]))
            kept = {name: writer.checkpoint() for name, writer in writers.items()}
            done = next(iter(strip.values.values())).shape[1]
            ledger.write(Progressed(sweep.fingerprint, strip.row + done, kept, True), {})
            bar.advance(done * sweep.grid.width)
    return files | there


def _finished(files: Mapping[str, Path], published: Path) -> dict[str, Path]:
    """The products that an earlier attempt has closed."""
    places = {name: (published / file.name, file) for name, file in files.items()}
    return {name: file for name, two in places.items() for file in two if file.exists()}


@dataclass(frozen=True)
class _Rows:
    """Finished rows of all products."""

    row: int
    values: Mapping[str, NDArray[np.generic]]


def _strips(sweep: Sweep, begin: int, threads: int) -> Iterator[_Rows]:
    """The strips from row `begin` on; the windows of the next one are made while one is written."""
    whole = sweep.grid.window
    left = Window.between(begin, 0, whole.row_end, whole.col_end)
    windows = left.blocks(sweep.rows, sweep.columns)
    with closing(made_ahead(sweep.open, windows, Reading(threads, threads + 1))) as made:
        for strip in left.strips(sweep.rows):
            shapes = {name: (len(spec.bands), *strip.shape) for name, spec in sweep.specs.items()}
            values = {name: np.empty(shapes[name], spec.dtype) for name, spec in sweep.specs.items()}
            for window in strip.blocks(sweep.rows, sweep.columns):
                maps = next(made)
                for name, pixels in values.items():
                    pixels[:, *window.relative_to(strip).slices] = maps[name]
            yield _Rows(strip.row, values)
