"""The watch over workers of a cluster that owe an answer: which of them are only slow, and which have lost their place.

Ray starts a lost worker again as soon as there is a core for it, or a GPU, and says nothing while there is none. A
worker that computes, however long, gives a sign of life when it is asked for one: the call for it waits for no other.
One whose process stands still gives none, though it has its place; it is ended, and Ray starts it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from types import ModuleType
from typing import Any

from arpent.engine.joining import places
from arpent.errors import ClusterLost

__all__ = ["PATIENCE", "SIGNS", "Vigil"]

SIGNS = "signs"
"""Group of the calls for signs of life, which run beside the work of a worker."""

PATIENCE = 120.0
"""Seconds that a silent worker is waited for: without room for it, its work is then handed to the others."""

_UTMOST = 300.0
"""Seconds after which nobody is waited for any more, where no worker is left; and a worker that has room is ended.

A worker is silent while Ray starts it, which takes a minute on a busy machine, and while one call of a library holds
Python's lock. The long ones (networks, warping, decoding) let go of it; no other lasts minutes.
"""

_MOMENT = 1.0
"""Seconds in which a worker that lives gives a sign of it; one that comes later is found at the next look."""


@dataclass
class _Silence:
    """Of a worker that gives no sign of life; no look at the cluster, crowded or not, begins it anew.

    Others' short tasks fill the cluster now and then: what was counted anew whenever they do would never run out.

    Attributes:
        began: when it was first asked in vain.
        room: when a look first found room for it. One that only waits for a core gets it then, and takes its time to
            begin; what was before is no fault of its own. None where there has been no room yet.
        crowded: since when every look has found no room; None where the last one has.
    """

    began: float
    room: float | None = None
    crowded: float | None = None

    @property
    def lost(self) -> bool:
        """Whether there has been no room for so long that nobody waits for it any more."""
        return self.crowded is not None and monotonic() - self.crowded > _UTMOST


@dataclass
class Vigil:
    """Over the workers of one team.

    Attributes:
        ray: the library, which has joined a cluster.
        share: of a GPU, for each worker; 0 where they compute on cores.
        workers: by their numbers.
        tell: who is told in a line that a worker is waited for, and that it is there again.
        away: numbers of those that have lost their place; they are there again as soon as they find another one.
    """

    ray: ModuleType
    share: float
    workers: Mapping[int, Any]
    tell: Callable[[str], object]
    away: set[int] = field(default_factory=set)
    _silences: dict[int, _Silence] = field(default_factory=dict)
    _signs: dict[int, Any] = field(default_factory=dict)

    def present(self) -> list[int]:
        """Numbers of the workers that may be asked: all, where none is known to have its place."""
        for number in [number for number in self.away if self._lives(number, 0)]:
            self.away.discard(number)
            self.heard(number)
            self.tell(f"worker {number + 1} of the cluster is there again")
        return [number for number in self.workers if number not in self.away] or list(self.workers)

    def heard(self, number: int) -> None:
        """A worker has answered: its silence, if there was one, is over."""
        self._silences.pop(number, None)

    def handed_over(self, number: int) -> bool:
        """Whether others are to do what a worker owes: it is silent, and there is no room for it to begin again.

        Where there is room, Ray begins it again; so it does with one that stands still, which is ended after a while.

        Raises:
            ClusterLost: no worker is left, and none has come back.
        """
        if self._lives(number, _MOMENT):
            self.heard(number)
        elif self._crowded():
            self._away_without_room(number)
        else:
            self._end_what_stands_still(number)
        present = self.present()
        silence = self._silences.get(number)
        if silence and silence.lost and len(self.away) == len(self.workers):
            raise self._lost()
        return number in self.away and present[0] not in self.away

    def _lives(self, number: int, seconds: float) -> bool:
        """Whether a worker gives a sign of life; one asked for in vain is still awaited at the next look."""
        if number not in self._signs:
            self._signs[number] = self.workers[number].process.options(concurrency_group=SIGNS).remote()
        if not self.ray.wait([self._signs[number]], timeout=seconds, fetch_local=False)[0]:
            return False
        try:
            self.ray.get(self._signs.pop(number))
        except self.ray.exceptions.RayError:
            return False
        return True

    def _away_without_room(self, number: int) -> None:
        """Counts a worker as away that has been silent for a while, where there is no room for it at this look."""
        now = monotonic()
        silence = self._silences.setdefault(number, _Silence(now))
        silence.crowded = now if silence.crowded is None else silence.crowded
        if now - silence.began > PATIENCE and number not in self.away:
            self.away.add(number)
            self._say(number)
            if len(self.away) < len(self.workers):
                self._end(number)  # if it stands still, it holds what it is to begin again on; nobody needs its answers
                silence.room = None  # for what begins again there

    def _end_what_stands_still(self, number: int) -> None:
        """Ends a worker that has been silent for long though there is room for it; its calls are asked anew by Ray."""
        now = monotonic()
        silence = self._silences.setdefault(number, _Silence(now))
        silence.crowded = None
        silence.room = now if silence.room is None else silence.room
        if now - silence.room > _UTMOST:
            self.tell(
                f"worker {number + 1} of the cluster gives no sign of life though there is room for it: "
                "it is ended, and begins again with its work"
            )
            self._end(number)
            self.heard(number)

    def _end(self, number: int) -> None:
        """Ends a worker, whatever its process does; Ray starts it again as soon as there is room."""
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(self.workers[number], no_restart=False)

    def _crowded(self) -> bool:
        """Whether a worker that is lost finds no place: others hold all cores or GPUs, or their nodes are gone."""
        need = self.share or 1.0  # a core is held by a worker until it has begun, and by none afterwards
        free = self.ray.available_resources().get("GPU" if self.share else "CPU", 0.0)
        return bool(free < need or (self.share and places(self.ray, self.share) < len(self.workers)))

    def _say(self, number: int) -> None:
        others = len(self.away) < len(self.workers)
        what = "GPU" if self.share else "core"
        self.tell(
            f"worker {number + 1} of the cluster gives no sign of life and waits for a free {what} ('ray status' shows "
            f"who holds them): {'the others do its work' if others else 'no other worker is left'}"
        )

    def _lost(self) -> ClusterLost:
        if self.share:
            return ClusterLost(
                "no node of the cluster has a GPU for a worker any more",
                cure="Start one, and go on with --resume; or compute on CPUs.",
            )
        return ClusterLost(
            "no node of the cluster has a free core for a worker any more",
            cure="See with 'ray status' who holds them, and go on with --resume when some are free.",
        )
