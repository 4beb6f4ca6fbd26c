"""Products that are painted, padding of a task's own, and several jobs in one run."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.engine import Dense, Ledger, PredictOptions, Product, TorchNetwork, predict
from arpent.testing.toys import ArrayImage, ArraySink, as_floats
from arpent.tiling import TileShape


class Told:
    """A task that answers with the image, and with the number of the tile."""

    def __init__(self, *products):
        self._products = products
        self.tiles = []

    def products(self):
        return self._products

    def infer(self, model, batch):
        self.tiles += batch["tiles"]
        numbers = [np.full((1, *tile.window.shape), 10 * tile.row + tile.col, np.float32) for tile in batch["tiles"]]
        return {"image": Dense(batch["image"]), "number": Dense(np.stack(numbers))}


def painted(task, pixels, shape, **options):
    sinks = {product.name: ArraySink() for product in task.products()}
    predict(
        task,
        TorchNetwork(torch.nn.Identity(), torch.device("cpu")),
        ArrayImage(pixels, np.ones(pixels.shape[1:], bool)),
        as_floats,
        shape=shape,
        sinks=lambda product, state: sinks[product.name],
        ledger=options.pop("ledger"),
        options=PredictOptions(**options),
    )
    return {name: sink.result for name, sink in sinks.items()}


@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70), batch=st.integers(1, 4))
def test_a_painted_identity_gives_back_the_image(tmp_path_factory, height, width, batch):
    pixels = np.random.default_rng(height * 71 + width).normal(size=(2, height, width)).astype(np.float32)
    task = Told(Product("image", "image", channels=2, bands=("a", "b"), merge="paint"))
    shape = TileShape(16, ring=0, halo=4, align=1, fixed=True)
    made = painted(task, pixels, shape, batch_size=batch, ledger=Ledger(tmp_path_factory.mktemp("paint")))
    np.testing.assert_array_equal(made["image"], pixels)


def test_the_middle_of_a_tile_lies_on_top(tmp_path):
    task = Told(Product("number", "number", merge="paint"), Product("centre", "number", merge="centre"))
    made = painted(
        task,
        np.zeros((1, 32, 16), np.float32),
        TileShape(16, ring=0, halo=4, align=1, fixed=True),
        ledger=Ledger(tmp_path),
    )
    column = made["number"][0, :, 8]
    assert column.tolist() == [0] * 12 + [10] * 8 + [20] * 12
    assert made["centre"][0, :, 8].tolist() == column.tolist()
    assert [(tile.row, tile.col) for tile in task.tiles] == [(0, 0), (1, 0), (2, 0)]


def test_a_task_says_what_the_network_sees_beyond_the_edge(tmp_path):
    seen = []

    class Looks(Told):
        def infer(self, model, batch):
            seen.append(batch["image"].clone())
            return super().infer(model, batch)

    def sevens(pixels, inside, window):
        grown = np.full((len(pixels), *window.shape), 7, np.float32)
        grown[:, : inside.height, : inside.width] = pixels
        return grown

    pixels = np.ones((1, 5, 6), np.float32)
    shape = TileShape(8, ring=0, halo=0, align=1, fixed=True)
    made = painted(Looks(Product("image", "image")), pixels, shape, pad=sevens, ledger=Ledger(tmp_path))
    assert (seen[0][0, 0, 5:] == 7).all() and (seen[0][0, 0, :, 6:] == 7).all() and (seen[0][0, 0, :5, :6] == 1).all()
    assert made["image"].shape == (1, 5, 6) and (made["image"] == 1).all()


@pytest.mark.parametrize("inset", [0, 3])
def test_an_answer_that_begins_after_its_tile_moves_its_middle(tmp_path, inset):
    task = Told(Product("number", "number", merge="paint", inset=inset))
    shape = TileShape(16, ring=0, halo=4, align=1, fixed=True)
    made = painted(task, np.zeros((1, 32, 16), np.float32), shape, ledger=Ledger(tmp_path))
    assert made["number"][0, :, 8].tolist().count(10) == 8
    assert made["number"][0, :, 8].tolist().index(20) == 20 + inset
