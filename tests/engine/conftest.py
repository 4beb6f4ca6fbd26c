"""Toy tasks: the engine is tested with models whose right answers are known."""

import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from arpent.core.settings import Settings
from arpent.engine import Dense, Ledger, PredictOptions, Product, TorchNetwork, predict
from arpent.testing.toys import ArrayImage, ArraySink, as_floats
from arpent.tiling import TileShape


@dataclass(frozen=True)
class ToyTask:
    """Answers with whatever its model gives, under the name 'map'."""

    wanted: tuple[Product, ...]
    config: Settings = field(default_factory=Settings)

    def build(self):
        return torch.nn.Conv2d(2, 3, 1)

    def loss(self, out, batch):
        return torch.nn.functional.cross_entropy(out, batch["target"], ignore_index=-1)

    def metrics(self):
        return ToyMeter()

    def products(self):
        return self.wanted

    def infer(self, model, batch):
        return {"map": Dense(model(batch["image"]))}


class ToyMeter:
    def __init__(self):
        self.right, self.count = 0, 0

    def update(self, out, batch):
        keep = batch["target"] >= 0
        self.right += int((out.argmax(1)[keep] == batch["target"][keep]).sum())
        self.count += int(keep.sum())

    def merge(self, other):
        self.right, self.count = self.right + other.right, self.count + other.count

    def compute(self):
        return {"accuracy": self.right / max(self.count, 1)}

    def figures(self):
        return ("accuracy",)


@pytest.fixture(scope="session")
def toy_task():
    return ToyTask


@pytest.fixture(scope="session")
def run_in_memory(tmp_path_factory):
    """Runs the loop over an array and gives back the arrays of its products."""

    def run(task, model, pixels, valid=None, *, shape, batch_size=3, network=None):
        valid = np.ones(pixels.shape[1:], bool) if valid is None else valid
        sinks = {product.name: ArraySink() for product in task.products()}
        predict(
            task,
            network or TorchNetwork(model, torch.device("cpu")),
            ArrayImage(pixels, valid),
            as_floats,
            shape=shape,
            sinks=lambda product, state: sinks[product.name],
            ledger=Ledger(tmp_path_factory.mktemp("scratch")),
            options=PredictOptions(batch_size=batch_size),
        )
        return {name: sink.result for name, sink in sinks.items()}

    return run


@pytest.fixture
def small_tiles():
    return TileShape(size=48, ring=4, halo=8, align=4)


LAUNCHER = """
import os, sys
sys.path.insert(0, sys.argv[1])
exec("import " + sys.argv[2])
print("ready", flush=True)
for folder in map(str.strip, sys.stdin):
    child = os.fork()
    if child == 0:
        eval(sys.argv[3])
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Launcher:
    """Starts runs as processes of their own, which need not import everything anew, and kills them.

    Args:
        modules: what the runs import, with commas between.
        call: of Python, that makes a run; it sees `folder`, and what follows as sys.argv[4:].
        arguments: for the call.
    """

    def __init__(self, modules, call, *arguments):
        command = [sys.executable, "-c", LAUNCHER, Path(__file__).parent, modules, call, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def killed(self, folder, seconds, begun=lambda: True):
        """Whether a run was killed so many seconds after it had begun; if not, it has finished by then."""
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        while not begun() and not self._ends(0.002):
            pass
        if self._ends(seconds):
            assert int(self.process.stdout.readline()) == 0
            return False
        os.kill(child, signal.SIGKILL)
        status = int(self.process.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == signal.SIGKILL

    def _ends(self, seconds):
        return select.select([self.process.stdout], [], [], seconds)[0]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.communicate()


@pytest.fixture
def launcher():
    return Launcher
