"""Two trainings at once on the same cores: how threads that wait for each other had best wait.

    python bench/busy.py [--rounds 3] [--steps 12] [--turns 0 1000 10000 100000]

Steps of the demo's network with as many threads as there are cores, by one process and by two at once. *plain* is
PyTorch as it comes, *one thread* what others advise for such machines; the rest spin so many turns before they sleep,
which ``GOMP_SPINCOUNT`` says. Each way is a process of its own, for OpenMP reads once how to wait; the ways take
turns, and figures are medians of the clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping

TRAIN = """
import sys, time
import torch
from arpent.models import UNet, UNetSettings

torch.manual_seed(0)
network, images = UNet(UNetSettings(classes=12)), torch.randn(8, 4, 128, 128)
optimiser = torch.optim.AdamW(network.parameters())

def step():
    optimiser.zero_grad()
    network(images).square().mean().backward()
    optimiser.step()

step()
begun = time.perf_counter()
for _ in range(int(sys.argv[1])):
    step()
print(time.perf_counter() - begun)
"""


def environment(way: str) -> dict[str, str]:
    """What a process of that way finds around it."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP", "OMP"))}
    if way == "one thread":
        around["OMP_NUM_THREADS"] = "1"
    elif way != "plain":
        around["GOMP_SPINCOUNT"] = way.partition(" ")[0]
    return around


def trained(way: str, steps: int, together: int) -> float:
    """Seconds of so many steps, the mean of so many processes at once."""
    words = [sys.executable, "-c", TRAIN, str(steps)]
    around = environment(way)
    started = [subprocess.Popen(words, env=around, stdout=subprocess.PIPE, text=True) for _ in range(together)]
    return statistics.fmean(float(process.communicate()[0]) for process in started)


def measured(ways: list[str], rounds: int, steps: int, together: int) -> Mapping[str, float]:
    """Median seconds of each way, the ways in turns."""
    taken = [{way: trained(way, steps, together) for way in ways} for _ in range(rounds)]
    return {way: statistics.median(one[way] for one in taken) for way in ways}


def main() -> None:
    """Prints a row for each way: seconds, and the ratio to PyTorch as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--turns", type=int, nargs="*", default=[0, 1_000, 10_000, 100_000])
    asked = parser.parse_args()
    ways = ["plain", "one thread", *(f"{turns} turns" for turns in asked.turns)]
    cores = os.cpu_count() or 1
    print(f"{asked.steps} steps, {cores} cores, median of {asked.rounds}")
    for together in (1, 2):
        seconds = measured(ways, asked.rounds, asked.steps, together)
        print(f"\n{together} at once")
        for way in ways:
            print(f"{way:<16} {seconds[way]:7.2f} s  {seconds[way] / seconds['plain']:.2f}")


if __name__ == "__main__":
    main()
