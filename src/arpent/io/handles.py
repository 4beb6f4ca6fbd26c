"""Open files, one per thread that reads at the same moment, kept for the next read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, Protocol, TypeVar

__all__ = ["Closable", "Handles"]


class Closable(Protocol):
    """Something that is open until it is closed."""

    def close(self) -> None:
        """Let go of the file."""
        ...


Handle = TypeVar("Handle", bound=Closable)


class Handles(Generic[Handle]):
    """A stack of handles to one file. GDAL's may move between threads, but only one may use each at a time.

    Args:
        make: opens one more.
    """

    def __init__(self, make: Callable[[], Handle]) -> None:
        self._make = make
        self._idle: list[Handle] = []
        self._lock = Lock()
        self._process = os.getpid()
        self.closed = False

    @contextmanager
    def borrow(self) -> Iterator[Handle]:
        """A handle for the block alone.

        Raises:
            ValueError: after `close`, as Python's own files do.
        """
        handle = self._take() or self._make()
        try:
            yield handle
        finally:
            with self._lock:
                kept = not self.closed
                if kept:
                    self._idle.append(handle)
            if not kept:
                handle.close()

    def _take(self) -> Handle | None:
        with self._lock:
            if self.closed:
                raise ValueError("read from a closed image")
            if self._process != os.getpid():
                # A forked child shares the position in the parent's files: it must open its own.
                self._idle, self._process = [], os.getpid()
            return self._idle.pop() if self._idle else None

    def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        if self._process == os.getpid():
            for handle in idle:
                handle.close()
