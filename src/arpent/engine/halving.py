"""A batch that is too large for the memory goes through the network in halves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from arpent.engine.task import Dense, Rows

__all__ = ["InParts", "arrays_of", "as_array", "in_parts", "joined", "short_of_memory"]

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")

_WORDS = ("can't allocate memory", "not enough memory", "bad_alloc", "bad allocation", "could not create a primitive")
"""What libraries say that have no exception of their own for it."""


@dataclass(frozen=True)
class InParts(Generic[Answer]):
    """An answer, and in how many parts it was asked for: one, where memory was enough."""

    answer: Answer
    parts: int = 1


def short_of_memory(problem: BaseException) -> bool:
    """Whether an exception says that memory is used up, of the machine or of its GPU."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(problem, RuntimeError) and any(words in str(problem) for words in _WORDS)


def in_parts(
    ask: Callable[[Sequence[Entry]], Answer], batch: Sequence[Entry], join: Callable[[Sequence[Answer]], Answer]
) -> InParts[Answer]:
    """The answer for a batch, in as few parts as memory has room for.

    Raises:
        MemoryError: there is no room for a single entry.
    """
    answer = _tried(ask, batch)
    if answer is not None:
        return InParts(answer)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    halves = [in_parts(ask, part, join) for part in (batch[:middle], batch[middle:])]
    return InParts(join([half.answer for half in halves]), sum(half.parts for half in halves))


def _tried(ask: Callable[[Sequence[Entry]], Answer], batch: Sequence[Entry]) -> Answer | None:
    """The answer for a whole batch; None where there is no room. All that was begun is let go of on return."""
    try:
        return ask(batch)
    except (MemoryError, RuntimeError) as problem:
        if not short_of_memory(problem):
            raise
        if len(batch) == 1:
            raise MemoryError("there is not enough memory for one entry of a batch") from problem
    return None


def joined(answers: Sequence[Any]) -> Any:  # noqa: ANN401 - what tasks answer with
    """The answers for the parts of a batch as one: of what `Task.infer` gives, or of tuples with an entry for each."""
    first = answers[0]
    if not isinstance(first, Mapping):
        return tuple(entry for answer in answers for entry in answer)
    return {name: _joined([answer[name] for answer in answers]) for name in first}


def _joined(parts: Sequence[Dense | Rows]) -> Dense | Rows:
    if isinstance(parts[0], Rows):
        return Rows(pa.concat_tables([part.table for part in parts if isinstance(part, Rows)]))
    dense = [part for part in parts if isinstance(part, Dense)]
    valid = None if dense[0].valid is None else np.concatenate([as_array(part.valid) for part in dense])
    return Dense(np.concatenate([as_array(part.values) for part in dense]), valid)


def arrays_of(told: Any) -> Any:  # noqa: ANN401 - what tasks answer with
    """An answer that other processes can be sent: its maps as arrays."""
    if not isinstance(told, Mapping):
        return told
    return {name: _plain(entry) for name, entry in told.items()}


def _plain(entry: Dense | Rows) -> Dense | Rows:
    if isinstance(entry, Rows):
        return entry
    return Dense(as_array(entry.values), None if entry.valid is None else as_array(entry.valid))


def as_array(values: Any) -> NDArray[Any]:  # noqa: ANN401 - a torch tensor or an array
    """A tensor, on whatever device, as an array."""
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)
