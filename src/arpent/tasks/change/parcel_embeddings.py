"""Embeddings of parcels, as 'arpent describe embed' keeps them, laid on cells so that maps can be made of them.

Each cell of the grid is of the parcel that holds its middle, and has that parcel's embedding; the grid is as fine as
the smallest parcel needs. What is learnt from labels takes each parcel once, wherever the labels lie in it: its cells
are copies of one another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS

from arpent.core import Grid
from arpent.errors import GeoreferenceMissing
from arpent.io.vectors import vectors_in, width_in_file
from arpent.tasks.change.probe_labels import CellLabels
from arpent.tasks.change.vectors import Vectors, known_vectors

__all__ = ["ParcelEmbeddings", "holds_parcels", "parcel_embeddings"]

_DEGREE = 111_320.0
"""Metres along a degree of latitude, nearly: it decides the size of cells, and no area."""

_ACROSS = 3
"""Cells along the side of a square as large as the smallest parcel."""

_MOST = 4096
"""Cells along a side of the grid."""

_ROWS = 1024
_RANDOM = b"random:"
_COLUMNS = {"parcel", "image", "embedding", "geometry"}


def holds_parcels(path: Path, schema: pa.Schema) -> bool:
    """Whether a table is one of 'arpent describe embed'."""
    return set(schema.names) >= _COLUMNS and width_in_file(path, "embedding") > 0


def parcel_embeddings(path: Path) -> list[ParcelEmbeddings]:
    """The embeddings of a table, one entry per image, in the order of their days.

    Raises:
        GeoreferenceMissing: its parcels have no place on the ground.
    """
    table = pq.read_table(path, columns=["image", "taken", "geometry"])
    images = np.asarray(table["image"].to_pylist(), object)
    days = table["taken"].to_pylist()
    outlines = shapely.from_wkb(np.asarray(table["geometry"].to_pylist(), object))
    if len(table) == 0 or shapely.is_missing(outlines).any():
        raise GeoreferenceMissing(
            f"the parcels of {path} have no place on the ground",
            found="rows without geometry" if len(table) else "a table without rows",
            cure="Embed images that have a reference system.",
        )
    first = {image: (str(days[place] or ""), place) for place, image in reversed(list(enumerate(images)))}
    return [
        ParcelEmbeddings(path, image, np.flatnonzero(images == image), outlines)
        for image in sorted(first, key=lambda one: first[one])
    ]


class ParcelEmbeddings:
    """The embeddings of the parcels of one image.

    Attributes:
        path: of the table.
        image: whose parcels they are.
        name: of that image, as a file may be called.
        grid: one cell per embedding that is given, many of them of one parcel.
        dims: which dimension of the model each value is.
        random: name of the encoder, if its weights were never trained; empty otherwise.

    Args:
        path: of the table.
        image: as the table calls it.
        rows: of the table, those of that image.
        outlines: of all rows, in longitude and latitude.
    """

    def __init__(self, path: Path, image: str, rows: NDArray[np.int64], outlines: NDArray[Any]) -> None:
        self.path, self.image, self._rows, self._outlines = path, image, rows, outlines[rows]
        self.name = re.sub(r"[^\w-]+", "_", image or path.stem)
        schema = pq.read_schema(path)
        self.dims = tuple(range(width_in_file(path, "embedding")))
        kept = schema.metadata or {}
        drawn = kept.get(b"arpent:encoder", b"").startswith(_RANDOM)
        self.random = kept.get(b"arpent:encoder-name", b"").decode("utf-8", "replace") if drawn else ""
        self.grid = self._laid()

    @property
    def spacing(self) -> float:
        """Side in metres of a square as large as the parcel in the middle of all."""
        return math.sqrt(float(np.median(self._areas())))

    def batches(self) -> Iterator[Vectors]:
        """The embedding of every cell, parcel by parcel."""
        number, owners = 0, self._owners.ravel()
        order = np.argsort(owners, kind="stable")
        bounds = np.searchsorted(owners[order], np.arange(len(self._rows) + 1))
        of_row = {int(row): place for place, row in enumerate(self._rows)}
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_ROWS, columns=["embedding"]):
                places = np.array([of_row.get(number + offset, -1) for offset in range(batch.num_rows)])
                number += batch.num_rows
                column = batch.column("embedding")
                kept = np.flatnonzero((places >= 0) & np.asarray(column.is_valid()))
                if not kept.size:
                    continue
                values = vectors_in(column.take(pa.array(kept)), len(self.dims), np.float32, self.path)
                cells = [order[bounds[place] : bounds[place + 1]] for place in places[kept]]
                each = np.repeat(np.arange(len(kept)), [len(some) for some in cells])
                rows, cols = np.divmod(np.concatenate(cells), self.grid.width)
                seen = known_vectors(values)[each]
                yield Vectors(values[each[seen]], rows[seen], cols[seen])

    def cell_of(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row and column of a cell of the parcel that each point lies in, ``(2, n)``; -1 where it lies in none."""
        found = np.full((2, len(x)), -1, np.int64)
        points, parcels = shapely.STRtree(self._outlines).query(shapely.points(x, y), predicate="intersects")
        found[:, points] = self._middles[parcels].T
        return found

    def once(self, labels: CellLabels, pure: float) -> CellLabels:
        """Labels of cells as labels of parcels, at one cell of each: the class of most of its labelled cells.

        Args:
            labels: of cells.
            pure: share of a parcel's labelled cells that must carry that class; others say nothing.
        """
        owners = self._owners[labels.rows, labels.cols]
        inside = owners < len(self._rows)
        counts = np.zeros((len(self._rows), len(labels.names)), np.int64)
        np.add.at(counts, (owners[inside], labels.classes[inside]), 1)
        total, best = counts.sum(axis=1), counts.max(axis=1, initial=0)
        several = (counts == best[:, None]).sum(axis=1) > 1
        chosen = np.flatnonzero((total > 0) & (best >= pure * total) & ~several)
        rows, cols = self._middles[chosen].T
        return CellLabels(rows, cols, counts[chosen].argmax(axis=1), labels.names)

    def _areas(self) -> NDArray[np.float64]:
        """Of the parcels in square metres, nearly."""
        latitude = shapely.get_y(shapely.centroid(self._outlines))
        areas = shapely.area(self._outlines) * _DEGREE**2 * np.cos(np.radians(latitude))
        return np.asarray(np.maximum(areas, 1.0))

    def _laid(self) -> Grid:
        """A grid in longitude and latitude over all parcels, of cells that are about square on the ground."""
        left, bottom, right, top = shapely.total_bounds(self._outlines)
        narrow = max(math.cos(math.radians((bottom + top) / 2)), 0.01)
        side = math.sqrt(float(self._areas().min())) / _ACROSS
        side = max(side, (right - left) * _DEGREE * narrow / _MOST, (top - bottom) * _DEGREE / _MOST)
        down, across = side / _DEGREE, side / _DEGREE / narrow
        height, width = (max(1, math.ceil(span)) for span in ((top - bottom) / down, (right - left) / across))
        transform = Affine(across, 0.0, left, 0.0, -down, top)
        return Grid(height, width, transform, CRS("EPSG:4326"))

    @cached_property
    def _owners(self) -> NDArray[np.int64]:
        """(height, width) which parcel each cell is of; their number where it is of none."""
        from rasterio.features import rasterize

        drawn = zip(self._outlines, range(len(self._rows)), strict=True)
        owners = rasterize(drawn, self.grid.shape, fill=len(self._rows), transform=self.grid.transform, dtype="int32")
        rows, cols = self._middles.T
        owners[rows, cols] = np.arange(len(self._rows))  # also of parcels too thin to hold the middle of any cell
        return np.asarray(owners, np.int64)

    @cached_property
    def _middles(self) -> NDArray[np.int64]:
        """(parcels, 2) row and column of a cell inside each."""
        points = shapely.point_on_surface(self._outlines)
        inverse = ~self.grid.transform
        cols = np.floor(inverse.a * shapely.get_x(points) + inverse.c).astype(np.int64)
        rows = np.floor(inverse.e * shapely.get_y(points) + inverse.f).astype(np.int64)
        height, width = self.grid.shape
        return np.column_stack([np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)])
