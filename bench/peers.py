"""The same work by Arpent and by other programs, side by side, each in a process of its own.

    make bench-peers                      # installs them into .venv-peers and runs this
    python bench/peers.py [--quick] [--rounds 3] [--sections speckle indices inference polygons tiles] [--json]

Prints medians over rounds, after one that does not count, of seconds and of CPU seconds of all threads; how often
Arpent's CPU time fits into another's; the memory that the work takes above what a process has after its imports; and
how far results agree. What each program is asked to do, and why results may differ, stands in `bench/peer_ways`. A
program that is not installed is said to be so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from arpent.testing.memory import peak_memory
from peer_ways.work import Work

SECTIONS = ("speckle", "indices", "inference", "polygons")
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")


def work_of(section: str) -> Work:
    """What is done in a section; imports none of the programs."""
    work = import_module(f"peer_ways.{section}").WORK
    assert isinstance(work, Work)
    return work


def child(section: str, way: str, folder: Path, rounds: int) -> None:
    """Does the work in this process, keeps the result, and prints what it has taken."""
    with silent():
        do = work_of(section).ways[way].start(folder)
        before = peak_memory()
        result = do()
        seconds, processor = [], []
        for _ in range(rounds):
            begun, spent = time.perf_counter(), time.process_time()
            result = do()
            seconds.append(time.perf_counter() - begun)
            processor.append(time.process_time() - spent)
    np.save(folder / f"{way}.npy", result)
    figures = {
        "seconds": statistics.median(seconds),
        "cpu_s": statistics.median(processor),
        "memory_mib": (peak_memory() - before) / 2**20,
        "imports_mib": before / 2**20,
    }
    print(json.dumps(figures))


@contextmanager
def silent() -> Iterator[None]:
    """Programs that print do not mix with the figures."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def measured(section: str, way: str, folder: Path, rounds: int) -> dict[str, Any]:
    """The figures of one program, or why there are none."""
    package = work_of(section).ways[way].package
    try:
        number = version(package) if package else ""
    except PackageNotFoundError:
        return {"problem": "not installed"}
    words = [sys.executable, __file__, "--child", section, way, str(folder), "--rounds", str(rounds)]
    return {"version": number, **answered(words)}


def answered(words: list[str]) -> dict[str, Any]:
    """The JSON that a program of this folder prints last, or why there is none."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=THREADS | dict(os.environ))
    if done.returncode:
        return {"problem": (done.stderr.strip().splitlines() or ["ended without a word"])[-1][:160]}
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def section_of(name: str, folder: Path, rounds: int, *, quick: bool) -> dict[str, Any]:
    """All programs of a section, and how far the results of the others are from Arpent's."""
    work = work_of(name)
    folder.mkdir()
    told = work.prepare(folder, quick)
    found = {way: measured(name, way, folder, rounds) for way in work.ways}
    first = next(iter(work.ways))
    for way, figures in found.items():
        if "problem" in figures or "problem" in found[first]:
            continue
        ours, theirs = (np.load(folder / f"{one}.npy") for one in (first, way))
        ratio = {"times_arpent": figures["cpu_s"] / found[first]["cpu_s"]}
        figures.update(ratio | dict(work.judge(folder, ours, theirs)))
    return {"work": f"{work.about}: {told}", "ways": found}


def tiles(*, quick: bool) -> dict[str, Any]:
    """Tiles over loopback, beside titiler: what `bench/tiles.py` measures."""
    small = ("--side", "1024", "--tiles", "40", "--rounds", "1") if quick else ()
    script = Path(__file__).with_name("tiles.py")
    words = [sys.executable, str(script), "--http", "--json", *small]
    figures = answered(words)
    if "problem" in figures:
        return figures
    return {"arpent": figures["http"], "titiler": figures["titiler"]}


def show(name: str, found: dict[str, Any]) -> None:
    """A section as lines of text."""
    print(f"\n{name}: {found.get('work', 'tiles of the map over loopback')}")
    for way, figures in found.get("ways", found).items():
        if not isinstance(figures, dict):
            print(f"  {way:26} {figures}")
        elif "problem" in figures:
            print(f"  {way:26} {figures['problem']}")
        elif "cpu_s" in figures:
            head = f"{way} {figures.pop('version')}".rstrip()
            print(f"  {head:34}" + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        else:
            for step, of_step in figures.items():
                told = "  ".join(f"{key} {value:.4g}" for key, value in of_step.items())
                print(f"  {f'{way}, {step}':34}{told}")


def main() -> None:
    """Prints the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that everything runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sections", nargs="+", choices=(*SECTIONS, "tiles"), default=(*SECTIONS, "tiles"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.child:
        section, way, folder = wanted.child
        child(section, way, Path(folder), wanted.rounds)
        return
    everything = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted.sections:
            if name == "tiles":
                found = tiles(quick=wanted.quick)
            else:
                found = section_of(name, Path(folder) / name, wanted.rounds, quick=wanted.quick)
            everything[name] = found
            if not wanted.json:
                show(name, found)
                sys.stdout.flush()
    if wanted.json:
        json.dump(everything, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
