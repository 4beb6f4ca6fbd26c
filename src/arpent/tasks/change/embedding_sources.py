"""Embeddings as they were kept, read again batch by batch: tables, images, and the runs that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arpent.core import Grid
from arpent.errors import BandMismatch, FileMissing, InputError, NoValidPixels, UnreadableFile
from arpent.io import open_image, read_ahead
from arpent.store import Run, open_run
from arpent.tasks.change.embedding_tables import PatchLayout
from arpent.tasks.change.parcel_embeddings import holds_parcels, parcel_embeddings
from arpent.tasks.change.vectors import Vectors, known_vectors

__all__ = ["Embeddings", "ImageEmbeddings", "TableEmbeddings", "open_embeddings", "same_dimensions"]

_ROWS = 16_384
_BYTES = 64 << 20
_TABLES = {".parquet", ".geoparquet"}
_IMAGES = {".tif", ".tiff", ".vrt"}
_FEATURE = re.compile(r"f(\d+)")
_BAND = re.compile(r"embedding (\d+)")


class Embeddings(Protocol):
    """Embeddings of one date, wherever they are kept."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def name(self) -> str:
        """For people and file names."""
        ...

    @property
    def grid(self) -> Grid:
        """One cell per embedding; cells without one are no data."""
        ...

    @property
    def dims(self) -> tuple[int, ...]:
        """Which dimension of the model each value is."""
        ...

    def batches(self) -> Iterator[Vectors]:
        """All of them, in the order of the file, in bounded memory."""
        ...


