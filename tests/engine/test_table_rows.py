"""Rows of tables reach their file batch by batch, however wide the image, and survive a stop between two batches."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from arpent.engine import Ledger, PredictOptions, Product, Rows, TorchNetwork, predict
from arpent.errors import Interrupted
from arpent.io import RowWriter
from arpent.testing.toys import ArrayImage, ArraySink, as_floats
from arpent.tiling import TileShape

WIDE = (50, 400)
SHAPE = TileShape(size=32, ring=2, halo=2, align=2)


class Places:
    """A task that answers with a row per pixel of each tile's core; `seen` is told before each answer."""

    def __init__(self, seen):
        self._seen, self.batches = seen, 0

    def products(self):
        return (Product("places", "places", kind="table"),)

    def infer(self, model, batch):
        self._seen(self.batches)
        self.batches += 1
        cores = [tile.core for tile in batch["tiles"]]
        rows = [np.mgrid[core.row : core.row_end, core.col : core.col_end].reshape(2, -1) for core in cores]
        row, col = np.concatenate(rows, axis=1)
        return {"places": Rows(pa.table({"row": row, "col": col}))}


def run(task, folder, sink):
    return predict(
        task,
        TorchNetwork(torch.nn.Identity(), torch.device("cpu")),
        ArrayImage(np.ones((1, *WIDE), np.float32), np.ones(WIDE, bool)),
        as_floats,
        shape=SHAPE,
        sinks=lambda product, state: sink(folder / "places.parquet", state),
        ledger=Ledger(folder),
        options=PredictOptions(batch_size=2, fingerprint="same"),
    )


def writer(path, state):
    return RowWriter(path) if state is None else RowWriter.resume(path, state)


def test_no_more_than_two_batches_wait_for_the_file(tmp_path):
    class Counting(ArraySink):
        tables = 0

        def write(self, item):
            self.tables += 1

    sink, waiting = Counting(), []
    task = Places(lambda batches: waiting.append(batches - sink.tables))
    run(task, tmp_path, lambda path, state: sink)
    assert task.batches == 18  # nine to a row of tiles
    assert sink.tables == task.batches
    assert max(waiting) <= 2


@pytest.mark.parametrize(("at", "tiles"), [(3, 34), (9, 17), (12, 17)])
def test_stopped_between_two_batches_and_resumed_the_file_is_the_same(tmp_path, monkeypatch, at, tiles):
    monkeypatch.setattr("arpent.io.table._PART_ROWS", 100)  # so that parts are sealed within a row of tiles
    parts = []

    def stop(batches):
        if batches == at:
            parts.extend((tmp_path / "stopped").rglob("part-*.arrow"))
            raise KeyboardInterrupt

    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = run(Places(lambda batches: None), tmp_path / "whole", writer).files["places"]
    with pytest.raises(Interrupted):
        run(Places(stop), tmp_path / "stopped", writer)
    assert parts
    resumed = run(Places(lambda batches: None), tmp_path / "stopped", writer)
    assert resumed.tiles == tiles  # two rows of 17, of which finished ones are not done again
    assert resumed.files["places"].read_bytes() == whole.read_bytes()
