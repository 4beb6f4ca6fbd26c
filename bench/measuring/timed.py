"""How long work takes: the median of some rounds, after one that compiles and fills caches and does not count."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

__all__ = ["elapsed", "processor"]


def elapsed(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the clock."""
    return _median(work, rounds, time.perf_counter)


def processor(work: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time, of all threads: on a shared machine they tell more than the clock."""
    return _median(work, rounds, time.process_time)


def _median(work: Callable[[], object], rounds: int, clock: Callable[[], float]) -> float:
    work()
    taken = []
    for _ in range(rounds):
        begun = clock()
        work()
        taken.append(clock() - begun)
    return statistics.median(taken)
