"""Plans for commands that work on a list: some of its items are run, and the shards are parts of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from arpent.cli.plannable import Asked
from arpent.cli.planned import Calibration, Planned, PlannedShard, Wanted, together
from arpent.engine.calibration import Consumed, Extent, Rates, consumed
from arpent.engine.item_work import OF_ONE_ITEM
from arpent.errors import InvalidSetting, PartialFailure
from arpent.io.picture import picture_files

__all__ = ["PartsOfList"]

_FEW, _MANY = 4, 2000
"""Items of a small part, unless there are few in all, and of a large one at most."""

_TRIES = 8
_NAMED = 3

_LONGEST = 1_000_000
"""Bytes of a command; systems take twice as many, with the environment."""

_STEP = 0.6180339887498949
"""Between the places, within equal parts of the list, of the items that a part and the next one take."""


class PartsOfList:
    """Items of a list, spread over it.

    Args:
        job: the command.
        wanted: what is to be planned.
        folder: for its runs.
    """

    def __init__(self, job: Asked, wanted: Wanted, folder: Path) -> None:
        self._job, self._wanted, self._folder, self._runs = job, wanted, folder, 0
        job.check()
        named = [str(item) for item in job.given[job.parameter] or ()]
        self._items = list(_listed(job, named))
        if not self._items:
            raise InvalidSetting(
                "there is nothing to plan for",
                found=", ".join(named[:_NAMED]) or f"no {job.parameter}",
                cure=f"Name {job.parameter}; of more than are here a sample will do, with --count.",
            )
        self._few = max(min(_FEW, len(self._items) // 3), 1)
        self.simulated = False
        self.source = ", ".join(named[:_NAMED]) + (", …" if len(named) > _NAMED else "")

    def warm(self) -> None:
        """Runs one item."""
        self._run(1)

    def small(self) -> Consumed:
        """Runs a few items."""
        return self._run(self._few)

    def large(self, units: float) -> Consumed | None:
        """Runs so many items about; None where there are only a few."""
        many = int(min(max(units, 2 * self._few), _MANY, len(self._items)))
        return self._run(many) if many >= 2 * self._few else None

    def _run(self, count: int) -> Consumed:
        """Runs so many items; others, where all of these are at fault. Some that are do no harm: the job has such."""
        for _ in range(_TRIES - 1):
            with suppress(*OF_ONE_ITEM):
                return self._tried(count)
        return self._tried(count)

    def _tried(self, count: int) -> Consumed:
        self._runs += 1
        step = len(self._items) / count
        chosen = [self._items[int((self._runs * _STEP % 1 + number) * step)] for number in range(count)]
        output = self._folder / f"part-{self._runs}"

        def run() -> Extent:
            with suppress(PartialFailure):
                self._job.run(output, {self._job.parameter: chosen})
            return Extent(count, count)

        return consumed(run, output)

    def told(self, found: Rates, how: Calibration) -> Planned:
        """The plan of the list, or of the longer one of which it is a sample."""
        wanted, total = self._wanted, self._wanted.count or len(self._items)
        if wanted.shards > total:
            raise InvalidSetting(
                "each shard needs an item", found=f"{wanted.shards} shards of {total}", cure="Take fewer shards."
            )
        shards = []
        for number in range(wanted.shards):
            first, last = (total * one // wanted.shards for one in (number, number + 1))
            command = None
            if wanted.count is None:
                command = self._job.shard(number + 1, items=self._items[first:last] if wanted.shards > 1 else None)
                _check_length(command, last - first)
            cost = found.cost(Extent(last - first, last - first))
            shards.append(PlannedShard(number + 1, last - first, cost, f"{first + 1}–{last}", command))
        cost = together(shards, how.device)
        return Planned(self._job.line, "items", total, total, cost, how, tuple(shards))


def _check_length(command: str, count: int) -> None:
    if len(command.encode()) > _LONGEST:
        raise InvalidSetting(
            "a shard names more than a command line can hold",
            found=f"{count} items",
            cure="Take more --shards, or plan folder by folder.",
        )


def _listed(job: Asked, named: Sequence[str]) -> Iterator[str]:
    """The items of a list: what is named, and of the pictures that lie in folders each."""
    for item in named:
        if job.words[0] == "classify" and Path(item).is_dir():
            yield from map(str, picture_files(item))
        else:
            yield item
