"""What is done with the items of a list: read each one, ask the network for batches of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from arpent.engine.halving import in_parts, joined
from arpent.engine.task import Answer, Product
from arpent.errors import ArpentError, ContractMismatch, DatasetError, InputError

__all__ = ["OF_ONE_ITEM", "Entry", "ItemWork", "ItemsAnswered", "Listed", "Memory", "answered_items", "prepared_item"]

OF_ONE_ITEM = (InputError, ContractMismatch, DatasetError)
"""What is wrong with an item; all else, such as a full disk, is wrong with the run."""

Ready = TypeVar("Ready")
Item_contra = TypeVar("Item_contra", contravariant=True)


class ItemWork(Protocol[Item_contra, Ready]):
    """What is done with the items of a list; owned by a task."""

    def products(self) -> Sequence[Product]:
        """The tables that a run makes."""
        ...

    def name(self, item: Item_contra, /) -> str:
        """What people call an item. Items of one name stand and fall together: when one fails, the later ones do."""
        ...

    def prepare(self, item: Item_contra, /) -> Ready:
        """Reads an item and makes it ready; called from several threads.

        Raises:
            An error of `OF_ONE_ITEM`: the item is noted as failed.
        """
        ...

    def alike(self, ready: Ready, /) -> Hashable:
        """Only items for which this is equal share a batch: the shape of an image; None where all may."""
        ...

    def answer(self, batch: Sequence[Ready], /) -> Any:  # noqa: ANN401 - an `Answer`, or what the memory makes one of
        """Rows for a batch, by the source that products name; as many of them as the task likes.

        Depends on the batch alone, since other processes may be asked for other batches. What must be carried from
        batch to batch is left to a `Memory`: this then gives it a tuple, with an entry for each item.
        """
        ...


class Memory(Protocol):
    """What a task carries from batch to batch; kept with the ledger."""

    def take(self, told: Any, /) -> Answer:  # noqa: ANN401 - the work's own
        """What comes of the work's answer for the next batch, by the source that products name."""
        ...

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """Copies of all that the next batch needs."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[np.generic]], /) -> None:
        """Goes on from what `state` gave."""
        ...


@dataclass(frozen=True)
class Listed:
    """An item and its place.

    Attributes:
        number: in the list.
        name: what people call it.
        item: the item itself.
        wanted: whether it is still to be read.
    """

    number: int
    name: str
    item: Any
    wanted: bool = True


@dataclass(frozen=True)
class Entry:
    """An item that is ready, or why it is not.

    Attributes:
        number: its place in the list.
        name: what people call it.
        ready: as the work made it, or where that lies; None for an item that failed, or was not read.
        alike: see `ItemWork.alike`.
        error: why it failed.
    """

    number: int
    name: str
    ready: Any = None
    alike: Hashable = None
    error: ArpentError | None = None


@dataclass(frozen=True)
class ItemsAnswered:
    """What came of a batch of items.

    Attributes:
        told: as `ItemWork.answer` gives it.
        seconds: that took.
        parts: in which the batch was asked for; more than one where memory was short.
    """

    told: Any
    seconds: float
    parts: int = 1


def prepared_item(work: ItemWork[Any, Any], listed: Listed) -> Entry:
    """Makes an item ready; from any thread."""
    if not listed.wanted:
        return Entry(listed.number, listed.name)
    try:
        ready = work.prepare(listed.item)
    except OF_ONE_ITEM as error:
        return Entry(listed.number, listed.name, error=error)
    return Entry(listed.number, listed.name, ready, work.alike(ready))


def answered_items(work: ItemWork[Any, Any], batch: Sequence[Any]) -> ItemsAnswered:
    """Asks for a batch of items that are ready."""
    began = perf_counter()
    told = in_parts(work.answer, batch, joined)
    return ItemsAnswered(told.answer, perf_counter() - began, told.parts)
