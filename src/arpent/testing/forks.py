"""Commands in processes of their own that start in milliseconds, under limits, watched, and killed at any moment.

One process imports what the commands need and forks for each of them, so that a kill costs a fork and not an import of
torch. It counts what a command does to the file system as Python sees it, can end it at the moment of any such event,
and tells what was touched outside the folders that it may write to. ::

    with Forks("arpent.cli.landcover") as forks:
        ended = forks.run(["landcover", "predict", …], folder, limits=Limits(seconds=30))
        forks.run(…, die_at=ended.events // 2)
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

__all__ = ["Ended", "Forks", "Limits"]

COMMAND = "arpent.cli.app:main"
"""What is called with the words of a command line."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.link": ((1, 3),),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
}
"""Audited events that change a file system: which of their arguments are paths, and which the folder these begin at."""


@dataclass(frozen=True)
class Limits:
    """What a command may use; None for as much as it likes.

    Attributes:
        memory: bytes of address space beyond what its imports take.
        file_size: bytes that any file may grow to; beyond, the system answers as it does on a full disk.
        seconds: of the processor, after which it counts as hanging and is ended by SIGXCPU; one that waits for
            something else is ended by SIGALRM after four times as many.
    """

    memory: int | None = None
    file_size: int | None = None
    seconds: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit code; the negative number of the signal that ended it.
        said: standard output and error together.
        seconds: that it took.
        processor: seconds of the processor that it took, which others beside it hardly change.
        peak: bytes of resident memory, those of its imports among them.
        events: changes of the file system that Python has seen; 0 of a command that was killed.
        strays: paths that were opened for writing, made, moved or removed outside the folders it may write to.
    """

    status: int
    said: str
    seconds: float
    processor: float
    peak: int
    events: int = 0
    strays: tuple[str, ...] = ()


@dataclass
class Forks:
    """The process that forks, as a context.

    Args:
        modules: what it imports.
        path: folders in which modules are looked for, besides the usual ones.
        env: added to its environment.
    """

    modules: Sequence[str] = ()
    path: Sequence[Path] = ()
    env: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="forks-")
        looked_in = [*map(str, self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            [sys.executable, "-m", "arpent.testing.forks", *self.modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(looked_in), "TMPDIR": self._folder.name} | self.env,
        )
        if self._answer() != "ready":
            self.__exit__()
            raise RuntimeError("the process that forks has not started")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def run(
        self,
        words: Sequence[object],
        folder: Path,
        *,
        call: str = COMMAND,
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
        may_write: Sequence[Path] | None = None,
        die_at: int | None = None,
        kill: tuple[Callable[[], bool], float] | None = None,
    ) -> Ended:
        """Runs a command in `folder` and says how it ended.

        Args:
            words: of the command line; Path and numbers become text.
            folder: where it works.
            call: "module:function", given the list of words; what it returns is the exit code.
            limits: what it may use.
            env: added to its environment.
            may_write: folders that it may write to, besides one for passing files; where it works, if not given.
            die_at: number of the event, counted from 1, before which it is killed.
            kill: when it counts as begun, and seconds after that until it is killed from outside.
        """
        said = Path(self._folder.name) / "said"
        report = Path(self._folder.name) / "report"
        report.unlink(missing_ok=True)
        job: dict[str, Any] = {
            "words": [str(word) for word in words],
            "folder": str(folder),
            "call": call,
            "die_at": die_at,
        }
        job |= {"said": str(said), "report": str(report), "limits": asdict(limits or Limits())}
        job["env"] = dict(env or {})
        job["may_write"] = [str(place) for place in ((folder,) if may_write is None else may_write)]
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(job)}\n")
        self._process.stdin.flush()
        child = int(self._answer())
        if kill is not None:
            self._kill(child, *kill)
        ended = json.loads(self._answer())
        told = json.loads(report.read_text()) if report.exists() else {}
        return Ended(
            said=said.read_text("utf-8", "replace"),
            events=told.get("events", 0),
            strays=tuple(told.get("strays", ())),
            **ended,
        )

    def _kill(self, child: int, begun: Callable[[], bool], seconds: float) -> None:
        while not begun() and not self._has_answered(0.002):
            pass
        if not self._has_answered(seconds):
            # The child is not waited for before it is asked about: its number is still its own.
            os.kill(child, signal.SIGKILL)

    def _has_answered(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class _Watch:
    """Counts what this process does to the file system; an audit hook, which can never be taken away again."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        places = (*job["may_write"], os.environ["TMPDIR"])
        self._may = tuple(os.path.realpath(place) for place in places)
        self._die_at = job["die_at"]
        self.events = 0
        self.strays: list[str] = []
        self.on = True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        named = list(_touched(event, arguments))
        if not named:
            return
        self.on = False  # what is looked up here is no event
        if event != "os.mkdir" or not all(map(os.path.isdir, named)):  # one that is there stays as it is
            self.strays += [path for path in named if not self._allowed(path)]
        self.on = True
        self.events += 1
        if self.events == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _allowed(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real.startswith("/dev/") or any(real == place or real.startswith(place + os.sep) for place in self._may)


def _touched(event: str, arguments: tuple[Any, ...]) -> Iterator[str]:
    """The paths that an audited event changes."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITES and not isinstance(path, int):
            yield os.fsdecode(path)
        return
    for number, beginning in _CHANGES.get(event, ()):
        path, folder = arguments[number], -1 if beginning is None else arguments[beginning]
        if not isinstance(path, int):
            yield os.path.join(f"/proc/self/fd/{folder}" if folder >= 0 else "", os.fsdecode(path))  # noqa: PTH118


def _serve() -> None:
    """Reads jobs, one line each, and answers with the child's number and, once it has ended, with how."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for name in sys.argv[1:]:
        import_module(name)
    answers.write("ready\n")
    for line in sys.stdin:
        job, began = json.loads(line), time.monotonic()
        child = os.fork()
        if child == 0:
            _become(job)
        answers.write(f"{child}\n")
        _, status, used = os.wait4(child, 0)
        ended = {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}
        ended |= {"processor": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}
        answers.write(json.dumps(ended) + "\n")


def _become(job: Mapping[str, Any]) -> None:
    """What a child does; it never returns."""
    code = 99
    try:
        said = os.open(job["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ.update(job["env"])
        os.chdir(job["folder"])
        _limit(**job["limits"])
        module, _, name = job["call"].partition(":")
        call = getattr(import_module(module), name)
        watch = _Watch(job)
        sys.addaudithook(watch)
        code = call(job["words"]) or 0
        watch.on = False
        Path(job["report"]).write_text(json.dumps({"events": watch.events, "strays": watch.strays}))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _limit(memory: int | None, file_size: int | None, seconds: int | None) -> None:
    if file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if memory is not None:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))
    if seconds is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(4 * seconds)


if __name__ == "__main__":
    _serve()
