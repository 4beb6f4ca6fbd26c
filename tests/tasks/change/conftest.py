"""What several tests of change share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from arpent import __version__
from arpent.core import Band, Contract, Grid, Normalisation, Strip
from arpent.io import CogWriter, RasterSpec, RowWriter
from arpent.models import Bundle, build
from arpent.store import RunFolder
from arpent.tasks.change import ChangeSettings, Frame, Pair
from arpent.tasks.change.comparing import compare
from arpent.tasks.change.embedding_tables import EmbeddingRows, PatchLayout
from arpent.tiling import TilePlan, TileShape


@pytest.fixture(scope="session")
def embedding_table():
    """Writes embeddings ``(rows, cols, dims)`` of the patches of an image as a table."""

    def write(path, features, image, patch, dims=None):
        layout = PatchLayout.of(image, patch, patch)
        numbers = tuple(range(features.shape[-1])) if dims is None else tuple(dims)
        rows = EmbeddingRows(layout, numbers, precision="float32")
        with RowWriter(path, schema=rows.schema, crs=image.crs) as writer:
            for tile in TilePlan.of(*image.shape, TileShape(8 * patch, patch, patch, patch, patch, fixed=True)):
                row, col = tile.down.start // patch, tile.across.start // patch
                writer.write(rows.of(features[None, row : row + 8, col : col + 8], [tile]))
        return path

    return write


BANDS = ("B02", "B03", "B04", "B8A", "B11", "B12")


@pytest.fixture(scope="session")
def nano():
    """Makes small models of change with random weights, the same each time."""

    def make(*, patch=16, size=64, frames=2, head=False, twins=False, **contract):
        shape = {"width": 32, "depth": 2, "heads": 4, "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 4}
        shape |= {"frames": frames, "image_size": size, "patch": patch}
        filled = {
            "task": "change",
            "architecture": "planaura-change" if head else "planaura",
            "settings": shape,
            "bands": tuple(Band(name=name) for name in BANDS),
            "nodata": -9999,
            "normalisation": Normalisation(origin="test", mean=(1000.0,) * 6, std=(500.0,) * 6),
            "arpent": __version__,
        }
        made = Contract(**(filled | contract))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            model = build(made.architecture, {**shape, "channels": len(made.bands)}).eval()
        if twins:  # all dates have the same positions, so that equal images have equal features
            table = model.encoder.pos_embed
            first = table[:, 1 : 1 + (size // patch) ** 2]
            model.encoder.pos_embed = torch.cat([table[:, :1], *[first] * frames], dim=1)
        return Bundle(model, made.model_copy(update={"settings": {**shape, "channels": len(made.bands)}}))

    return make


@pytest.fixture(scope="session")
def land():
    """Writes an image: a smooth landscape, or the values given, ``(bands, h, w)``."""

    def write(path, height=100, width=90, *, values=None, seed=0, place=(500_000.0, 5_000_000.0), **facts):
        chosen = {"bands": BANDS, "dtype": "int16", "nodata": -9999, "crs": 32618, "resolution": 30.0, **facts}
        if values is None:
            rng = np.random.default_rng(seed)
            count = len(chosen["bands"])
            coarse = rng.uniform(200, 3000, (count, height // 8 + 2, width // 8 + 2))
            values = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
        grid = Grid(*values.shape[1:])
        if chosen["crs"] is not None:
            grid = Grid.north_up(*place, chosen["resolution"], *values.shape[1:], chosen["crs"])
        spec = RasterSpec(grid, tuple(chosen["bands"]), chosen["dtype"], nodata=chosen["nodata"])
        with CogWriter(Path(path), spec) as writer:
            writer.write(Strip(0, np.asarray(values).astype(chosen["dtype"])))
        return str(path)

    return write


@pytest.fixture(scope="session")
def compared(tmp_path_factory):
    """Compares images in a run of its own and gives the arrays of its products, with what `compare` said."""

    def run(images, bundle, name="run", *, days=(2020100, 2021100, 2022100), quality=(), layer="fmask", **settings):
        layers = [*quality, *[None] * len(images)]
        frames = tuple(
            Frame(str(image), days[number] if days else None, layers[number], layer)
            for number, image in enumerate(images)
        )
        chosen = ChangeSettings(**{"runtime": "torch", "device": "cpu", **settings})
        with RunFolder.create(tmp_path_factory.mktemp(name), "change", name, exact=True, force=True) as folder:
            done = compare(folder, Pair(frames, name), bundle, chosen)
            folder.finish()
        arrays = {}
        for product, path in done.products.items():
            if path.suffix == ".tif":
                with rasterio.open(path) as made:
                    arrays[product] = made.read()
        return arrays, done

    return run
