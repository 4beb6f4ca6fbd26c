"""Work shared by several machines, through Ray: actors that hold the model, and answers in the order of the plan.

Ray places the workers, starts them again elsewhere when a process or a node is lost, asks anew for what was lost with
them, and moves the answers. What is left to be done here is to keep a few calls under way, and no more.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any

import torch

from arpent.engine.crew import Opener, Recovery, working_with
from arpent.engine.worker import Brief, Worker
from arpent.errors import ClusterLost, ExtraMissing, InvalidSetting

__all__ = ["on_cluster"]

_AHEAD = 3
"""Calls under way or waiting to be taken, for each worker: one in the network, one reading, one done."""

_RETRIES = 3
"""How often Ray asks again for what was lost with a worker."""

_UNJOINED = (ConnectionError, RuntimeError, ValueError, TimeoutError)
"""What Ray raises where there is no cluster, or none that takes this process in."""

_PATIENCE = 120.0
"""Seconds that a silent worker is waited for, and calls under way when nobody needs their answers any more."""

_PAUSE = 1.0
"""Seconds until a silent worker's work is asked for once more."""


@contextmanager
def on_cluster(address: str | None = None, *, workers: int = 0, gpus: float = 0.0) -> Iterator[None]:
    """Lets the workers of a Ray cluster do what predictions in the block ask for.

    The cluster is joined when they first ask.

    Args:
        address: of the cluster ("auto" for the one that this machine belongs to, "host:6379"); None to start Ray on
            this machine, for as long as the block.
        workers: how many; 0 for as many as the cluster has cores, or GPUs, for.
        gpus: of each worker; 0 for those that compute on the CPU.

    Raises:
        ExtraMissing: Ray is not installed.
        ClusterLost: there is no cluster at that address, or none that can be joined.
        InvalidSetting: it has fewer GPUs than a worker needs.
    """
    if importlib.util.find_spec("ray") is None:
        raise ExtraMissing.of("cluster", "the engine Ray")
    team = _Team(address, workers, gpus)
    try:
        with working_with(team):
            yield
    finally:
        team.dismiss()


