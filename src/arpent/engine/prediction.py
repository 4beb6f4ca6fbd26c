"""The one prediction loop: read ahead, run the network, blend, write, keep the ledger.

Works on images of any size in the memory of one row of tiles, of tables in that of a few tiles, and goes on after any
interruption from the last finished row, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import Grid, Raster, Window
from arpent.core.progress import Progress, Silent
from arpent.engine.behind import Behind, gathered, kept_if_stopped
from arpent.engine.ledger import Ledger, Progressed
from arpent.engine.outputs import DenseOutput, Sink, TableOutput
from arpent.engine.task import Answer, Batch, Network, Product, Task
from arpent.errors import NoValidPixels
from arpent.io import read_ahead
from arpent.tiling import Tile, TilePlan, TileShape, pad_by_reflection

__all__ = ["Image", "Pad", "PredictOptions", "Prediction", "Prepare", "SinkFactory", "predict"]


class Image(Protocol):
    """What the loop reads from; `io.ImageReader` satisfies it."""

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        ...

    @property
    def source(self) -> str:
        """Its name, for people."""
        ...

    def read(self, window: Window, /) -> Raster:
        """The pixels of a window inside the grid; from any thread."""
        ...


Prepare = Callable[[NDArray[np.generic], NDArray[np.bool_]], NDArray[np.float32]]
"""Pixels ``(C, H, W)`` and mask ``(H, W)`` as read → what the network takes. Runs in the reading threads."""

Pad = Callable[[NDArray[np.float32], Window, Window], NDArray[np.float32]]
"""Network input ``(C, h, w)`` of the window inside the image, that window, and the tile's, which reaches beyond the
image at the bottom or on the right → the input for the whole tile. Runs in the reading threads."""

SinkFactory = Callable[[Product, Mapping[str, Any] | None], Sink[Any]]
"""A new sink for a product or, when given what it said at its last checkpoint, one that goes on from there."""


@dataclass(frozen=True)
class Prediction:
    """What a finished loop says of itself.

    Attributes:
        files: the published file of each product.
        tiles: that went through the network in this process.
        seconds: of the whole loop in this process.
        network_seconds: spent waiting for the network.
        cost: pixels read per pixel of the image.
    """

    files: Mapping[str, Path]
    tiles: int
    seconds: float
    network_seconds: float
    cost: float


@dataclass(frozen=True)
class _Prepared:
    """A tile as the network takes it."""

    tile: Tile
    image: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass
class _Clock:
    """Where the time goes."""

    started: float = field(default_factory=perf_counter)
    network: float = 0.0
    tiles: int = 0


@dataclass(frozen=True)
class _Outputs:
    """Everything that is fed with answers, and the sinks behind."""

    dense: Sequence[DenseOutput]
    tables: Sequence[TableOutput]
    sinks: Mapping[str, Sink[Any]]

    def begin_row(self, row: int) -> None:
        for output in self.dense:
            output.begin_row(row)

    def strips(self) -> list[tuple[str, Any]]:
        """What the finished row of tiles gives the sinks of maps."""
        return [(done.product, done.strip) for output in self.dense for done in output.end_row()]

    def rows(self) -> list[tuple[str, Any]]:
        """What the tiles since the last call give the sinks of tables."""
        return [(output.product.name, table) for output in self.tables for table in output.taken()]

    def state(self) -> dict[str, NDArray[np.float32]]:
        return {name: array for output in self.dense for name, array in output.state().items()}


def predict(
    task: Task,
    network: Network,
    image: Image,
    prepare: Prepare,
    *,
    shape: TileShape,
    sinks: SinkFactory,
    ledger: Ledger,
    options: PredictOptions | None = None,
) -> Prediction:
    """Runs a task's model over an image and publishes its products.

    Args:
        task: names the products and runs the model.
        network: the model, ready on a runtime.
        image: what to read.
        prepare: pixels as read → network input.
        shape: how to cut the image; for products of scale s, a quantum of s.
        sinks: makes the sink of a product.
        ledger: where progress is kept; a run found there goes on.
        options: batch size, threads, progress, fingerprint.

    Raises:
        NoValidPixels: the image has no pixel with data.
        Interrupted: by Ctrl-C; the ledger holds what is finished.
    """
    options = options or PredictOptions()
    clock = _Clock()
    grid = image.grid
    plan = TilePlan.of(grid.height, grid.width, shape)
    done = ledger.read(options.fingerprint)
    outputs = _open_outputs(task.products(), grid, shape, sinks, done)
    loop = _Loop(task, network, image, prepare, plan, outputs, ledger, options, clock)
    with kept_if_stopped(outputs.sinks, f"stopped while predicting {image.source}; the finished rows are kept"):
        loop.run(done)
        files = {name: sink.close() for name, sink in outputs.sinks.items()}
    return Prediction(files, clock.tiles, perf_counter() - clock.started, clock.network, plan.cost)


@dataclass(frozen=True)
class PredictOptions:
    """How the loop works; none of this changes a pixel except through rounding in the network.

    Attributes:
        batch_size: tiles per forward pass.
        read_threads: that read and prepare tiles ahead.
        fingerprint: hash of all that decides the pixels; a ledger with another one is refused.
        progress: who is told how far it is.
        pad: what the network sees beyond the image's edges.
    """

    batch_size: int = 2
    read_threads: int = 2
    fingerprint: str = ""
    progress: Progress = field(default_factory=Silent)
    pad: Pad = pad_by_reflection


def _open_outputs(
    products: Sequence[Product], grid: Grid, shape: TileShape, sinks: SinkFactory, done: Progressed
) -> _Outputs:
    mixed = TilePlan.of(grid.height, grid.width, shape)
    # Codes and dates are not mixed: the same tiles, whose cores alone count.
    cores = TilePlan.of(grid.height, grid.width, replace(shape, ring=0, halo=shape.halo + shape.ring))
    rasters = [product for product in products if product.kind == "raster"]
    tables = [TableOutput(product) for product in products if product.kind == "table"]
    return _Outputs(
        DenseOutput.of(rasters, {"taper": mixed, "centre": cores, "paint": mixed}),
        tables,
        {product.name: sinks(product, done.sinks.get(product.name)) for product in products},
    )


@dataclass
class _Loop:
    """The state of one call of `predict`."""

    task: Task
    network: Network
    image: Image
    prepare: Prepare
    plan: TilePlan
    outputs: _Outputs
    ledger: Ledger
    options: PredictOptions
    clock: _Clock

    def run(self, done: Progressed) -> None:
        """All rows from `done` on. Files are written beside the network: maps one row behind it, tables one batch."""
        if done.next_row:
            arrays = self.ledger.arrays(done)
            for output in self.outputs.dense:
                output.restore(done.next_row, arrays)
        rows = range(done.next_row, len(self.plan.rows))
        tiles = (tile for row in rows for tile in self.plan.row_of_tiles(row))
        title, count = Path(self.image.source).name, len(rows) * len(self.plan.cols)
        with self.options.progress.bar(title, count, "tiles") as bar, Behind() as behind:
            reading = read_ahead(
                self._prepared, tiles, threads=self.options.read_threads, ahead=2 * self.options.batch_size
            )
            seen = done.seen_valid
            try:
                for row in rows:
                    self.outputs.begin_row(row)
                    of_row = islice(reading, len(self.plan.cols))
                    for batch in gathered(of_row, self.options.batch_size, lambda entry: entry.valid.shape):
                        seen |= self._process(batch)
                        if self.outputs.tables:
                            behind.do(self._write, self.outputs.rows())
                        bar.advance(len(batch))
                    progressed = replace(done, next_row=row + 1, seen_valid=seen)
                    behind.do(self._finish_row, self.outputs.strips(), self.outputs.state(), progressed)
                behind.catch_up()
            finally:
                reading.close()
        if not seen:
            raise NoValidPixels(
                f"{self.image.source} has no pixel with data",
                cure="Check the image's no-data value, its mask and the area asked for.",
            )

    def _prepared(self, tile: Tile) -> _Prepared:
        """Reads a tile; runs in the reading threads."""
        inside = tile.window.intersect(self.image.grid.window)
        raster = self.image.read(inside)
        pixels = self.prepare(raster.pixels, raster.valid)
        valid = np.zeros(tile.window.shape, bool)
        valid[: inside.height, : inside.width] = raster.valid
        return _Prepared(tile, self.options.pad(pixels, inside, tile.window), valid)

    def _process(self, prepared: Sequence[_Prepared]) -> bool:
        """Runs a batch through the network and feeds the outputs; whether it had any valid pixel."""
        seen = [entry for entry in prepared if entry.valid.any()]
        answer = self._answer(seen) if seen else {}
        number = 0
        for entry in prepared:
            blank = number >= len(seen) or entry is not seen[number]
            for output in self.outputs.dense:
                if blank:
                    output.add_nothing(entry.tile)
                else:
                    output.add(entry.tile, number, answer, entry.valid)
            number += not blank
        if seen:
            for table in self.outputs.tables:
                table.add(answer)
        return bool(seen)

    def _answer(self, seen: Sequence[_Prepared]) -> Answer:
        started = perf_counter()
        batch: Batch = {
            "image": torch.from_numpy(np.stack([entry.image for entry in seen])),
            "valid": torch.from_numpy(np.stack([entry.valid for entry in seen])),
            "windows": [entry.tile.window for entry in seen],
            "tiles": [entry.tile for entry in seen],
        }
        answer = self.task.infer(self.network, batch)
        self.clock.network += perf_counter() - started
        self.clock.tiles += len(seen)
        return answer

    def _write(self, ready: Sequence[tuple[str, Any]]) -> None:
        """Hands the sinks what is theirs; runs in the writing thread."""
        for name, item in ready:
            self.outputs.sinks[name].write(item)

    def _finish_row(
        self, strips: Sequence[tuple[str, Any]], state: Mapping[str, NDArray[np.float32]], done: Progressed
    ) -> None:
        """Hands a finished row to the sinks and, once all of it is on the disk, to the ledger."""
        self._write(strips)
        said = {name: dict(sink.checkpoint()) for name, sink in self.outputs.sinks.items()}
        self.ledger.write(replace(done, sinks=said), state)
