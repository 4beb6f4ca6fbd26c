"""The map's own server, asked over loopback by several clients at once."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from threading import local

import numpy as np

from arpent.store import RunFolder

__all__ = ["CLIENTS", "Address", "Asked", "Server", "asked_over_loopback", "started", "timed"]

CLIENTS, _CROWD = 8, 50
_PATIENCE = 600.0  # seconds until the server has made its display images, or answers


@dataclass(frozen=True)
class Address:
    """A tile."""

    z: int
    x: int
    y: int


@dataclass(frozen=True)
class Asked:
    """What the server is asked for.

    Attributes:
        tiles: first each once, then each again.
        many: how many more, after which its memory is looked at.
        soak: seconds during which fifty clients ask.
    """

    tiles: Sequence[Address]
    many: int
    soak: float


class Server:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self.port = process, port
        self._kept = local()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and content of an address, over a connection that each thread keeps."""
        connection = getattr(self._kept, "connection", None)
        if connection is None:
            connection = self._kept.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def cpu_seconds(self) -> float:
        """Processor time that it has spent."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MiB that it holds now."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


@contextmanager
def started(words: Callable[[int], Sequence[str]], environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A program that serves on a free port, once it answers.

    Args:
        words: of its command, by port.
        environment: variables beside those of this process.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {**os.environ, **(environment or {})}
    process = subprocess.Popen(words(port), env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(process, port)
    try:
        until = time.monotonic() + _PATIENCE
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server does not answer")
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait()


def _map(folder: Path, runs: Sequence[Path]) -> AbstractContextManager[Server]:
    """The map with these runs."""
    command = [sys.executable, "-m", "arpent", "map", "serve", *map(str, runs), "--no-open", "--port"]
    return started(lambda port: [*command, str(port)], {"DATA_PATH": str(folder / "map")})


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def asked_over_loopback(folder: Path, rasters: Sequence[Path], asked: Asked) -> dict[str, dict[str, float]]:
    """Processor time of the server per tile, times at the clients, and its memory, for the first layer and for all.

    Args:
        folder: for the run and the map's data.
        rasters: products of the run.
        asked: what is wanted.
    """
    with RunFolder.create(folder, "landcover", "bench", exact=False) as run:
        for raster in rasters:
            (run.scratch / raster.name).hardlink_to(raster)
            run.publish(run.scratch / raster.name, kind="raster")
        made = run.finish()
    with _map(folder, [made.path]) as server:
        bases = _bases(server)
        found = {"start": {"memory_mib": server.memory()}}
        for name, base in bases.items():
            paths = [f"{base}/{one.z}/{one.x}/{one.y}.png" for one in asked.tiles]
            found[f"{name}: first"] = timed(server, paths, CLIENTS)
            found[f"{name}: again"] = timed(server, paths, CLIENTS)
        everything = [
            f"{base}/{one.z}/{one.x}/{one.y}{scale}.png"
            for one in asked.tiles
            for base in bases.values()
            for scale in ("", "@2x")
        ]
        if asked.many:
            found[f"{asked.many} more"] = timed(server, list(islice(cycle(everything), asked.many)), CLIENTS)
        if asked.soak:
            found[f"{_CROWD} clients for {asked.soak:g} s"] = _soaked(server, everything, asked.soak)
    return found


def _bases(server: Server) -> dict[str, str]:
    """Addresses of the tiles of each layer's first frame, by kind."""
    _, content = server.get("/api/layers")
    layers = [layer for run in json.loads(content)["runs"] for layer in run["layers"]]
    rasters = [layer for layer in layers if layer["source"] == "raster"]
    return {layer["kind"]: f"/tiles/{layer['id']}/{layer['frames'][0]['id']}" for layer in rasters}


def timed(server: Server, paths: Sequence[str], clients: int) -> dict[str, float]:
    """What these addresses cost, asked for by so many clients."""

    def ask(path: str) -> tuple[float, int]:
        begun = time.perf_counter()
        status, _ = server.get(path)
        return 1e3 * (time.perf_counter() - begun), status

    spent, begun = server.cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(ask, paths))
    seconds = time.perf_counter() - begun
    times = [one for one, _ in found]
    return {
        "cpu_ms": 1e3 * (server.cpu_seconds() - spent) / len(paths),
        "tiles_per_s": len(paths) / seconds,
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "errors": sum(status not in (200, 204) for _, status in found),
        "memory_mib": server.memory(),
    }


def _soaked(server: Server, paths: Sequence[str], seconds: float) -> dict[str, float]:
    """Everybody asks at once, each from another place in the list; every tenth asks for the list of layers."""
    until = time.monotonic() + seconds

    def client(number: int) -> tuple[int, int]:
        count = errors = 0
        start = number * 31 % len(paths)
        for path in islice(cycle(paths), start, None):
            if time.monotonic() > until:
                break
            status, _ = server.get("/api/layers" if count % 10 == 9 else path)
            count, errors = count + 1, errors + (status not in (200, 204))
        return count, errors

    spent = server.cpu_seconds()
    with ThreadPoolExecutor(_CROWD) as pool:
        found = list(pool.map(client, range(_CROWD)))
    count = sum(one for one, _ in found)
    return {
        "requests": count,
        "errors": sum(errors for _, errors in found),
        "cpu_ms": 1e3 * (server.cpu_seconds() - spent) / max(count, 1),
        "memory_mib": server.memory(),
    }
