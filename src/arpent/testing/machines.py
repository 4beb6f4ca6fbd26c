"""A Ray cluster as its users start it, of several nodes on this machine, and which of them do the work of a command.

It knows Ray by its command alone, so that whoever uses it need not have joined the cluster. Linux only. ::

    with Machines(os.environ) as machines:
        machines.start("--head", "--port", machines.port)
        machines.start("--address", machines.address)
        watched = machines.run([sys.executable, "-m", "arpent", …, "--engine", "ray", "--address", machines.address])
        assert watched.status == 0 and watched.worked == {0, 1}
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Self

__all__ = ["Machines", "Watched", "descendants"]

_COUNT = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    time.sleep(0.2)
"""
"""Ends when the cluster has so many living nodes."""

_AT_WORK = b"ray::Worker.do"
"""How Ray names a process of `engine.worker.Worker` while it does a piece of work, and not when it only has a place."""


def descendants(*of: int) -> Iterator[tuple[int, int, bytes]]:
    """What some processes have started, and what that has: the process it goes back to, its number and words."""
    parents, words = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            words[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
    for pid, line in words.items():
        above = parents[pid]
        while above not in of and above in parents:
            above = parents[above]
        if above in of:
            yield above, pid, line


@dataclass(frozen=True)
class Watched:
    """How a command ended.

    Attributes:
        status: its exit code.
        said: its standard output and error together.
        worked: numbers of the nodes on which a worker was seen at work.
    """

    status: int
    said: str
    worked: frozenset[int]


class Machines:
    """Nodes of one core each, numbered as they were started; they end with the block.

    Args:
        environment: of the nodes and of the commands, as it is when they begin.
        seconds: that a node may take to begin, and a command to end.
    """

    def __init__(self, environment: Mapping[str, str], seconds: float = 240.0) -> None:
        self._environment, self._seconds = environment, seconds
        self._nodes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            self._folder = ending.enter_context(
                TemporaryDirectory(prefix="ray", dir="/tmp")
            )  # sockets want short paths
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def start(self, *words: str) -> None:
        """Starts a node with what follows ``ray start``, and waits until the cluster has one living node more.

        Raises:
            RuntimeError: it has ended, or another node has, or it takes too long.
        """
        program = Path(sys.executable).with_name("ray")
        command = [str(program), "start", *words, "--block", "--num-cpus", "1", "--object-store-memory", str(80 << 20)]
        command += ["--node-ip-address", "127.0.0.1"]
        if "--head" in words:
            command += ["--temp-dir", self._folder, "--include-dashboard", "false"]
        node = subprocess.Popen(  # noqa: S603 - Ray's own command
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(self._environment)
        )
        self._ending.callback(node.wait, 60)
        self._ending.callback(node.terminate)
        self._nodes.append(node)
        if "--head" in words:
            self._until(self._answers)
        count = [sys.executable, "-W", "ignore", "-c", _COUNT, self.address, str(len(self._nodes))]
        with subprocess.Popen(count, env=dict(self._environment)) as counting:  # noqa: S603 - this interpreter
            try:
                self._until(lambda: counting.poll() is not None)
            finally:
                counting.kill()
        if counting.returncode:
            raise RuntimeError(f"the nodes of {self.address} cannot be counted: status {counting.returncode}")

    def run(self, command: Sequence[object]) -> Watched:
        """Runs a command to its end, and looks on which nodes workers work meanwhile.

        Raises:
            RuntimeError: a node has ended, or the command takes too long.
        """
        worked: set[int] = set()
        number = {node.pid: place for place, node in enumerate(self._nodes)}
        with TemporaryFile() as said:
            words = [str(word) for word in command]
            running = subprocess.Popen(  # noqa: S603 - the caller's own
                words, stdout=said, stderr=subprocess.STDOUT, env=dict(self._environment)
            )

            def ended() -> bool:
                worked.update(number[node] for node, _, line in descendants(*number) if line.startswith(_AT_WORK))
                return running.poll() is not None

            try:
                self._until(ended)
            finally:
                running.kill()
                running.wait()
            said.seek(0)
            return Watched(running.returncode, said.read().decode(), frozenset(worked))

    def _until(self, done: Callable[[], bool]) -> None:
        """Waits, and looks whether all nodes live."""
        until = time.monotonic() + self._seconds
        while not done():
            for number, node in enumerate(self._nodes):
                if node.poll() is not None:
                    raise RuntimeError(f"node {number} has ended with status {node.returncode}")
            if time.monotonic() > until:
                raise RuntimeError(f"nothing has come within {self._seconds:.0f} s")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", int(self.port))) == 0
