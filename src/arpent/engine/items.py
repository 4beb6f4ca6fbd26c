"""The one prediction loop over lists: read ahead, gather into batches, run the network, write rows, keep the ledger.

What `prediction` is to the tiles of an image, this is to parcels, chips or pictures: the same threads, sinks and
ledger. An item that is at fault itself is noted, and the others go on. After any interruption a list goes on where it
was, to the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from arpent import errors
from arpent.core.progress import Bar, Progress, Silent
from arpent.engine.behind import Behind, gathered, kept_if_stopped
from arpent.engine.crew import Opener, Reading, answers_of_items, items_made_ready
from arpent.engine.item_work import OF_ONE_ITEM, Entry, ItemsAnswered, ItemWork, Listed, Memory
from arpent.engine.ledger import Ledger, Progressed
from arpent.engine.outputs import Sink, TableOutput
from arpent.engine.prediction import SinkFactory
from arpent.errors import ArpentError, PartialFailure, RunDamaged

__all__ = ["OF_ONE_ITEM", "FailedItem", "ItemOptions", "ItemWork", "ItemsDone", "Memory", "predict_items"]

Item = TypeVar("Item")
Ready = TypeVar("Ready")


@dataclass(frozen=True)
class ItemOptions:
    """How the loop works; none of this changes a row except through rounding in the network.

    Attributes:
        batch_size: items per pass through the network.
        read_threads: that read and prepare items ahead.
        fingerprint: hash of all that decides the rows; a ledger with another one is refused.
        title: of the progress bar ("scene.tif").
        unit: what is counted there ("parcels").
        every: seconds of work that a kill may cost.
        progress: who is told how far it is.
        opener: opens the same work in another process; None for work that is done in this one alone.
    """

    batch_size: int = 8
    read_threads: int = 2
    fingerprint: str = ""
    title: str = ""
    unit: str = "items"
    every: float = 5.0
    progress: Progress = field(default_factory=Silent)
    opener: Opener | None = None


@dataclass(frozen=True)
class FailedItem:
    """An item that could not be done.

    Attributes:
        number: its place in the list.
        name: what people call it.
        error: why.
    """

    number: int
    name: str
    error: ArpentError


@dataclass(frozen=True)
class ItemsDone:
    """What a finished loop says of itself.

    Attributes:
        files: the published file of each product.
        count: items that are done, those of earlier attempts among them.
        failures: the first failed item of each name.
        seconds: of the whole loop in this process.
        network_seconds: spent in the task's answers, of all who gave them.
        halved: batches that were asked for in parts, for want of memory.
    """

    files: Mapping[str, Path]
    count: int
    failures: tuple[FailedItem, ...]
    seconds: float
    network_seconds: float
    halved: int = 0


def predict_items(
    work: ItemWork[Item, Ready],
    items: Sequence[Item],
    *,
    sinks: SinkFactory,
    ledger: Ledger,
    memory: Memory | None = None,
    options: ItemOptions | None = None,
) -> ItemsDone:
    """Does a task's work on every item of a list, and publishes its tables.

    Args:
        work: names the products, reads items, and answers for batches of them.
        items: in the order of the rows.
        sinks: makes the sink of a product.
        ledger: where progress is kept; a run found there goes on.
        memory: what the work carries from batch to batch, if it does.
        options: batch size, threads, progress, fingerprint.

    Raises:
        The error of the item: there is only one, and it failed.
        PartialFailure: all of several items failed.
        Interrupted: by Ctrl-C; the ledger holds what is finished.
    """
    options = options or ItemOptions()
    done = ledger.read(options.fingerprint)
    products = work.products()
    files = {product.name: sinks(product, done.sinks.get(product.name)) for product in products}
    loop = _Loop(work, items, [TableOutput(product) for product in products], files, ledger, memory, options)
    began = time.perf_counter()
    with kept_if_stopped(files, f"stopped with {options.title or options.unit} unfinished; what is done is kept"):
        loop.run(done)
        _refuse_nothing(loop.failures, loop.done, options.unit)
        closed = {name: sink.close() for name, sink in files.items()}
    seconds = time.perf_counter() - began
    return ItemsDone(closed, loop.done, tuple(loop.failures), seconds, loop.network_seconds, loop.halved)


@dataclass
class _Loop(Generic[Item, Ready]):
    """The state of one call of `predict_items`."""

    work: ItemWork[Item, Ready]
    items: Sequence[Item]
    tables: Sequence[TableOutput]
    sinks: Mapping[str, Sink[Any]]
    ledger: Ledger
    memory: Memory | None
    options: ItemOptions
    failures: list[FailedItem] = field(default_factory=list)
    fallen: set[str] = field(default_factory=set)  # their names
    done: int = 0
    network_seconds: float = 0.0
    halved: int = 0

    def run(self, done: Progressed) -> None:
        """All items from `done` on. Files are written beside the network, one batch behind it."""
        first = done.next_row
        for kept in done.failures:
            self._fail(_recalled(kept))
        self.done = done.items
        if self.memory is not None and done.arrays is not None:
            self.memory.restore(self.ledger.arrays(done))
        title = self.options.title or self.options.unit
        with (
            self.options.progress.bar(title, len(self.items) - first, self.options.unit) as bar,
            Behind() as behind,
            closing(self._ready(first)) as reading,
        ):
            batches = gathered(self._good(reading, bar), self.options.batch_size, lambda entry: entry.alike)
            last = time.monotonic()
            with closing(answers_of_items(self.work, self.options.opener, batches)) as answers:
                for batch, answered in answers:
                    rows = self._rows(answered)
                    self.done += len(batch)
                    bar.advance(len(batch))
                    if time.monotonic() - last < self.options.every:
                        behind.do(self._write, rows)
                        continue
                    last = time.monotonic()
                    state = {} if self.memory is None else self.memory.state()
                    behind.do(self._keep, rows, state, self._progressed(done, batch[-1].number + 1))
                behind.catch_up()

    def _ready(self, first: int) -> Generator[Entry, None, None]:
        """The items from `first` on, read ahead."""
        reading = Reading(self.options.read_threads, 2 * self.options.batch_size)
        return items_made_ready(self.work, self.options.opener, self._listed(first), reading)

    def _listed(self, first: int) -> Iterator[Listed]:
        for number in range(first, len(self.items)):
            item = self.items[number]
            name = self.work.name(item)
            yield Listed(number, name, item, name not in self.fallen)  # which spares the reading

    def _good(self, reading: Iterator[Entry], bar: Bar) -> Iterator[Entry]:
        """The entries that can be used; the others are noted."""
        for entry in reading:
            if entry.name not in self.fallen and entry.error is None:
                yield entry
                continue
            if entry.name not in self.fallen and entry.error is not None:
                self._fail(FailedItem(entry.number, entry.name, entry.error))
            bar.advance()

    def _fail(self, failed: FailedItem) -> None:
        self.failures.append(failed)
        self.fallen.add(failed.name)

    def _rows(self, answered: ItemsAnswered) -> list[tuple[str, Any]]:
        """What the sinks get of the answer for a batch."""
        answer = answered.told if self.memory is None else self.memory.take(answered.told)
        self.network_seconds += answered.seconds
        self.halved += answered.parts > 1
        for table in self.tables:
            table.add(answer)
        return [(table.product.name, rows) for table in self.tables for rows in table.taken()]

    def _progressed(self, done: Progressed, following: int) -> Progressed:
        """How far it has come. What failed further ahead will fail again."""
        failures = [_kept(failed) for failed in self.failures if failed.number < following]
        return replace(done, next_row=following, items=self.done, failures=failures)

    def _write(self, rows: Sequence[tuple[str, Any]]) -> None:
        """Hands the sinks what is theirs; runs in the writing thread."""
        for name, item in rows:
            self.sinks[name].write(item)

    def _keep(
        self, rows: Sequence[tuple[str, Any]], state: Mapping[str, NDArray[np.generic]], done: Progressed
    ) -> None:
        """Hands rows to the sinks and, once all of it is on the disk, says so in the ledger."""
        self._write(rows)
        said = {name: dict(sink.checkpoint()) for name, sink in self.sinks.items()}
        self.ledger.write(replace(done, sinks=said), state)


def _refuse_nothing(failures: Sequence[FailedItem], done: int, unit: str) -> None:
    """Ends a run in which nothing could be done."""
    if done or not failures:
        return
    if len(failures) == 1:
        raise failures[0].error
    raise PartialFailure(
        f"none of {len(failures)} {unit} could be done; first: {failures[0].error.what}",
        cure=failures[0].error.cure,
    )


def _kept(failed: FailedItem) -> dict[str, Any]:
    """A failure as the ledger has it."""
    error = failed.error
    found, expected = (None if fact is None else str(fact) for fact in (error.found, error.expected))
    return {
        "number": failed.number,
        "name": failed.name,
        "error": type(error).__name__,
        "what": error.what,
        "found": found,
        "expected": expected,
        "cure": error.cure,
    }


def _recalled(kept: Mapping[str, Any]) -> FailedItem:
    kind = getattr(errors, str(kept["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, ArpentError)):
        raise RunDamaged(
            "what the ledger says of failed items cannot be understood",
            found=f"an error called {kept['error']}",
            expected="one of Arpent's",
            cure="Begin anew with --force.",
        )
    error = kind(kept["what"], found=kept["found"], expected=kept["expected"], cure=kept["cure"])
    return FailedItem(kept["number"], kept["name"], error)
