"""Read ahead of whoever consumes, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from arpent.errors import InvalidSetting

__all__ = ["read_ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], windows: Iterable[Item], *, threads: int = 2, ahead: int = 4
) -> Generator[Result, None, None]:
    """What `read` gives for each window, in order, read by threads while the consumer works.

    At most `ahead` results exist beside the one being consumed. An error appears where its result would have.
    When the iterator is closed or dropped, or the consumer is interrupted, reads that have not begun are
    cancelled and those under way are waited for: no thread outlives the iterator.

    Args:
        read: called from the threads; `ImageReader.read` is safe for that.
        windows: what to read; taken one by one as room appears, so it may be endless.
        threads: how many reads run at once.
        ahead: how many results may be ready or under way.
    """
    if threads < 1 or ahead < 1:
        raise InvalidSetting(
            "reading ahead needs at least one thread and one place",
            found=f"threads={threads}, ahead={ahead}",
            cure="Give numbers of 1 or more.",
        )
    return _in_order(read, iter(windows), threads, ahead)


def _in_order(
    read: Callable[[Item], Result], windows: Iterator[Item], threads: int, ahead: int
) -> Generator[Result, None, None]:
    pool = ThreadPoolExecutor(min(threads, ahead), thread_name_prefix="read-ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        for window in islice(windows, ahead):
            waiting.append(pool.submit(read, window))
        while waiting:
            result = waiting.popleft().result()
            for window in islice(windows, 1):
                waiting.append(pool.submit(read, window))
            yield result
            del result  # the consumer may let go of it before the next one is there
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
