"""Work shared by several machines, through Ray: actors that hold the model, and answers in the order of the plan.

Ray places the workers, starts them again elsewhere when a process or a node is lost, asks anew for what was lost with
them, and moves the answers. What is left to be done here is to keep a few calls under way, and no more.
"""

from __future__ import annotations

import importlib.util
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
from arpent.engine.joining import check_share, imported, join, nodes_for, placed_on, room
from arpent.engine.software import compare, versions_here
from arpent.engine.vigil import PATIENCE, SIGNS, Vigil
from arpent.engine.worker import Brief, Worker
from arpent.errors import ClusterLost, ExtraMissing, InvalidSetting
from arpent.io.copies import copies_by_address
from arpent.io.kept import keep_documents, kept_documents

__all__ = ["Cluster", "on_cluster"]

_DEVICES = ("auto", "cpu", "cuda")
_CURE = "Give --gpus for GPUs, --device cpu for CPUs, or neither."

_AHEAD = 3
"""Calls under way or waiting to be taken, for each worker: one in the network, one reading, one done."""

_RETRIES = 3
"""How often Ray asks again for what was lost with a worker."""

_PAUSE = 1.0
"""Seconds until a silent worker's work is asked for once more."""

_LOOK = 10.0
"""Seconds between two looks at whether a worker that owes an answer still has a place."""

_PLACING = 300.0
"""Seconds in which workers must have been placed and started; a machine that is busy takes long to import PyTorch."""


@contextmanager
def on_cluster(
    address: str | None = None,
    *,
    workers: int = 0,
    gpus: float | None = None,
    tell: Callable[[str], object] | None = None,
) -> Iterator[Cluster]:
    """Lets the workers of a Ray cluster do what predictions in the block ask for.

    The cluster is joined when they first ask. Workers compute on GPUs where `gpus` says so, or the device of the
    prediction does; with "auto" and no `gpus`, they compute on CPUs, as the same prediction does on most machines.

    Args:
        address: of the cluster ("auto" for the one that this machine belongs to, "host:6379"); None to start Ray on
            this machine, for as long as the block.
        workers: how many; 0 for as many as the cluster has cores, or GPUs, for.
        gpus: of each worker that has a network; one where the device is "cuda", and none else, if not given.
        tell: who is told, in a line, that a worker is waited for, that it is there again, and which had no place.

    Raises:
        ExtraMissing: Ray is not installed.
        ClusterLost: there is no cluster at that address, or none that can be joined or has a free place; or all workers
            are lost, and there is no place for them any more.
        InvalidSetting: it has fewer GPUs than the workers need, or GPUs and the device do not go together.
    """
    if importlib.util.find_spec("ray") is None:
        raise ExtraMissing.of("cluster", "the engine Ray")
    check_share(gpus or 0.0)
    team = Cluster(address, workers, gpus, tell or _nobody)
    try:
        with working_with(team), copies_by_address():
            yield team
    finally:
        team.dismiss()


@dataclass
class _Call:
    """What was asked of a worker.

    Attributes:
        do: what was to be done.
        asked: with what.
        answer: where the answer will be.
        kept: where what stays with the workers will be.
        worker: number of the one that was asked.
    """

    do: Callable[..., Any]
    asked: Sequence[Any]
    answer: Any
    kept: Any = None
    worker: int = -1


class _HandedOver(Exception):
    """A worker has lost its place, and others are to do its work."""


