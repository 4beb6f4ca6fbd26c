"""Who answers for batches: this process, or workers on several machines.

The prediction loops plan, blend, write and keep the ledger; between them and the network stands a crew. Whoever it is,
the same tiles or items go through the network together, and answers come in the order of the plan: a crew changes no
byte of what is made.

Which crew works is not a matter of any task. Whoever starts the work says so around it, and the loops ask here::

    with on_cluster("auto"):
        map_image(…)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any, Protocol, TypeVar

import torch

from arpent.core.settings import Settings
from arpent.engine.halving import arrays_of, joined
from arpent.engine.item_work import Entry, ItemsAnswered, ItemWork, Listed, answered_items, prepared_item
from arpent.engine.task import Network
from arpent.engine.tile_work import Answered, Noticing, TileWork
from arpent.errors import InvalidSetting
from arpent.io import read_ahead
from arpent.tiling import Tile

__all__ = [
    "Crew",
    "Opener",
    "Reading",
    "Recovery",
    "answers_of_items",
    "answers_of_tiles",
    "hired",
    "items_made_ready",
    "made_ahead",
    "settings_there",
    "working_with",
]

Wanted = TypeVar("Wanted")
Chosen = TypeVar("Chosen", bound=Settings)

Opener = Callable[[ExitStack], Any]
"""Opens the same work in another process; what is to be closed with it goes on the stack.

