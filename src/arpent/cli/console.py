"""What a command shows: results on standard output, everything else on standard error.

A command hands its result to `show`, once: as plain data for machines and as text or tables for people. What is
printed depends on the global options, which no command needs to look at.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as RichProgress
    from rich.table import Table

    from arpent.core.progress import Bar, Progress

__all__ = [
    "Flags",
    "Session",
    "call",
    "console",
    "facts",
    "flags",
    "follows",
    "named",
    "note",
    "plain",
    "printable",
    "progress",
    "session",
    "show",
    "table",
    "where_to_find",
]


@dataclass(frozen=True, slots=True)
class Flags:
    """The global options.

    Attributes:
        json: one JSON document on standard output, nothing for people.
        quiet: no progress and no notes.
        debug: tracebacks.
        version: only the version is asked for.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False
    version: bool = False

    @classmethod
    def among(cls, words: Sequence[str]) -> Flags:
        """The flags of a command line, wherever they stand before a ``--``."""
        own = words[: words.index("--")] if "--" in words else words
        return cls(**{name: f"--{name}" in own for name in cls.__slots__})


@dataclass
class Session:
    """One run of the command line: its flags, and the result that it hands to machines.

    Attributes:
        flags: the global options.
        document: what `show` was given; None before.
        names: what folders are called in front of people, where that is not their path.
    """

    flags: Flags = field(default_factory=Flags)
    document: object = None
    names: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def active(self) -> Iterator[Session]:
        """Makes this the session that `show`, `note` and `progress` belong to."""
        token = _SESSION.set(self)
        try:
            yield self
        finally:
            _SESSION.reset(token)


_SESSION: ContextVar[Session | None] = ContextVar("arpent_session", default=None)


def session() -> Session:
    """The session under way; one without flags when a command is called as a function."""
    return _SESSION.get() or Session()


def flags() -> Flags:
    """The global options of the session under way."""
    return session().flags


def call(folder: PurePath, name: str) -> None:
    """From now on a folder, and what is in it, is called by another name: the address that it is sent to."""
    session().names[str(folder)] = name


def named(text: str) -> str:
    """The text with folders by the names that people know them by."""
    for folder, name in session().names.items():
        text = text.replace(folder, name)
    return text


def follows() -> bool:
    """Whether this process was started beside others (by a launcher, say) and is not the first: then it stays silent.

    It computes its share, and the first one speaks for all.
    """
    rank, world = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    return rank.isdecimal() and world.isdecimal() and 0 < int(rank) < int(world)


def console(stream: TextIO | None = None) -> Console:
    """A rich console on a stream (standard output, if none is given)."""
    from rich.console import Console

    target = stream or sys.stdout
    # Piped tables are for grep and awk: a line of them must not be folded, however wide the shell is that starts us.
    width = None if target.isatty() else sys.maxsize
    return Console(file=target, width=width, highlight=False, emoji=False)


def show(document: object, *people: RenderableType) -> None:
    """The result of a command.

    Args:
        document: for machines; mappings, sequences, settings, paths, numbers and dates. Printed under ``--json``.
        people: lines and tables, printed otherwise; lines are taken literally, without markup.
    """
    here = session()
    here.document = plain(document)
    if here.flags.json or follows():
        return
    out = console()
    for part in people:
        if isinstance(part, str):
            out.print(named(part), markup=False, soft_wrap=True)
        elif out.is_terminal:
            out.print(part, markup=False)
        else:
            _pipe(out, part)


def _pipe(out: Console, part: RenderableType) -> None:
    """Prints a table without the blanks that would make each of its lines as wide as its longest."""
    with out.capture() as held:
        out.print(part, markup=False)
    out.file.write("".join(f"{line.rstrip(' ')}\n" for line in held.get().removesuffix("\n").split("\n")))


