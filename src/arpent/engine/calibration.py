"""What a job costs, worked out from a few runs of the real thing on parts of it.

A part is predicted as the whole would be: the same command, the same loop, the same files. What it takes is measured
around it. Parts of two sizes tell what is spent once, at the start, from what is spent on each tile; several parts of
the larger size, in different places, tell how far the figures spread. No more is claimed than that spread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from arpent.core import Grid
from arpent.io.gdal import network_uses
from arpent.tiling import TilePlan, TileShape

__all__ = ["Consumed", "Extent", "Line", "Looked", "Range", "Rates", "consumed", "looked_at", "rates", "seen_by"]

_COUNTS = Path("/proc/self/io")
"""Where Linux says what a process has read and written so far."""

_OFTEN = 0.05
"""Seconds between two looks at how large the run folder has become."""


@dataclass(frozen=True)
class Looked:
    """An image that a loop went over.

    Attributes:
        grid: of its pixels, as the network saw them.
        shape: how it was cut into tiles.
    """

    grid: Grid
    shape: TileShape

    @property
    def plan(self) -> TilePlan:
        """Its tiles."""
        return TilePlan.of(*self.grid.shape, self.shape)


_WATCHED: ContextVar[list[Looked] | None] = ContextVar("arpent_watched", default=None)


@contextmanager
def looked_at() -> Iterator[list[Looked]]:
    """Gathers the images that loops go over inside the block."""
    found: list[Looked] = []
    token = _WATCHED.set(found)
    try:
        yield found
    finally:
        _WATCHED.reset(token)


def seen_by(grid: Grid, shape: TileShape) -> None:
    """Tells whoever watches that a loop goes over an image."""
    watched = _WATCHED.get()
    if watched is not None:
        watched.append(Looked(grid, shape))


@dataclass(frozen=True)
class Extent:
    """How large a job is.

    Attributes:
        units: tiles, or items of a list.
        size: pixels of the image, or items.
        side: of the image, in pixels; 0 for lists.
        touched: pixels of the blocks of its file that are read, which are read whole.
        seams: pixels along all borders between rows of tiles, which are set down until the next row is done.
    """

    units: float
    size: float
    side: float = 0.0
    touched: float = 0.0
    seams: float = 0.0


@dataclass(frozen=True)
class Consumed:
    """What one run took.

    Attributes:
        extent: how large its job was.
        seconds: by the clock.
        cpu_seconds: of all threads together.
        read, written: bytes that went through the system's calls; None where it does not count them, as it does not
            count what is read over the network.
        kept: bytes of the finished run folder, but for pictures.
        disk: the most bytes that it took meanwhile.
        networked: whether images were read over the network.
    """

    extent: Extent
    seconds: float
    cpu_seconds: float
    read: int | None
    written: int | None
    kept: int
    disk: int
    networked: bool = False


def consumed(run: Callable[[], Extent], folder: Path) -> Consumed:
    """What a run takes that writes to `folder`, and says how large its job was."""
    counts, uses, began, cpu = _counts(), network_uses(), time.perf_counter(), time.process_time()
    with _watching(folder) as most:
        extent = run()
    seconds, cpu_seconds, after = time.perf_counter() - began, time.process_time() - cpu, _counts()
    kept = _bytes_in(folder, but=".png")  # previews are of one size, whatever that of the map
    read, written = (after[i] - counts[i] if counts and after else None for i in (0, 1))
    most_seen, networked = max(kept, *most), network_uses() > uses
    return Consumed(extent, seconds, cpu_seconds, None if networked else read, written, kept, most_seen, networked)


@contextmanager
def _watching(folder: Path) -> Iterator[list[int]]:
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(_OFTEN):
            most[0] = max(most[0], _bytes_in(folder))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def _bytes_in(folder: Path, but: str | None = None) -> int:
    total = 0
    with suppress(FileNotFoundError):  # a run renames and removes what it has done with
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):
                total += path.stat().st_size if path.is_file() and path.suffix != but else 0
    return total


def _counts() -> tuple[int, int] | None:
    if not _COUNTS.exists():
        return None
    lines = dict(line.split(": ") for line in _COUNTS.read_text("ascii").splitlines())
    return int(lines["rchar"]), int(lines["wchar"])


@dataclass(frozen=True)
class Range:
    """A figure with how far it spreads: the least, the middle and the most that was seen."""

    low: float
    typical: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Range:
        """The range of some values."""
        return cls(min(values), median(values), max(values))


@dataclass(frozen=True)
class Line:
    """How a figure grows.

    Attributes:
        start: what each process pays once.
        each: for each unit, or each pixel.
        side: for each pixel along a side: the seam between two rows of tiles, which is kept until the next is done.
        seams: for each pixel along all seams.
        touched: for each pixel of the blocks that are read.
    """

    start: float
    each: float
    side: float = 0.0
    seams: float = 0.0
    touched: float = 0.0

    def at(self, job: Extent, count: float, starts: int) -> float:
        """The figure of a job of so many units or pixels, that so many processes share."""
        grown = self.each * count + self.side * job.side + self.seams * job.seams + self.touched * job.touched
        return self.start * starts + grown


_PER_UNIT = ("seconds", "cpu_seconds")
_FILES = 2
"""A map lies on the disk twice for a moment: in parts, and put together."""
_CLEARLY = 1.2
"""Times as many blocks that a larger part must touch for their cost to be told from what is read once."""
_FIGURES = (*_PER_UNIT, "read", "written", "kept", "disk")


@dataclass(frozen=True)
class Rates:
    """What a job costs by its size.

    Attributes:
        lines: by the name of the figure in `Consumed`, one for each of the larger parts; a figure that the system
            does not count is missing.
        apart: whether the start could be told from the rest; if not, it is in the rates, which are then too high.
    """

    lines: Mapping[str, Sequence[Line]]
    apart: bool = True

    def cost(self, job: Extent, starts: int = 1) -> dict[str, Range]:
        """What a job costs that so many processes share."""
        told = {}
        for name, lines in self.lines.items():
            count = _count(name, job)
            told[name] = Range.of([one.at(job, count, starts) for one in lines])
        return told


def rates(small: Sequence[Consumed], large: Sequence[Consumed]) -> Rates:
    """What a unit costs, from parts of two sizes; from those of one size alone where there are no larger ones."""
    lines: dict[str, list[Line]] = {}
    for name in _FIGURES:
        first = [getattr(one, name) for one in small]
        if None not in (*first, *(getattr(one, name) for one in large)):
            lines[name] = [_line(name, small, median(first), one) for one in large] or [
                Line(0.0, getattr(one, name) / _count(name, one.extent)) for one in small
            ]
    runs = large or small
    if all(one.extent.side for one in runs):
        lines["disk"] = [_seam(kept, one) for kept, one in zip(lines["kept"], runs, strict=True)]
    if "read" in lines and large and _apart([one.extent.touched for one in small], large):
        lines["read"] = [_line_of_blocks(small, one) for one in large]
    if "written" in lines and large and all(one.extent.seams for one in (*small, *large)):
        lines["written"] = [_set_down(kept, small, one) for kept, one in zip(lines["kept"], large, strict=True)]
    return Rates(lines, apart=bool(large))


def _line(name: str, small: Sequence[Consumed], least: float, large: Consumed) -> Line:
    """The line through a small part and a large one; what would be less than nothing is noise."""
    few, many = median(_count(name, one.extent) for one in small), _count(name, large.extent)
    each = max(getattr(large, name) - least, 0.0) / (many - few)
    return Line(max(least - each * few, 0.0), each)


def _seam(kept: Line, one: Consumed) -> Line:
    """What lies on the disk besides finished files: as much as an image is wide, however high it is."""
    files = _FILES * (kept.start + kept.each * one.extent.size)
    return Line(_FILES * kept.start, _FILES * kept.each, max(one.disk - files, 0.0) / one.extent.side)


def _apart(few: Sequence[float], large: Sequence[Consumed]) -> bool:
    """Whether the larger parts touch so many more blocks that these tell what one costs."""
    return max(few) > 0 and min(one.extent.touched for one in large) > _CLEARLY * max(few)


def _line_of_blocks(small: Sequence[Consumed], large: Consumed) -> Line:
    """What is read: whole blocks, of which a part touches many for its size."""
    few, least = median(one.extent.touched for one in small), median(one.read or 0 for one in small)
    each = max((large.read or 0) - least, 0.0) / (large.extent.touched - few)
    return Line(max(least - each * few, 0.0), 0.0, touched=each)


def _set_down(kept: Line, small: Sequence[Consumed], large: Consumed) -> Line:
    """What is written: finished files, twice, and the seams, of which a small part has few for its size."""

    def rest(one: Consumed) -> float:
        assert one.written is not None  # there is a line of it
        return max(one.written - _FILES * (kept.start + kept.each * one.extent.size), 0.0)

    few, least = median(one.extent.seams for one in small), median(map(rest, small))
    each = max(rest(large) - least, 0.0) / (large.extent.seams - few)
    return Line(_FILES * kept.start + max(least - each * few, 0.0), _FILES * kept.each, seams=each)


def _count(name: str, one: Extent) -> float:
    return one.units if name in _PER_UNIT else one.size