It travels to the workers, which find the rest by its description: a function of a module with paths and settings, not
open files and weights.
"""

Turn = AbstractContextManager[Any]
"""Held by whoever uses the network: a worker reads one batch while another is in the network."""


@dataclass(frozen=True)
class Recovery:
    """What can be done where workers fail.

    Attributes:
        halves: of what is asked, for workers that end over it, most likely for want of memory; none where it cannot be
            halved.
        join: of the answers to halves.
        anew: what to do with what is asked where things are lost that were kept by a worker; None where none are.
    """

    halves: Callable[[Sequence[Any]], Sequence[Sequence[Any]]]
    join: Callable[[Sequence[Any]], Any]
    anew: Callable[..., Any] | None = None


class Crew(Protocol):
    """Workers in other processes."""

    def device_for(self, name: str) -> torch.device:
        """The kind of device on which networks run there, where the settings name this one, or "auto".

        Raises:
            InvalidSetting: they run on no such one.
        """
        ...

    def each(
        self,
        opener: Opener,
        do: Callable[..., Any],
        asked: Iterable[Sequence[Any]],
        *,
        ahead: int = 0,
        recovery: Recovery | None = None,
        kept: bool = False,
    ) -> Generator[Any, None, None]:
        """What comes of each thing asked, in order; at most a few are under way.

        Args:
            opener: of the work.
            do: called with the work, the worker's turn at the network, and what is asked.
            asked: taken one by one, as room appears.
            ahead: how many may be ready or under way for each worker; 0 for as many as keep it busy.
            recovery: for what workers fail to do.
            kept: `do` gives two things; the second one stays with the workers, where a later call may ask for it.
        """
        ...


_CREW: ContextVar[Crew | None] = ContextVar("arpent_crew", default=None)


def hired() -> Crew | None:
    """Who works, if it is not this process."""
    return _CREW.get()


@contextmanager
def working_with(others: Crew | None) -> Iterator[None]:
    """Lets others do what the prediction loops ask for in the block; None for this process itself."""
    before = _CREW.set(others)
    try:
        yield
    finally:
        _CREW.reset(before)


def settings_there(settings: Chosen, network: Network) -> Chosen:
    """Settings of a prediction, with the runtime and the device on which others are to run a network."""
    return settings.model_copy(update={"runtime": network.name, "device": network.device.type})


@dataclass(frozen=True)
class Reading:
    """How far is read ahead in this process.

    Attributes:
        threads: that read.
        ahead: things that may be ready or under way.
    """

    threads: int
    ahead: int


def answers_of_tiles(
    work: TileWork, opener: Opener | None, batches: Iterable[Sequence[Tile]], reading: Reading
) -> Generator[Answered, None, None]:
    """The answers for batches of tiles, in order."""
    others = hired()
    if others is None:
        yield from _tiles_here(work, batches, reading)
        return
    asked = ((tuple(batch),) for batch in batches)
    with closing(others.each(_required(opener), tiles_there, asked, recovery=_TILES)) as answers:
        for answered in answers:
            if isinstance(work.image, Noticing):
                work.image.notice(answered.noticed)
            yield answered


def _tiles_here(work: TileWork, batches: Iterable[Sequence[Tile]], reading: Reading) -> Generator[Answered, None, None]:
    planned, read = tee(batches)
    tiles = (tile for batch in read for tile in batch)
    with closing(read_ahead(work.prepared, tiles, threads=reading.threads, ahead=reading.ahead)) as prepared:
        for batch in planned:
            yield work.answered([next(prepared) for _ in batch])


def items_made_ready(
    work: ItemWork[Any, Any], opener: Opener | None, items: Iterable[Listed], reading: Reading
) -> Generator[Entry, None, None]:
    """The items of a list made ready, in order."""
    others = hired()
    if others is None:
        yield from read_ahead(
            lambda listed: prepared_item(work, listed), items, threads=reading.threads, ahead=reading.ahead
        )
        return
    listed, asked = tee(items)
    one_by_one = ((item,) for item in asked)
    with closing(others.each(_required(opener), item_there, one_by_one, ahead=reading.ahead, kept=True)) as entries:
        for entry, kept in entries:
            yield replace(entry, ready=_Kept(next(listed), kept))


def answers_of_items(
    work: ItemWork[Any, Any], opener: Opener | None, batches: Iterable[Sequence[Entry]]
) -> Generator[tuple[Sequence[Entry], ItemsAnswered], None, None]:
    """Batches of items that are ready, each with the answer for it, in order."""
    others = hired()
    if others is None:
        for batch in batches:
            yield batch, answered_items(work, [entry.ready for entry in batch])
        return
    planned, asked = tee(batches)
    told = ([part for entry in batch for part in (entry.ready.listed, entry.ready.place)] for batch in asked)
    with closing(others.each(_required(opener), items_there, told, recovery=_ITEMS)) as answers:
        # The answer first: it is what makes another batch be planned.
        for answer in answers:
            yield next(planned), answer


def made_ahead(make: Opener, asked: Iterable[Wanted], reading: Reading) -> Generator[Any, None, None]:
    """What the function that `make` opens gives for each thing asked, in order."""
    others = hired()
    if others is not None:
        yield from others.each(make, made_there, ((one,) for one in asked))
        return
    with ExitStack() as opened:
        yield from read_ahead(make(opened), asked, threads=reading.threads, ahead=reading.ahead)


def tiles_there(work: TileWork, turn: Turn, batch: Sequence[Tile]) -> Answered:
    """Answers for a batch of tiles; runs in a worker."""
    prepared = [work.prepared(tile) for tile in batch]
    with turn:
        answered = work.answered(prepared)
    return replace(answered, answer=arrays_of(answered.answer))


def item_there(work: ItemWork[Any, Any], turn: Turn, listed: Listed) -> tuple[Entry, Any]:
    """Makes an item ready, and keeps it; runs in a worker."""
    entry = prepared_item(work, listed)
    return replace(entry, ready=None), entry.ready


def items_there(work: ItemWork[Any, Any], turn: Turn, *told: Any) -> ItemsAnswered:  # noqa: ANN401 - the work's own
    """Answers for a batch of items, each of which is followed by what reading it has given; runs in a worker."""
    with turn:
        answered = answered_items(work, told[1::2])
    return replace(answered, told=arrays_of(answered.told))


def items_anew(work: ItemWork[Any, Any], turn: Turn, *told: Any) -> ItemsAnswered:  # noqa: ANN401 - the work's own
    """The same where what reading them has given is lost; runs in a worker."""
    readies = [work.prepare(listed.item) for listed in told[::2]]
    with turn:
        answered = answered_items(work, readies)
    return replace(answered, told=arrays_of(answered.told))


def made_there(make: Callable[[Any], Any], turn: Turn, asked: Any) -> Any:  # noqa: ANN401 - the caller's own
    """What a function gives; runs in a worker."""
    return make(asked)


def _required(opener: Opener | None) -> Opener:
    if opener is None:
        raise InvalidSetting("this work cannot be shared with other machines", cure="Leave out --engine ray.")
    return opener


@dataclass(frozen=True)
class _Kept:
    """An item that is ready in a worker.

    Attributes:
        listed: the item.
        place: where it lies.
    """

    listed: Listed
    place: Any


def _halved(asked: Sequence[Any], unit: int = 1) -> Sequence[Sequence[Any]]:
    middle = len(asked) // unit // 2 * unit
    return (asked[:middle], asked[middle:]) if middle else ()


def _tiles_joined(parts: Sequence[Answered]) -> Answered:
    told = [part.answer for part in parts if part.answer]
    return Answered(
        [valid for part in parts for valid in part.valid],
        joined(told) if told else {},
        sum(part.seconds for part in parts),
        sum(part.parts for part in parts),
        tuple(map(any, zip(*(part.noticed for part in parts), strict=True))),
    )


def _items_joined(parts: Sequence[ItemsAnswered]) -> ItemsAnswered:
    seconds, number = sum(part.seconds for part in parts), sum(part.parts for part in parts)
    return ItemsAnswered(joined([part.told for part in parts]), seconds, number)


_TILES = Recovery(lambda asked: [(half,) for half in _halved(asked[0])], _tiles_joined)
_ITEMS = Recovery(lambda asked: _halved(asked, 2), _items_joined, items_anew)