def note(text: str) -> None:
    """A line for people on standard error, unless they asked for quiet."""
    if not (flags().quiet or flags().json or follows()):
        sys.stderr.write(f"{printable(text)}\n")
        sys.stderr.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """A table for people; numbers are set to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    kept = [list(row) for row in rows]
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(kept) and all(isinstance(row[index], int | float) for row in kept)
        made.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in kept:
        made.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    return made


def where_to_find(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Names and paths, one pair per line, set below each other; a path is never folded."""
    kept = [(name, str(path)) for name, path in rows]
    width = max((len(name) for name, _ in kept), default=0)
    return [f"{name:{width}}  {path}" for name, path in kept]


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Names and values for people, one pair per line."""
    from rich.table import Table
    from rich.text import Text

    made = Table(show_header=False, box=None, pad_edge=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(Text(printable(name)), Text(printable(str(value))))
    return made


def progress() -> Progress:
    """The one progress bar, on standard error; a line now and then in a log; silent when quiet or for machines."""
    from arpent.core.progress import Silent

    here = flags()
    if here.quiet or here.json or follows():
        return Silent()
    return _Shown() if sys.stderr.isatty() else _Logged()


LOGGED = 60.0
"""Seconds between the lines of a log; what takes less leaves none."""


class _Logged:
    """Lines in a log: title, done of total, time left."""

    @contextmanager
    def bar(self, title: str, total: float | None = None, unit: str = "") -> Iterator[Bar]:
        """A bar whose state is written down now and then."""
        yield _LoggedBar(title, total, unit)


class _LoggedBar:
    def __init__(self, title: str, total: float | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done, self._words = 0.0, ""
        self._began = self._last = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last < LOGGED:
            return
        self._last = now
        told = f"{self._title}: {self._done:,.0f}"
        if self._total and self._done:
            seconds = (now - self._began) * max(self._total - self._done, 0) / self._done
            told += f"/{self._total:,.0f} {self._unit}, {seconds // 60:.0f}:{seconds % 60:02.0f} left"
        else:
            told += f" {self._unit}"
        note(f"{told}  {self._words}".rstrip())

    def note(self, text: str) -> None:
        self._words = text


class _Shown:
    """Bars that people see: title, done of total, rate, time left. Bars inside bars stand below each other."""

    def __init__(self) -> None:
        self._live: RichProgress | None = None

    @contextmanager
    def bar(self, title: str, total: float | None = None, unit: str = "") -> Iterator[Bar]:
        """A line that is kept up to date; an inner one goes when it is done, the outermost stays."""
        if self._live is not None:
            inner = _ShownBar(self._live, title, total, unit)
            yield inner
            inner.remove()
            return
        with _live() as live:
            self._live = live
            try:
                yield _ShownBar(live, title, total, unit)
            finally:
                self._live = None


def _live() -> RichProgress:
    from rich import progress as parts

    return parts.Progress(
        parts.TextColumn("{task.description}", markup=False),
        parts.BarColumn(bar_width=30),
        parts.TextColumn("{task.fields[count]}", markup=False),
        parts.TextColumn("{task.fields[rate]}", markup=False),
        parts.TimeRemainingColumn(compact=True),
        parts.TextColumn("{task.fields[words]}", markup=False),
        console=console(sys.stderr),
    )


class _ShownBar:
    def __init__(self, live: RichProgress, title: str, total: float | None, unit: str) -> None:
        self._live = live
        self._unit = unit
        self._end = "" if total is None else f"/{total:,.0f}"
        self._done = 0.0
        task = live.add_task(printable(title), total=total, count=f"0{self._end} {unit}", rate="", words="")
        self._task = next(one for one in live.tasks if one.id == task)

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        speed = self._task.speed
        self._live.update(
            self._task.id,
            completed=self._done,
            count=f"{self._done:,.0f}{self._end} {self._unit}",
            rate=f"{speed:,.3g} {self._unit}/s" if speed else "",
        )

    def note(self, text: str) -> None:
        self._live.update(self._task.id, words=printable(text))

    def remove(self) -> None:
        self._live.remove_task(self._task.id)


_SPACES = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""Spaces of French typography, which Python does not count as printable."""


def printable(text: str) -> str:
    """The text with control characters made visible: a file name must not steer anybody's terminal."""
    shown = named(text)
    return "".join(c if c.isprintable() or c in _SPACES else c.encode("unicode_escape").decode("ascii") for c in shown)


def plain(value: object) -> object:
    """The value as JSON knows it; numbers that are not finite become null."""
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, str):
        return named(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, PurePath):
        return named(str(value))
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(inner) for inner in value]
    return str(value)
