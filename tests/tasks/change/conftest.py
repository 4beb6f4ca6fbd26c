"""What several tests of change share."""

from __future__ import annotations

import pytest

from arpent.io import RowWriter
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