class TableEmbeddings:
    """A table of embeddings; see `PatchLayout`.

    Args:
        path: a Parquet file.
        name: see `Embeddings`.

    Raises:
        UnreadableFile: no Parquet file, or no table of embeddings.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        schema = _schema(path)
        self.layout = PatchLayout.read(schema, str(path))
        self.grid = self.layout.cells
        self._columns = [column for column in schema.names if _FEATURE.fullmatch(column)]
        self.dims = tuple(int(column[1:]) for column in self._columns)
        if not {"row", "col"} <= set(schema.names) or not self.dims:
            raise UnreadableFile(
                f"{path} keeps no rows and columns of its patches",
                found=", ".join(schema.names[:5]),
                expected="row, col, f0 …",
                cure="Write the table with profile arpent.",
            )

    def batches(self) -> Iterator[Vectors]:
        """All embeddings, in the order of the table; those that touch no-data are left out."""
        most = max(1, min(_ROWS, _BYTES // (4 * len(self.dims))))
        with _reading(self.path), pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(most, columns=["row", "col", *self._columns]):
                values = np.empty((batch.num_rows, len(self.dims)), np.float32)
                for number, column in enumerate(self._columns):
                    values[:, number] = batch.column(column).to_numpy(zero_copy_only=False)
                rows, cols = (batch.column(name).to_numpy().astype(np.int64) for name in ("row", "col"))
                known = known_vectors(values)
                yield Vectors(values[known], self.layout.cell_of(rows[known]), self.layout.cell_of(cols[known]))


class ImageEmbeddings:
    """An image with one band per dimension.

    Args:
        path: anything that `io.open_image` reads.
        name: see `Embeddings`.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        with open_image(path) as image:
            self.grid = image.grid
            found = [_BAND.fullmatch(band) for band in image.bands]
        self.dims = tuple(int(one[1]) if one else number for number, one in enumerate(found))

    def batches(self) -> Iterator[Vectors]:
        """All embeddings, row by row; pixels without data are left out."""
        strip = max(1, _BYTES // (4 * len(self.dims) * self.grid.width))
        with open_image(self.path) as image:
            windows = list(image.grid.window.strips(strip))
            for window, raster in zip(windows, read_ahead(image.read, windows, threads=1, ahead=1), strict=True):
                values = raster.pixels.astype(np.float32).reshape(len(self.dims), -1).T
                rows, cols = (
                    part.ravel() for part in np.indices(window.shape) + np.array([[[window.row]], [[window.col]]])
                )
                known = raster.valid.ravel() & known_vectors(values)
                yield Vectors(np.ascontiguousarray(values[known]), rows[known], cols[known])


def _schema(path: Path) -> pa.Schema:
    with _reading(path):
        return pq.read_schema(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says in our words what is wrong with a Parquet file."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as problem:
        raise UnreadableFile(
            f"{path} is damaged, or no Parquet file of embeddings",
            found=str(problem).splitlines()[0],
            cure="Take a fresh copy, or embed the image again.",
        ) from problem


def open_embeddings(source: str | Path) -> list[Embeddings]:
    """The embeddings that a run holds, one entry per date, or those of a single file.

    They are of patches ('arpent change embed') or of parcels ('arpent describe embed'). Where a run keeps both a table
    and an image of a date, the table is taken.

    Args:
        source: a run folder, a GeoParquet table of embeddings, or an image with one band per dimension.

    Raises:
        FileMissing: nothing is there.
        InputError: the run or the file holds no embeddings.
    """
    path = Path(source)
    if not path.exists():
        raise FileMissing(f"there is nothing at {path}", cure="Give a run with embeddings, or a file of them.")
    if path.is_dir():
        return _of_run(open_run(path))
    if path.suffix.lower() in _TABLES:
        return _of_table(path)
    if path.suffix.lower() in _IMAGES:
        return [ImageEmbeddings(path, path.stem)]
    raise InputError(
        f"{path.name} is no file of embeddings that can be read",
        expected=", ".join(sorted(_TABLES | _IMAGES)),
        cure="Write them with 'arpent change embed --table geoparquet'.",
    )


def _of_table(path: Path) -> list[Embeddings]:
    """Those of patches, or those of the parcels of several images."""
    if holds_parcels(path, _schema(path)):
        with _reading(path):
            return list(parcel_embeddings(path))
    return [TableEmbeddings(path, path.stem)]


def _of_run(run: Run) -> list[Embeddings]:
    tables = [
        run.locate(product)
        for product in run.manifest.products
        if product.kind == "table" and Path(product.file).suffix in _TABLES
    ]
    kept: list[Embeddings] = [
        TableEmbeddings(path, path.stem) for path in tables if _FEATURES in path.stem and _has_rows(path)
    ]
    for path in tables if not kept else ():
        if holds_parcels(path, _schema(path)):
            kept += _of_table(path)
    if not kept:
        images = [run.locate(product) for product in run.manifest.products if product.kind == "raster"]
        kept = [ImageEmbeddings(path, path.stem) for path in images if path.stem.startswith(_FEATURES)]
    if not kept:
        raise InputError(
            f"the run {run.path} holds no embeddings",
            found=", ".join(product.name for product in run.manifest.products) or "nothing",
            expected=f"{_FEATURES}… as GeoParquet or as an image",
            cure="Make them with 'arpent describe embed', 'arpent change embed', or 'arpent change pair --features'.",
        )
    return kept


_FEATURES = "feature_maps"


def _has_rows(path: Path) -> bool:
    return {"row", "col"} <= set(_schema(path).names)


def same_dimensions(sources: Sequence[Embeddings]) -> tuple[int, ...]:
    """The dimensions that all sources share.

    Raises:
        BandMismatch: two of them differ.
        NoValidPixels: there is no source.
    """
    if not sources:
        raise NoValidPixels("there are no embeddings to read", cure="Give at least one run.")
    first = sources[0]
    for other in sources[1:]:
        if other.dims != first.dims:
            raise BandMismatch(
                f"{other.path} and {first.path} hold different dimensions",
                found=f"{len(other.dims)} from {other.dims[0]}",
                expected=f"{len(first.dims)} from {first.dims[0]}",
                cure="Embed all images with the same model and the same --dims.",
            )
    return first.dims
