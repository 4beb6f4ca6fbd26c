"""The watch over workers, as time passes and others fill the cluster and leave it: no Ray, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from arpent.engine import vigil
from arpent.engine.vigil import PATIENCE, Vigil
from arpent.errors import ClusterLost

LOOK = 11.0
"""Seconds from one look to the next."""

BEGINS = 100.0
"""Seconds that Ray takes to begin a worker again, once there is a core for it."""


class RayError(Exception):
    """As Ray's own."""


@dataclass
class Actor:
    """A worker: when it gives signs of life again, for ever silent where that is never."""

    lives: float = 0.0
    ended: list[float] = field(default_factory=list)

    @property
    def process(self):
        return SimpleNamespace(options=lambda concurrency_group: SimpleNamespace(remote=lambda: self))


class Cluster:
    """What the watch asks of Ray. The clock goes on with each look."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, count: int) -> None:
        self.now, self.free = 0.0, 1.0
        self.workers = {number: Actor() for number in range(count)}
        self.said: list[str] = []
        self.vigil = Vigil(self, 0.0, self.workers, self.said.append)

    def wait(self, signs, timeout, fetch_local):
        return [sign for sign in signs if sign.lives <= self.now], []

    def get(self, sign):
        return 1

    def kill(self, worker, no_restart):
        worker.ended.append(self.now)
        worker.lives = self.now + BEGINS

    def available_resources(self):
        return {"CPU": self.free}

    def look(self, *, crowded: bool) -> bool:
        """What becomes of the first worker's call at the next look."""
        self.now, self.free = self.now + LOOK, 0.0 if crowded else 1.0
        return self.vigil.handed_over(0)


@pytest.fixture
def cluster(monkeypatch):
    def made(count):
        made = Cluster(count)
        monkeypatch.setattr(vigil, "monotonic", lambda: made.now)
        return made

    return made


@pytest.mark.parametrize("first", [False, True])
def test_a_worker_that_stands_still_is_ended_where_others_fill_the_cluster_now_and_then(cluster, first):
    cluster = cluster(1)
    stopped = cluster.workers[0]
    stopped.lives = float("inf")
    for number in range(100):
        assert not cluster.look(crowded=number % 2 == first), "there is nobody else"
        if stopped.ended:
            break
    (ended,) = stopped.ended
    assert vigil._UTMOST < ended <= vigil._UTMOST + 4 * LOOK
    while cluster.now < ended + BEGINS + 4 * LOOK:
        cluster.look(crowded=cluster.free > 0)
    assert cluster.vigil.present() == [0]
    assert not cluster.vigil.away
    assert len(stopped.ended) == 1
    assert cluster.said[-2].endswith("it is ended, and begins again with its work")
    assert cluster.said[-1] == "worker 1 of the cluster is there again"


@pytest.mark.parametrize("first", [False, True])
def test_its_work_goes_to_the_others_at_the_first_look_without_room(cluster, first):
    cluster = cluster(2)
    cluster.workers[0].lives = float("inf")
    looks = next(number for number in range(20) if cluster.look(crowded=number % 2 == first))
    assert cluster.free == 0
    assert PATIENCE < looks * LOOK <= PATIENCE + 2 * LOOK
    assert len(cluster.workers[0].ended) == 1
    assert not cluster.workers[1].ended


def test_a_worker_that_only_waits_for_a_core_is_not_ended_when_it_gets_one(cluster):
    cluster = cluster(1)
    cluster.workers[0].lives = float("inf")
    while cluster.now < vigil._UTMOST - 2 * LOOK:
        cluster.look(crowded=True)
    cluster.workers[0].lives = cluster.now + BEGINS
    while cluster.now < vigil._UTMOST + BEGINS + LOOK:
        cluster.look(crowded=cluster.free > 0)
    assert cluster.vigil.present() == [0]
    assert cluster.workers[0].ended == []
    assert cluster.said[-1] == "worker 1 of the cluster is there again"


def test_where_no_worker_is_left_it_is_waited_for_until_there_has_been_no_room_for_long(cluster):
    cluster = cluster(1)
    cluster.workers[0].lives = float("inf")
    for _ in range(8):
        cluster.look(crowded=True)
    cluster.look(crowded=False)
    since = cluster.now + LOOK
    with pytest.raises(ClusterLost, match="free core"):
        for _ in range(100):
            cluster.look(crowded=True)
    assert vigil._UTMOST < cluster.now - since <= vigil._UTMOST + LOOK
    assert cluster.workers[0].ended == []


def test_a_worker_that_is_only_slow_is_never_given_up(cluster):
    cluster = cluster(2)
    for number in range(200):
        # Its sign comes too late for one look, and is found at the next; the one after is in time.
        cluster.workers[0].lives = cluster.now + LOOK + (number % 3 == 0)
        assert not cluster.look(crowded=number % 2 == 0)
    assert not cluster.said
    assert cluster.workers[0].ended == []
