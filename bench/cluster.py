"""What workers of a Ray cluster gain over one process, and what they cost.

Maps one image in this process, with one worker and with two; medians over rounds, taken in turn, and ratios within the
same round, with the least and the most. Workers are started before the clock; what their start takes is told by itself.
In the end stand the overhead, which is the time of one worker beside this process alone, and the scaling from the first
number of workers to the last, each held against this process in its own rounds. One more row is this process with as
many threads as the last cluster has in all: what the same cores do without Ray. Peak memory is that of the process that
blends and writes, and of each worker. Some five minutes on two idle cores; nothing of Ray is left behind.
Usage: python bench/cluster.py [--side 2048] [--rounds 3] [--workers 1 2] [--runtime torch|openvino] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from arpent.engine import Reading, made_ahead, on_cluster
from arpent.engine.crew import working_with
from arpent.models import UNetSettings
from arpent.store import Place
from arpent.tasks.landcover import MapSettings, map_image
from arpent.testing.memory import peak_memory
from arpent.testing.toys import toy_bundle
from engine import scene


def opened_peak(opened: ExitStack) -> Callable[[int], int]:
    """What tells a worker's peak memory."""
    return lambda number: peak_memory()


def asked(times: int) -> list[int]:
    """The peaks of workers, asked so many times in all."""
    return list(made_ahead(opened_peak, range(times), Reading(1, 1)))


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def told(title: str, pairs: list[tuple[float, float]]) -> float:
    """Prints how long it took beside one process; gives the median of the ratios of each round."""
    both = [statistics.median(part) for part in zip(*pairs, strict=True)]
    ratios = sorted(alone / shared for shared, alone in pairs)
    gain = statistics.median(ratios)
    spread = f"{gain:5.2f} ({ratios[0]:.2f} – {ratios[-1]:.2f})"
    print(f"{title:16s} {both[0]:7.2f} s   one process {both[1]:7.2f} s   one over the other {spread}")
    return gain


def threaded(args: argparse.Namespace, run: Callable[[], object], threads: int) -> list[tuple[float, float]]:
    """Seconds of this process with more threads, and with its own, in each round."""
    torch.set_num_threads(threads)
    run()  # its threads are started before the clock
    pairs = []
    for _ in range(args.rounds):
        torch.set_num_threads(threads)
        shared = seconds(run)
        torch.set_num_threads(args.threads)
        pairs.append((shared, seconds(run)))
    return pairs


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runtime", default="torch")
    parser.add_argument("--threads", type=int, default=1, help="of this process, and of each worker")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    settings = MapSettings(runtime=args.runtime, device="cpu", tile=256)
    with tempfile.TemporaryDirectory() as folder:
        image = scene(Path(folder) / "scene.tif", args.side)
        model = toy_bundle(Path(folder) / "model.safetensors", widths=UNetSettings().widths)
        measure(args, lambda: map_image(str(image), model, Place(exact=Path(folder) / "run", force=True), settings))


def measure(args: argparse.Namespace, run: Callable[[], object]) -> None:
    """One process against clusters of each size, each with its own workers."""
    run()
    work = f"{args.side}² px, {torch.get_num_threads()} thread(s) each, {args.runtime}"
    print(f"one process, {work}: medians of {args.rounds} rounds beside each cluster")
    gains = {}
    for workers in args.workers:
        with on_cluster(workers=workers):
            start = seconds(partial(asked, workers))
            run()
            pairs = []
            for _ in range(args.rounds):
                shared = seconds(run)
                with working_with(None):
                    pairs.append((shared, seconds(run)))
            peak = max(asked(8 * workers)) / 2**20
        gains[workers] = told(f"{workers} worker(s)", pairs)
        print(f"    start of the workers {start:5.1f} s   peak of a worker {peak:6.0f} MB")
    first, last = args.workers[0], args.workers[-1]
    if last > 1:
        threads = last * args.threads
        local = told(f"local, {threads} threads", threaded(args, run, threads))
        print(f"{last} workers beside local with {threads} threads {gains[last] / local:5.2f}")
    if first == 1:
        print(f"overhead of one worker beside one process {100 * (1 / gains[1] - 1):+5.1f} %")
    if last != first:
        print(f"scaling from {first} to {last} workers {gains[last] / gains[first]:5.2f}")
    print(f"peak of the process that blends and writes {peak_memory() / 2**20:6.0f} MB")


if __name__ == "__main__":
    main()
