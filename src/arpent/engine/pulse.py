"""Signs of life between the processes of a training: who works for hours is waited for, who is gone is not.

A process that ends closes its connections, and the others know at once. One whose machine has lost power, or that is
stopped, closes nothing. So each process counts, beside its work, in a store that the first one keeps: while it counts
it lives, whatever it does. The first process listens to all others, and they to it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from threading import Event, Thread
from types import TracebackType
from typing import TypeVar

from torch.distributed import Store  # type: ignore[attr-defined] # it is there, and not among its exports

__all__ = ["BEAT", "PATIENCE", "Pulse"]

T = TypeVar("T")

BEAT = 10.0
"""Seconds between two signs of life."""

PATIENCE = 30
"""Beats of silence after which a process is given up. Beats are counted and not seconds: a process that was itself
stopped meanwhile, with all others, has heard nothing and has not listened either."""

_LOOK = 0.5
"""Seconds between two looks at whether one of those that are waited for has fallen silent."""

_ANSWER = dt.timedelta(seconds=30)
"""How long the store may take to answer."""


class Pulse:
    """The signs of life of one process, and its ear for those of others; both end with the process.

    Args:
        store: where all of them count.
        rank: number of this process.
        world: how many processes there are.

    Attributes:
        lost: number of one that has given no sign for too long.
        exchanging: whether an exchange has been begun and not ended.
    """

    def __init__(self, store: Store, rank: int, world: int) -> None:
        self._store, self._rank = store, rank
        self._peers: Sequence[int] = range(1, world) if rank == 0 else (0,)
        self._heard: dict[int, bytes] = {}
        self._over = Event()
        self.lost: int | None = None
        self.exchanging = False
        store.set_timeout(_ANSWER)

    def start(self) -> None:
        """Begins to count and to listen."""
        for work in (self._count, self._listen):
            Thread(target=work, name="arpent-pulse", daemon=True).start()

    def stop(self) -> None:
        """Ends both."""
        self._over.set()

    def _count(self) -> None:
        """Counts, and takes down what others have counted; stands still where the store does."""
        count = 0
        while not self._over.is_set():
            try:
                self._store.set(_key(self._rank), str(count))
                for peer in self._peers:
                    if self._store.check([_key(peer)]):
                        self._heard[peer] = self._store.get(_key(peer))
            except RuntimeError:  # the store went with the process that kept it: its silence will be heard
                return
            count += 1
            self._over.wait(BEAT)

    def _listen(self) -> None:
        """Counts the beats without a sign."""
        known, missed = dict(self._heard), dict.fromkeys(self._peers, 0)
        while not self._over.wait(BEAT):
            for peer in self._peers:
                heard = self._heard.get(peer)
                missed[peer] = missed[peer] + 1 if heard == known.get(peer) else 0
                if heard is not None:
                    known[peer] = heard
                if missed[peer] >= PATIENCE:
                    self.lost = peer
                    return

    def awaited(self, exchange: Callable[[], T]) -> T:
        """What an exchange with the others gives, however long they work; it runs in a thread of its own.

        Raises:
            TimeoutError: one of them has fallen silent; the exchange goes on waiting, and ends with this process.
            Whatever else the exchange raises.
        """
        given: Future[T] = Future()

        def work() -> None:
            with _Handing(given):
                try:
                    answer = exchange()
                finally:
                    # Before the answer is there: whoever has it may begin the next exchange at once.
                    self.exchanging = False
                given.set_result(answer)

        self.exchanging = True
        Thread(target=work, name="arpent-exchange", daemon=True).start()
        while self.lost is None:
            if wait([given], _LOOK).done:
                return given.result()
        raise TimeoutError


class _Handing:
    """Hands what is raised in the block to those who wait for the answer: there it is raised again.

    It catches everything, and swallows nothing. It is no ``except BaseException``, which the house allows only to those
    that raise again on the spot; nor a pool of threads, which would do the same, as the end of the process waits for
    threads of a pool, and so for one that is silent.
    """

    def __init__(self, given: Future[T]) -> None:
        self._given = given

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if problem is not None:
            self._given.set_exception(problem)
        return True


def _key(rank: int) -> str:
    return f"pulse/{rank}"
