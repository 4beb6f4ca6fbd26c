"""Toy tasks: the engine is tested with models whose right answers are known."""

from dataclasses import dataclass, field

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