@dataclass
class Cluster:
    """The workers of one command; satisfies `engine.crew.Crew`.

    Attributes:
        tell: who is told what becomes of workers.
        idle_gpus: that the cluster has, where workers compute on CPUs and nobody has asked for that.
    """

    address: str | None
    wanted: int
    gpus: float | None
    tell: Callable[[str], object]
    idle_gpus: float = 0.0
    share: float = 0.0  # of a GPU, for each worker
    joined: bool = False  # by this team, which is to leave again
    workers: dict[int, Any] = field(default_factory=dict)
    busy: dict[Any, int] = field(default_factory=dict)  # answers under way → number of the worker
    vigil: Vigil | None = None
    brief: Brief | None = None
    opener: Opener | None = None
    unsaid: bool = False  # on which device networks are to run

    @property
    def ray(self) -> ModuleType:
        """Ray."""
        return imported()

    def device_for(self, name: str) -> torch.device:
        """See `engine.crew.Crew`.

        Raises:
            InvalidSetting: workers have no such device, or the GPUs that they were to have are not for it.
        """
        if name not in _DEVICES:
            raise InvalidSetting(
                "Ray says which GPU a worker has", found=f"device {name}", expected=", ".join(_DEVICES), cure=_CURE
            )
        if self.gpus is not None and (name == "cpu") == bool(self.gpus) and name != "auto":
            raise InvalidSetting(
                "--gpus and --device do not go together", found=f"--gpus {self.gpus:g} --device {name}", cure=_CURE
            )
        share = self.gpus if self.gpus is not None else float(name == "cuda")
        if share != self.share:
            self._end_workers()
        self.share, self.unsaid = share, name == "auto" and self.gpus is None
        return torch.device("cuda" if share else "cpu")

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
        self._end_workers()
        self.brief = self.opener = None
        if self.joined:
            self.ray.shutdown()
            self.joined = False

    def _end_workers(self) -> None:
        for worker in self.workers.values():
            self.ray.kill(worker)
        self.workers.clear()
        self.busy.clear()

    def _hire(self) -> None:
        if self.workers:
            return
        ray = self.ray
        if not ray.is_initialized():
            join(ray, self.address)
            self.joined = True
        count = room(ray, self.wanted, self.share)
        self.idle_gpus = ray.cluster_resources().get("GPU", 0.0) if self.unsaid else 0.0
        # As Ray's actors do, they need a core to be placed and hold none afterwards: after the loss of a node there is
        # always room for them on another one. Where they have GPUs, these alone say where they are placed.
        actor = partial(
            ray.remote(concurrency_groups={SIGNS: 1})(Worker).options,
            num_gpus=self.share or None,
            num_cpus=0 if self.share else None,
            max_restarts=-1,
            max_task_retries=_RETRIES,
            max_concurrency=2,
        )
        where = ["SPREAD"] * count if self.share else [placed_on(node) for node in nodes_for(ray, count)]
        told = (Path.cwd(), torch.get_num_threads(), versions_here())
        self.workers = {number: actor(scheduling_strategy=place).remote(*told) for number, place in enumerate(where)}
        self.vigil = Vigil(ray, self.share, self.workers, self.tell)
        self._place()

    def _place(self) -> None:
        """Waits for the workers; those that others leave no place for are done without, which is told.

        Raises:
            ClusterLost: that is all of them; or a node has other versions than this process, or no Arpent.
        """
        asked = {number: worker.software.remote() for number, worker in self.workers.items()}
        ready, _ = self.ray.wait(list(asked.values()), num_returns=len(asked), timeout=_PLACING, fetch_local=False)
        for number, answer in asked.items():
            if answer not in ready:
                self.ray.kill(self.workers.pop(number))
        if not self.workers:
            raise ClusterLost(
                f"no worker has found a place on the cluster within {_PLACING:.0f} s",
                cure="See with 'ray status' who holds its cores and GPUs, and go on with --resume when some are free.",
            )
        if len(self.workers) < len(asked):
            self.tell(
                f"{len(asked) - len(self.workers)} of {len(asked)} workers have found no place on the cluster within "
                f"{_PLACING:.0f} s ('ray status' shows who holds its cores and GPUs): the others do the work"
            )
        for line in compare(self.ray, ready):
            self.tell(line)

    def _briefed(self, opener: Opener) -> Brief:
        """The brief of a work, which lies where all workers can read it."""
        if self.brief is None or self.opener is not opener:
            number = 0 if self.brief is None else self.brief.number + 1
            told = self.ray.cloudpickle.dumps((opener, kept_documents()))
            self.brief, self.opener = Brief(number, partial(_fetched, [self.ray.put(told)])), opener
        return self.brief

    def _ask(self, brief: Brief, kept: bool, do: Callable[..., Any], asked: Sequence[Any]) -> _Call:
        """Asks the worker with the least to do."""
        if self.busy:
            done, _ = self.ray.wait(list(self.busy), num_returns=len(self.busy), timeout=0, fetch_local=False)
            for answer in done:
                del self.busy[answer]
        load = dict.fromkeys(self._watch.present(), 0)
        for number in self.busy.values():
            if number in load:
                load[number] += 1
        number = min(load, key=lambda number: load[number])
        method = self.workers[number].do
        if kept:
            answer, rest = method.options(num_returns=2).remote(brief, do, *asked)
        else:
            answer, rest = method.remote(brief, do, *asked), None
        self.busy[answer] = number
        return _Call(do, asked, answer, rest, number)

    def _answer(self, call: _Call, ask: Callable[..., _Call], recovery: Recovery | None) -> Any:  # noqa: ANN401 - the caller's own
        """The answer to a call, whatever becomes of workers, as long as there are any."""
        errors, until = self.ray.exceptions, monotonic() + PATIENCE
        while True:
            try:
                return self._got(call)
            except _HandedOver:
                call = self._replaced(call, ask(call.do, call.asked))
            except errors.ActorUnavailableError as problem:
                # A node is lost, and Ray does not know it yet: its retries have all met the same silence.
                if monotonic() > until and not self._watch.handed_over(call.worker) and not self._watch.away:
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
        call.do, call.asked, call.answer = other.do, other.asked, other.answer
        call.kept, call.worker = other.kept, other.worker
        return call

    def _got(self, call: _Call) -> Any:  # noqa: ANN401 - the caller's own
        """What comes of a call.

        Raises:
            What the work raises there, as itself; else an error of Ray.
            _HandedOver: nothing does, of this worker.
        """
        errors = self.ray.exceptions
        try:
            self._wait(call)
            answer = self.ray.get(call.answer)
            self._watch.heard(call.worker)
            return answer
        except errors.RayTaskError as problem:
            if isinstance(problem.cause, Exception):
                raise problem.cause from problem
            raise
        finally:
            self.busy.pop(call.answer, None)

    def _wait(self, call: _Call) -> None:
        """Waits for an answer, for as long as its worker computes, or may begin again."""
        while not self.ray.wait([call.answer], timeout=_LOOK, fetch_local=False)[0]:
            if self._watch.handed_over(call.worker):
                with suppress(self.ray.exceptions.RayError):
                    self.ray.cancel(call.answer)
                raise _HandedOver

    @property
    def _watch(self) -> Vigil:
        assert self.vigil is not None  # as soon as there are workers
        return self.vigil

    def _let_go(self, calls: Iterable[_Call]) -> None:
        """Gives up calls; those that a worker has begun are waited for, so that it is free for other work."""
        answers = [call.answer for call in calls]
        begun = [call.answer for call in calls if call.worker not in self._watch.away]
        for answer in answers:
            self.busy.pop(answer, None)
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(answer)
        if begun:
            self.ray.wait(begun, num_returns=len(begun), timeout=PATIENCE, fetch_local=False)


def _fetched(place: Sequence[Any]) -> Opener:
    """The opener of a work, from where it lies; what it reads of the caches of the machine that asks comes along."""
    import ray

    # Read here and not by Ray: what fails in making this node's copies is then told as what it is.
    told: tuple[Opener, dict[str, str]] = ray.cloudpickle.loads(ray.get(place[0]))
    opener, documents = told
    keep_documents(documents)
    return opener


def _nobody(line: str) -> None:
    """Is told, and does nothing."""


def _lost(problem: Exception) -> ClusterLost:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return ClusterLost(
        "the workers of the cluster end again and again over the same work, most likely for want of memory",
        found=lines[0] if lines else type(problem).__name__,
        cure="Take a smaller --tile or fewer --workers, see Ray's logs, and go on with --resume.",
    )
