"""Indices: megapixels a second, beside spyndex on the same float32 arrays, all indices that both know.

Window after window of an image is measured, as `arpent describe indices` does it: Arpent compiles each formula into one
loop over the pixels and writes to the same array for every window; also shown is what new memory for each window costs.
spyndex is called as its documentation does, with a mapping of arrays, of single and of double precision. The goal is 3
times the faster of its two.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import spyndex

from arpent.pixels import index_names, spectral_indices
from peer_ways.indices import CONSTANTS, LETTERS, THEIRS

GOAL = 3.0


def run(argv: list[str]) -> bool:
    """Prints the figures; whether the goal is met."""
    parser = argparse.ArgumentParser(prog="describe.py indices", description=__doc__)
    parser.add_argument("--side", type=int, default=1024, help="pixels on a side of the image")
    parser.add_argument("--rounds", type=int, default=5, help="the fastest of so many rounds counts")
    asked = parser.parse_args(argv)
    names = [name for name in index_names() if name != "LAI"]
    rng = np.random.default_rng(0)
    shape = (asked.side, asked.side)
    image = {band: rng.uniform(0.02, 0.6, shape).astype(np.float32) for band in LETTERS}
    single = {LETTERS[band]: values for band, values in image.items()} | CONSTANTS
    double = {key: np.asarray(value, np.float64) for key, value in single.items()}
    room = np.empty((len(names), *shape), np.float32)
    theirs = [THEIRS.get(name, name) for name in names]
    ways: dict[str, Callable[[], object]] = {
        "Arpent": lambda: spectral_indices(names, image, room),
        "Arpent, new memory": lambda: spectral_indices(names, image),
        "spyndex, float32": lambda: spyndex.computeIndex(theirs, single),
        "spyndex, float64": lambda: spyndex.computeIndex(theirs, double),
    }
    seconds = {way: _fastest(work, asked.rounds) for way, work in ways.items()}
    pixels = asked.side**2 / 1e6
    millions = len(names) * pixels
    print(f"{len(names)} indices of {asked.side} × {asked.side} pixels, one thread, fastest of {asked.rounds}")
    for way, took in seconds.items():
        print(f"  {way:19}{took * 1e3:7.0f} ms  {millions / took:6.0f} M values/s  {pixels / took:6.1f} Mpx/s")
    ratio = min(seconds["spyndex, float32"], seconds["spyndex, float64"]) / seconds["Arpent"]
    print(f"  {ratio:.1f} × (goal {GOAL:g} ×)")
    return ratio >= GOAL


def _fastest(work: Callable[[], object], rounds: int) -> float:
    work()  # compiles, fills caches
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)