def _imported() -> ModuleType:
    """Ray, which is imported when it is needed, and tells nobody that it is."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    return ray


def _join(ray: ModuleType, address: str | None) -> None:
    """Joins a cluster, or starts one of this machine alone."""
    # Ray takes this signal for itself; it stays whose it was.
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    own: dict[str, Any] = {"address": "local", "_node_ip_address": "127.0.0.1"}
    chosen = own if address is None else {"address": address}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **chosen)
    except Exception as problem:
        # Ray raises the bare class where a node does not come up in time.
        if type(problem) is not Exception and not isinstance(problem, _UNJOINED):
            raise
        where = "on this machine" if address is None else f"at {address}"
        raise ClusterLost(
            f"no Ray cluster can be joined {where}",
            found=str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__,
            cure="Start one with 'ray start --head', give its address, and set RAY_AUTH_MODE=token if it has a token.",
        ) from problem
    finally:
        if mine:
            signal.signal(signal.SIGTERM, before)


def _count(ray: ModuleType, workers: int, gpus: float) -> int:
    """How many workers the cluster has room for, or as many as are asked for."""
    there = ray.cluster_resources()
    if gpus and there.get("GPU", 0) < gpus:
        raise InvalidSetting(
            "the cluster has too few GPUs for a worker",
            found=f"{there.get('GPU', 0):g}",
            expected=f"{gpus:g}",
            cure="Give fewer with --gpus, or 0 to compute on CPUs.",
        )
    room = there["GPU"] // gpus if gpus else there.get("CPU", 1) // torch.get_num_threads()
    return workers or max(1, int(room))


@dataclass
class _Call:
    """What was asked of a worker.

    Attributes:
        do: what was to be done.
        asked: with what.
        answer: where the answer will be.
        kept: where what stays with the workers will be.
    """

    do: Callable[..., Any]
    asked: Sequence[Any]
    answer: Any
    kept: Any = None


@dataclass
class _Team:
    """The workers of one command; satisfies `engine.crew.Crew`."""

    address: str | None
    wanted: int
    gpus: float
    joined: bool = False  # by this team, which is to leave again
    workers: list[Any] = field(default_factory=list)
    busy: dict[Any, int] = field(default_factory=dict)  # answers under way → number of the worker
    brief: Brief | None = None
    opener: Opener | None = None

    @property
    def ray(self) -> ModuleType:
        """Ray."""
        return _imported()

    @property
    def device(self) -> torch.device:
        """Where networks run."""
        return torch.device("cuda" if self.gpus else "cpu")

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
        """See `engine.crew.Crew`."""
        self._hire()
        ask = partial(self._ask, self._briefed(opener), kept)
        source, under_way = iter(asked), deque[_Call]()
        try:
            for one in islice(source, max(ahead, _AHEAD) * len(self.workers)):
                under_way.append(ask(do, one))
            while under_way:
                call = under_way.popleft()
                answer = self._answer(call, ask, recovery)
                for one in islice(source, 1):
                    under_way.append(ask(do, one))
                yield (answer, call.kept) if kept else answer
                del answer, call  # the caller may let go of it before the next one is there
        except KeyboardInterrupt:
            under_way.clear()  # the workers end with this process
            raise
        finally:
            self._let_go(under_way)

    def dismiss(self) -> None:
        """Ends the workers."""
        for worker in self.workers:
            self.ray.kill(worker)
        self.workers.clear()
        self.busy.clear()
        self.brief = self.opener = None
        if self.joined:
            self.ray.shutdown()
            self.joined = False

    def _hire(self) -> None:
        if self.workers:
            return
        ray = self.ray
        if not ray.is_initialized():
            _join(ray, self.address)
            self.joined = True
        count = _count(ray, self.wanted, self.gpus)
        # As Ray's actors do, they need a core to be placed and hold none afterwards: after the loss of a node there is
        # always room for them on another one.
        actor = ray.remote(Worker).options(
            num_gpus=self.gpus or None,
            max_restarts=-1,
            max_task_retries=_RETRIES,
            max_concurrency=2,
            scheduling_strategy="SPREAD",
        )
        self.workers = [actor.remote(Path.cwd(), torch.get_num_threads()) for _ in range(count)]

    def _briefed(self, opener: Opener) -> Brief:
        """The brief of a work, which lies where all workers can read it."""
        if self.brief is None or self.opener is not opener:
            number = 0 if self.brief is None else self.brief.number + 1
            self.brief, self.opener = Brief(number, partial(_fetched, [self.ray.put(opener)])), opener
        return self.brief

    def _ask(self, brief: Brief, kept: bool, do: Callable[..., Any], asked: Sequence[Any]) -> _Call:
        """Asks the worker with the least to do."""
        if self.busy:
            done, _ = self.ray.wait(list(self.busy), num_returns=len(self.busy), timeout=0, fetch_local=False)
            for answer in done:
                del self.busy[answer]
        load = [0] * len(self.workers)
        for number in self.busy.values():
            load[number] += 1
        number = load.index(min(load))
        method = self.workers[number].do
        if kept:
            answer, rest = method.options(num_returns=2).remote(brief, do, *asked)
        else:
            answer, rest = method.remote(brief, do, *asked), None
        self.busy[answer] = number
        return _Call(do, asked, answer, rest)

    def _answer(self, call: _Call, ask: Callable[..., _Call], recovery: Recovery | None) -> Any:  # noqa: ANN401 - the caller's own
        """The answer to a call, whatever becomes of workers, as long as there are any."""
        errors, until = self.ray.exceptions, monotonic() + _PATIENCE
        while True:
            try:
                return self._got(call)
            except errors.ActorUnavailableError as problem:
                # A node is lost, and Ray does not know it yet: its retries have all met the same silence.
                if monotonic() > until:
                    lost: Exception = problem
                    break
                sleep(_PAUSE)
                call = self._replaced(call, ask(call.do, call.asked))
            except errors.ObjectLostError as problem:
                if recovery is None or recovery.anew is None or call.do is recovery.anew:
                    raise _lost(problem) from problem
                told = [None if isinstance(part, self.ray.ObjectRef) else part for part in call.asked]
                call = self._replaced(call, ask(recovery.anew, told))
            except (errors.RayActorError, errors.OutOfMemoryError) as problem:
                lost = problem
                break
        halves = recovery.halves(call.asked) if recovery is not None else ()
        if recovery is None or not halves:
            raise _lost(lost) from lost
        return recovery.join([self._answer(ask(call.do, half), ask, recovery) for half in halves])

    def _replaced(self, call: _Call, other: _Call) -> _Call:
        """The same call, asked once more."""
        call.do, call.asked, call.answer, call.kept = other.do, other.asked, other.answer, other.kept
        return call

    def _got(self, call: _Call) -> Any:  # noqa: ANN401 - the caller's own
        """What comes of a call.

        Raises:
            What the work raises there, as itself; else an error of Ray.
        """
        errors = self.ray.exceptions
        try:
            return self.ray.get(call.answer)
        except errors.RayTaskError as problem:
            if isinstance(problem.cause, Exception):
                raise problem.cause from problem
            raise
        finally:
            self.busy.pop(call.answer, None)

    def _let_go(self, calls: Iterable[_Call]) -> None:
        """Gives up calls; those that a worker has begun are waited for, so that it is free for other work."""
        answers = [call.answer for call in calls]
        for answer in answers:
            self.busy.pop(answer, None)
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(answer)
        if answers:
            self.ray.wait(answers, num_returns=len(answers), timeout=_PATIENCE, fetch_local=False)


def _fetched(place: Sequence[Any]) -> Opener:
    """The opener of a work, from where it lies."""
    import ray

    opener: Opener = ray.get(place[0])
    return opener


def _lost(problem: Exception) -> ClusterLost:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return ClusterLost(
        "the workers of the cluster end again and again over the same work, most likely for want of memory",
        found=lines[0] if lines else type(problem).__name__,
        cure="Take a smaller --tile or fewer --workers, see Ray's logs, and go on with --resume.",
    )
