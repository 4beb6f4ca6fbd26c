"""What ``arpent plan`` does: run a command on parts of its input, and work out what all of it takes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from arpent.cli.plannable import Asked, asked
from arpent.cli.planned import Calibration, Planned, Wanted
from arpent.cli.planned_image import PartsOfImage
from arpent.cli.planned_list import PartsOfList
from arpent.core import object_address
from arpent.core.writing import writing
from arpent.engine.calibration import Consumed, Rates, rates
from arpent.errors import InvalidSetting
from arpent.store.remote import stage_of

__all__ = ["planned"]

_LARGE_PARTS, _AT_LEAST = 3, 2
_GROWTH = 4
"""Times as many units of a larger part, at most, as the clock would allow by the one before: it may have been lucky."""


def planned(words: Sequence[str], wanted: Wanted) -> Planned:
    """Calibrates a command, and works out what all of its job takes.

    Raises:
        InvalidSetting: it cannot be planned, or not so.
        ArpentError: what the command itself says when it is run on a part.
    """
    job = asked(words)
    _check(job, wanted)
    above = _where(job)
    with ExitStack() as made:
        with writing(above):
            folder = made.enter_context(TemporaryDirectory(prefix=".arpent-plan-", dir=above))
        began = time.perf_counter()
        parts: _Parts = (PartsOfImage if job.windows else PartsOfList)(job, wanted, Path(folder))
        small, large = _calibrated(parts, wanted.seconds)
        how = Calibration(
            source=parts.source,
            simulated=parts.simulated,
            parts=len(small) + len(large),
            units=sum(round(one.extent.units) for one in (*small, *large)),
            seconds=time.perf_counter() - began,
            cores=os.cpu_count() or 1,
            threads=_threads(),
            device=_device(),
            apart=bool(large),
            networked=any(one.networked for one in (*small, *large)),
        )
        return parts.told(rates(small, large), how)


def _check(job: Asked, wanted: Wanted) -> None:
    if job.given.get("stac"):
        raise InvalidSetting(
            "a search cannot be planned", cure="Name one of the images that it finds, and say how many."
        )
    idle = ("--count",) if job.windows else ("--area", "--gsd")
    values = (wanted.count,) if job.windows else (wanted.square_metres, wanted.gsd)
    for name, value in zip(idle, values, strict=True):
        if value is not None:
            raise InvalidSetting(
                f"{name} says nothing about '{' '.join(job.words[:2])}'",
                cure="Give --area for images, and --count for lists.",
            )
    if wanted.gsd is not None and wanted.square_metres is None:
        raise InvalidSetting("--gsd goes with --area", cure="Say how much ground, or leave it to the image.")
    numbers = {"--gsd": wanted.gsd, "--count": wanted.count, "--seconds": wanted.seconds, "--shards": wanted.shards}
    for name, number in numbers.items():
        if number is not None and not number > 0:
            raise InvalidSetting(f"{name} must be above nothing", found=number, cure="Give another number.")


def _where(job: Asked) -> Path:
    """The folder in which parts are run: on the disk that the job will write to. None is made for it.

    A run for an object store is made on this machine first, beside other copies of what lies in such stores.
    """
    output = job.given.get("output")
    if output is None:
        return Path.cwd()
    address = object_address(output)
    made = Path(str(output)).absolute() if address is None else stage_of(address)
    return next(folder for folder in made.parents if folder.is_dir())


def _threads() -> int:
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else 1


def _device() -> str:
    """The GPU, where one was used."""
    torch = sys.modules.get("torch")
    used = torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0
    return str(torch.cuda.get_device_name()) if torch is not None and used else "cpu"


class _Parts(Protocol):
    """A job of which parts can be run."""

    source: str
    simulated: bool

    def warm(self) -> None:
        """Runs a part whose figures do not count: it pays for what a process pays for once."""

    def small(self) -> Consumed:
        """Runs a small part; each call another one."""

    def large(self, units: float) -> Consumed | None:
        """Runs a larger part, of so many units about; None where there is none."""

    def told(self, found: Rates, how: Calibration) -> Planned:
        """The plan."""


def _calibrated(parts: _Parts, seconds: float) -> tuple[list[Consumed], list[Consumed]]:
    """Runs of small parts and, in the time that is left, of large ones: two at least, or nothing is known of spread."""
    parts.warm()
    until = time.perf_counter() + seconds
    small = [parts.small()]
    if small[0].seconds < seconds / 4:
        small.append(parts.small())
    each = min(one.seconds / one.extent.units for one in small)
    large: list[Consumed] = []
    for number in range(_LARGE_PARTS):
        left = until - time.perf_counter()
        if number >= _AT_LEAST and left < 0:
            break
        done = parts.large(max(left, 0) / (_LARGE_PARTS - number) / each)
        if done is None:
            break
        large.append(done)
        each = min(each, max(_slope(small, done), each / _GROWTH))
    return small, large


def _slope(small: Sequence[Consumed], large: Consumed) -> float:
    """Seconds of one more unit, which are fewer than those of a small part by its start."""
    least, few = min(one.seconds for one in small), small[0].extent.units
    return (large.seconds - least) / max(large.extent.units - few, 1)
