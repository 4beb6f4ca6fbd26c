"""The processes that train one model together: how they join, what they tell each other, and how they end.

Each is started with the same command, by ``accelerate launch``, ``torchrun`` or whatever sets the same variables. The
first one leads: it alone opens the run folder, writes, and speaks to the user. Whatever fails in it ends the others
too, so that nobody waits for news that will not come.
"""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined] # it is there, and not among its exports

from arpent.engine import pulse
from arpent.engine.devices import choose_device
from arpent.errors import DeviceMissing, InvalidSetting, ProcessLost, ProcessSilent

__all__ = ["Processes", "peers"]

T = TypeVar("T")

_FOREIGN = {
    "ACCELERATE_MIXED_PRECISION": ("no", "a precision", "'precision' among the settings of the training"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "accumulated gradients", "'fit.accumulate'"),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "a compiler", "no compiler"),
    "ACCELERATE_USE_DEEPSPEED": ("false", "DeepSpeed", "plain processes, each with the whole network"),
    "ACCELERATE_USE_FSDP": ("false", "FSDP", "plain processes, each with the whole network"),
    "ACCELERATE_USE_MEGATRON_LM": ("false", "Megatron-LM", "plain processes, each with the whole network"),
}
"""What ``accelerate launch`` and its configuration may ask for and trainings here do otherwise, or not at all: the
value that asks for nothing, what it is for people, and what there is in its place."""

_PATIENCE = timedelta(days=30)
"""How long the others wait for the first process, while it lives: statistics of a large set take hours."""


@dataclass(frozen=True)
class _News:
    """What the first process has to tell: a value, or that it has failed."""

    value: Any = None
    failed: bool = False


