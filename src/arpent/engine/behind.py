"""What every prediction loop does beside the network: files written one step behind, entries gathered into batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from arpent.engine.outputs import Sink
from arpent.errors import Interrupted

__all__ = ["Behind", "gathered", "kept_if_stopped"]

Entry = TypeVar("Entry")


class Behind:
    """A thread that does one thing after another, and is never more than one behind whoever asks."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "arpent-write")
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def do(self, action: Callable[..., None], *what: object) -> None:
        """Has it done once the last thing asked for is.

        Raises:
            What that one has raised.
        """
        self.catch_up()
        self._last = self._pool.submit(action, *what)

    def catch_up(self) -> None:
        """Waits for what was asked for, and raises what it has raised."""
        if self._last is not None:
            self._last.result()


def gathered(entries: Iterable[Entry], size: int, alike: Callable[[Entry], Hashable]) -> Iterator[list[Entry]]:
    """Entries in their order, in groups of at most `size` neighbours that are `alike`.

    A group is given out as soon as it is full, so that where one ends depends on nothing that comes later.
    """
    group: list[Entry] = []
    for entry in entries:
        if group and alike(group[0]) != alike(entry):
            yield group
            group = []
        group.append(entry)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


@contextmanager
def kept_if_stopped(sinks: Mapping[str, Sink[Any]], stopped: str) -> Iterator[None]:
    """Lets the sinks go when the block fails, so that they can be resumed.

    Args:
        sinks: of a prediction.
        stopped: what is said when it is the user who stops it ("stopped while predicting a.tif; …").

    Raises:
        Interrupted: in the place of KeyboardInterrupt.
    """
    try:
        yield
    except BaseException as stop:
        for sink in sinks.values():
            sink.suspend()
        if not isinstance(stop, KeyboardInterrupt):
            raise
        raise Interrupted(stopped, cure="Run the same command with --resume to go on.") from stop
