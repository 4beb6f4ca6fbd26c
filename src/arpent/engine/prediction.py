"""The one prediction loop: read ahead, run the network, blend, write, keep the ledger.

Works on images of any size in the memory of one row of tiles, of tables in that of a few tiles, and goes on after any
interruption from the last finished row, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid
from arpent.core.progress import Progress, Silent
from arpent.engine.behind import Behind, gathered, kept_if_stopped
from arpent.engine.crew import Opener, Reading, answers_of_tiles
from arpent.engine.ledger import Ledger, Progressed
from arpent.engine.outputs import DenseOutput, Sink, TableOutput
from arpent.engine.task import Network, Product, Task
from arpent.engine.tile_work import Answered, Image, Pad, Prepare, TileWork
from arpent.errors import NoValidPixels
from arpent.tiling import Tile, TilePlan, TileShape, pad_by_reflection

__all__ = ["PredictOptions", "Prediction", "SinkFactory", "predict"]


SinkFactory = Callable[[Product, Mapping[str, Any] | None], Sink[Any]]
"""A new sink for a product or, when given what it said at its last checkpoint, one that goes on from there."""


@dataclass(frozen=True)
class Prediction:
    """What a finished loop says of itself.

    Attributes:
        files: the published file of each product.
        tiles: that went through the network in this process.
        seconds: of the whole loop in this process.
        network_seconds: spent in the network, of all who ran it.
        cost: pixels read per pixel of the image.
        halved: batches that went through the network in parts, for want of memory.
    """

    files: Mapping[str, Path]
    tiles: int
    seconds: float
    network_seconds: float
    cost: float
    halved: int = 0


@dataclass
class _Clock:
    """Where the time goes."""

    started: float = field(default_factory=perf_counter)
    network: float = 0.0
    tiles: int = 0
    halved: int = 0


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
    work = TileWork(task, network, image, prepare, options.pad)
    loop = _Loop(work, plan, outputs, ledger, options, clock)
    with kept_if_stopped(outputs.sinks, f"stopped while predicting {image.source}; the finished rows are kept"):
        loop.run(done)
        files = {name: sink.close() for name, sink in outputs.sinks.items()}
    return Prediction(files, clock.tiles, perf_counter() - clock.started, clock.network, plan.cost, clock.halved)


@dataclass(frozen=True)
class PredictOptions:
    """How the loop works; none of this changes a pixel except through rounding in the network.

    Attributes:
        batch_size: tiles per forward pass.
        read_threads: that read and prepare tiles ahead.
        fingerprint: hash of all that decides the pixels; a ledger with another one is refused.
        progress: who is told how far it is.
        pad: what the network sees beyond the image's edges.
        opener: opens the same work in another process; None for work that is done in this one alone.
    """

    batch_size: int = 2
    read_threads: int = 2
    fingerprint: str = ""
    progress: Progress = field(default_factory=Silent)
    pad: Pad = pad_by_reflection
    opener: Opener | None = None


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

    work: TileWork
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
        title, count = Path(self.work.image.source).name, len(rows) * len(self.plan.cols)
        batches = (batch for row in rows for batch in self._batches(row))
        reading = Reading(self.options.read_threads, 2 * self.options.batch_size)
        with (
            self.options.progress.bar(title, count, "tiles") as bar,
            Behind() as behind,
            closing(answers_of_tiles(self.work, self.options.opener, batches, reading)) as answers,
        ):
            seen = done.seen_valid
            for row in rows:
                self.outputs.begin_row(row)
                for batch in self._batches(row):
                    seen |= self._take(batch, next(answers))
                    if self.outputs.tables:
                        behind.do(self._write, self.outputs.rows())
                    bar.advance(len(batch))
                progressed = replace(done, next_row=row + 1, seen_valid=seen)
                behind.do(self._finish_row, self.outputs.strips(), self.outputs.state(), progressed)
            behind.catch_up()
        if not seen:
            raise NoValidPixels(
                f"{self.work.image.source} has no pixel with data",
                cure="Check the image's no-data value, its mask and the area asked for.",
            )

    def _batches(self, row: int) -> Iterator[list[Tile]]:
        """The tiles of a row that go through the network together."""
        return gathered(self.plan.row_of_tiles(row), self.options.batch_size, lambda tile: tile.window.shape)

    def _take(self, batch: Sequence[Tile], answered: Answered) -> bool:
        """Feeds the outputs with the answers for a batch; whether it had any valid pixel."""
        number = 0
        for tile, valid in zip(batch, answered.valid, strict=True):
            for output in self.outputs.dense:
                if valid is None:
                    output.add_nothing(tile)
                else:
                    output.add(tile, number, answered.answer, valid)
            number += valid is not None
        if number:
            for table in self.outputs.tables:
                table.add(answered.answer)
        self.clock.network += answered.seconds
        self.clock.tiles += number
        self.clock.halved += answered.parts > 1
        return bool(number)

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