@dataclass(frozen=True)
class Processes:
    """The processes that train together; one, where nobody started more.

    Attributes:
        rank: number of this process, from 0 on.
        world: how many there are.
        device: where this one computes.
    """

    rank: int
    world: int
    device: torch.device

    @classmethod
    def joined(cls, device: str = "auto") -> Processes:
        """Meets the other processes, if the command was started in several; may be called again.

        Args:
            device: where to compute: "auto", "cpu", "cuda" …; each process gets a GPU of its own.

        Raises:
            DeviceMissing: fewer GPUs than processes on this machine.
            InvalidSetting: the device cannot be shared, or the launcher asks for what a training does not do.
            ProcessLost: the others cannot be reached.
        """
        _require_plain_launch()
        if device == "auto" and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":
            device = "cpu"
        chosen = choose_device(device)
        _require_one_each(chosen)
        if chosen.type == "cuda" and chosen.index is not None:
            torch.cuda.set_device(chosen)
        with peers():
            state = PartialState(cpu=chosen.type == "cpu")
            if state.num_processes > 1:
                # Said of parameters with sides of one number, for which order in memory means nothing.
                warnings.filterwarnings("ignore", "Grad strides do not match bucket view")
                _pulse(state.process_index, state.num_processes)
        return cls(state.process_index, state.num_processes, state.device)

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def told(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process, in all of them; the others wait and call nothing.

        The value travels by pickle. Where `make` fails, the first process has its error and the others `ProcessLost`.
        """
        if self.world == 1:
            return make()
        if not self.leads:
            news = self._broadcast(_News())
            if news.failed:
                raise _lost("the first process of this training has ended")
            value: T = news.value
            return value
        done = False
        try:
            value = make()
            done = True
        finally:
            if not done:
                with suppress(ProcessLost, ProcessSilent):  # its own failure is the one to tell
                    self._broadcast(_News(failed=True))
        self._broadcast(_News(value))
        return value

    def alone(self, make: Callable[[], T]) -> T | None:
        """What `make` gives in the first process, and None in the others, which wait for it; see `told`."""
        made: list[T] = []
        self.told(lambda: made.append(make()))
        return made[0] if made else None

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, by their numbers, in every process; they travel by pickle."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        self._exchanged(lambda: dist.all_gather_object(values, value, group=_line()))
        return values

    def mean(self, value: Tensor) -> float:
        """The mean over the processes of a number that each of them has."""
        if self.world == 1:
            return float(value)
        total = value.detach().clone()
        with peers():
            dist.all_reduce(total)
        return float(total) / self.world

    def align(self, model: nn.Module) -> None:
        """Gives all processes the running statistics (of batch norm) that the first one has."""
        if self.world > 1:
            with peers(), torch.no_grad():
                for buffer in model.buffers():
                    dist.broadcast(buffer, 0)

    def _broadcast(self, news: _News) -> _News:
        box = [news]
        self._exchanged(lambda: dist.broadcast_object_list(box, src=0, group=_line()))
        return box[0]

    def _exchanged(self, exchange: Callable[[], object]) -> None:
        """Talks with the others, which may take them hours.

        Raises:
            ProcessLost: one of them has ended.
            ProcessSilent: one of them has given no sign of life for minutes.
        """
        signs = _pulse(self.rank, self.world)
        try:
            with peers():
                signs.awaited(exchange)
        except TimeoutError:
            assert signs.lost is not None
            raise _silent(signs.lost) from None


@contextmanager
def peers() -> Iterator[None]:
    """Around work that needs the other processes.

    Raises:
        ProcessLost: one of them has ended.
    """
    try:
        yield
    except RuntimeError as error:
        # NCCL's failures have a class; gloo's are known by their text alone.
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise _lost("another process of this training has ended, or cannot be reached") from error


def _lost(what: str) -> ProcessLost:
    return ProcessLost(what, cure="Its own last line says why; finished epochs are kept: go on with --resume.")


def _silent(rank: int) -> ProcessSilent:
    minutes = pulse.BEAT * pulse.PATIENCE / 60
    return ProcessSilent(
        f"process {rank} of this training has given no sign of life for {minutes:.3g} minutes",
        cure="See whether its machine still runs, and end what is left there; finished epochs are kept: "
        "go on with --resume.",
    )


def _require_plain_launch() -> None:
    """Refuses what the launcher would change about a training behind the back of its settings."""
    for name, (nothing, what, instead) in _FOREIGN.items():
        asked = os.environ.get(name, nothing).lower()
        if asked != nothing:
            raise InvalidSetting(
                f"the launcher asks for {what}",
                found=f"{name}={asked}",
                expected=instead,
                cure="Change it with 'accelerate config', or start with torchrun.",
            )


def _require_one_each(device: torch.device) -> None:
    """Refuses a device that the processes started here cannot share."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    if str(device) not in ("cpu", "cuda"):
        raise InvalidSetting(
            f"several processes cannot share the device '{device}'",
            expected="auto, cpu or cuda",
            cure="Set 'device' to one of these, or start one process.",
        )
    here, there = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if device.type == "cuda" and here > there:
        raise DeviceMissing(
            f"{here} processes need a GPU each",
            found=f"{there} CUDA devices",
            cure=f"Start {there} processes on this machine, or set 'device' to cpu.",
        )


@cache
def _line() -> dist.ProcessGroup:
    """What news travels over: a group of its own, slower to despair than the one that gradients travel over."""
    group = dist.new_group(backend="gloo", timeout=_PATIENCE)
    assert isinstance(group, dist.ProcessGroup)  # everybody is a member
    return group


@cache
def _pulse(rank: int, world: int) -> pulse.Pulse:
    """The signs of life of this process, which begin with the first call."""
    place: list[Any] = [None]
    if rank == 0:
        store = TCPStore(_host(), 0, None, is_master=True, wait_for_workers=False)
        place[0] = store.port
    dist.broadcast_object_list(place, src=0, group=_line())
    if rank != 0:
        store = TCPStore(_host(), place[0], None, is_master=False, wait_for_workers=False)
    found = pulse.Pulse(store, rank, world)
    found.start()
    atexit.register(_left, found)
    return found


def _left(signs: pulse.Pulse) -> None:
    """Takes leave of the others; an exchange under way, with one that is silent, would be waited for."""
    signs.stop()
    if not signs.exchanging:
        dist.destroy_process_group()


def _host() -> str:
    """Where the first process is, as the launcher says it."""
    return os.environ.get("MASTER_ADDR", "127.0.0.1")
