"""What plain bands say of a patch, for those who want to know what embeddings add."""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from arpent.core import Grid, Window, ground_sampling_distance
from arpent.io import ImageReader, open_image
from arpent.tasks.change.embedding_sources import Embeddings, TableEmbeddings
from arpent.tasks.change.embedding_tables import PatchLayout

__all__ = ["raw_bands"]


def raw_bands(
    image: str, source: Embeddings, rows: NDArray[np.int64], cols: NDArray[np.int64], *, sensor: str | None = None
) -> NDArray[np.float32]:
    """Mean and standard deviation of every band over the patches of some cells, ``(n, 2 × bands)``.

    NaN where a patch has no pixel with data. The image is brought to the grid that was embedded.

    Args:
        image: anything that `io.open_image` reads.
        source: the embeddings of that image.
        rows: ``(n,)`` of cells of their grid.
        cols: ``(n,)``, likewise.
        sensor: whose image it is, where neither the file nor its name says so.
    """
    layout = _layout(image, source, sensor)
    grid = layout.image if layout.image.georeferenced else None
    with open_image(image, grid=grid, sensor=sensor) as reader:
        result = np.full((len(rows), 2 * len(reader.bands)), np.nan, np.float32)
        for row in np.unique(rows):
            chosen = np.flatnonzero(rows == row)
            result[chosen] = _of_row(reader, layout, int(row), cols[chosen])
    return result


def _layout(image: str, source: Embeddings, sensor: str | None) -> PatchLayout:
    """How patches lie; for an image of embeddings each of its pixels is taken for a patch."""
    if isinstance(source, TableEmbeddings):
        return source.layout
    with open_image(image, sensor=sensor) as reader:
        pixel = reader.gsd
    cell = ground_sampling_distance(source.grid)
    patch = max(1, round(cell / pixel)) if cell and pixel else 1
    cells = source.grid
    fine = Grid(cells.height * patch, cells.width * patch, cells.transform @ Affine.scale(1 / patch), cells.crs)
    return PatchLayout.of(fine, patch, patch)


def _of_row(reader: ImageReader, layout: PatchLayout, row: int, cols: NDArray[np.int64]) -> NDArray[np.float32]:
    whole = reader.grid.window
    strip = Window(row * layout.stride, 0, layout.patch, whole.width).intersect(whole)
    raster = reader.read(strip)
    pixels = np.where(raster.valid, raster.pixels.astype(np.float64), 0.0)
    starts = np.minimum(cols * layout.stride, whole.width)
    ends = np.minimum(starts + layout.patch, whole.width)

    def over_patches(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums ``(…, n)`` over the patches of values ``(…, rows, width)``."""
        running = np.cumsum(values.sum(axis=-2), axis=-1)
        running = np.concatenate([np.zeros((*running.shape[:-1], 1)), running], axis=-1)
        return np.asarray(running[..., ends] - running[..., starts])

    count = over_patches(raster.valid.astype(np.float64))
    known = np.where(count > 0, count, np.nan)
    middle = pixels.mean(axis=(1, 2), keepdims=True)  # taken off first: squares of large numbers lose their end
    off = np.where(raster.valid, pixels - middle, 0.0)
    mean = over_patches(off) / known
    spread = np.sqrt(np.maximum(over_patches(off**2) / known - mean**2, 0.0))
    return np.concatenate([mean + middle[:, :, 0], spread]).T.astype(np.float32)
