"""Embeddings as tables: one row per patch, with its exact place on the ground.

A table says of itself how its patches lie on their image, so that a map can be made of it again. Each patch is written
once, by the tile in whose core its anchor lies; rows come in the order of the tiles, the same for every date.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pyproj.exceptions import CRSError

from arpent.core import Grid
from arpent.errors import UnreadableFile
from arpent.models.planaura_answer import INVALID
from arpent.tiling import Span, Tile

__all__ = ["LAYOUT_KEY", "EmbeddingRows", "PatchLayout"]

LAYOUT_KEY = b"arpent:patches"
"""Key of the layout among the metadata of a table."""

Positive = Annotated[int, Field(ge=1, le=1 << 30)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

_FIRST = ("row", "col", "x", "y", "geometry")


class PatchLayout(BaseModel):
    """How the patches of a table lie on their image.

    Attributes:
        patch: side of a patch, in pixels.
        stride: pixels between patches; `patch` or a whole fraction of it.
        height, width: of the image.
        transform: of the image, as (a, b, c, d, e, f) of its affine transform.
        crs: of the image, as WKT; None for a picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    patch: Positive
    stride: Positive
    height: Positive
    width: Positive
    transform: tuple[Finite, Finite, Finite, Finite, Finite, Finite]
    crs: str | None = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Tables come from anywhere."""
        if self.patch % self.stride:
            raise ValueError("the stride must divide the patch")
        if Affine(*self.transform).is_degenerate:
            raise ValueError("a transform that can be inverted")
        if self.crs is not None:
            try:
                CRS(self.crs)
            except CRSError as problem:
                raise ValueError("a reference system that is known") from problem
        return self

    @classmethod
    def of(cls, grid: Grid, patch: int, stride: int) -> PatchLayout:
        """The layout on an image's grid."""
        t = grid.transform
        crs = None if grid.crs is None else grid.crs.to_wkt()
        transform = (t.a, t.b, t.c, t.d, t.e, t.f)
        return cls(patch=patch, stride=stride, height=grid.height, width=grid.width, transform=transform, crs=crs)

    @classmethod
    def read(cls, schema: pa.Schema, source: str) -> PatchLayout:
        """The layout that a table carries.

        Raises:
            UnreadableFile: it carries none.
        """
        try:
            return cls.model_validate_json((schema.metadata or {})[LAYOUT_KEY])
        except (KeyError, ValidationError) as problem:
            raise UnreadableFile(
                f"{source} is no table of embeddings, or does not say how its patches lie",
                cure="Make it with 'arpent change embed --table geoparquet', or give an image of embeddings.",
            ) from problem

    @property
    def image(self) -> Grid:
        """The grid of the image."""
        return Grid(self.height, self.width, Affine(*self.transform), None if self.crs is None else CRS(self.crs))

    @property
    def anchor(self) -> int:
        """Pixels from the upper left corner of a patch to the pixel that decides which tile writes it.

        That corner where patches lie side by side, the pixel before the middle where they overlap.
        """
        return 0 if self.stride == self.patch else max(self.patch // 2 - 1, 0)

    @property
    def cells(self) -> Grid:
        """One cell per patch, `stride` pixels wide, centred on it: the grid of maps made of the table."""
        before = (self.patch - self.stride) / 2
        image = self.image
        transform = image.transform @ Affine.translation(before, before) @ Affine.scale(self.stride)
        return Grid(self._count(self.height), self._count(self.width), transform, image.crs)

    def _count(self, side: int) -> int:
        """Cells along a side; the last patch may reach over the edge, if the pixel that decides does not."""
        padded = -(-side // self.patch) * self.patch
        return max(min((padded - self.patch) // self.stride + 1, -(-(side - self.anchor) // self.stride)), 1)

    def cell_of(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row (or column) of cells of patches that begin at these rows (or columns) of pixels."""
        return (pixels + self.stride // 2) // self.stride


class EmbeddingRows:
    """Turns a batch of features into rows with the columns row, col, x, y, geometry, f0 and so on.

    ``row`` and ``col`` count pixels of the image down to the upper left corner of the patch; ``x`` and ``y`` are its
    centre in the CRS of the image, in 64 bits. Patches that touch no-data are left out.

    With `reference` the rows are those of Planaura's own tables, ``x``, ``y``, ``f0`` …: x and y are the upper left
    corner (at strides below the patch: the corner of the pixel before the middle), and patches that touch no-data stay
    as -100.

    Attributes:
        dtype: of the features.

    Args:
        layout: how the patches lie.
        dims: the dimension that each feature is, which names its column.
        precision: type of the features.
        reference: see above.
    """

    def __init__(
        self,
        layout: PatchLayout,
        dims: Sequence[int],
        *,
        precision: Literal["float16", "float32"] = "float16",
        reference: bool = False,
    ) -> None:
        self._layout, self._reference = layout, reference
        self.dtype: np.dtype[np.generic] = np.dtype(precision)
        self._names = tuple(f"f{dim}" for dim in dims)

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns of every table, with the layout in its metadata."""
        kinds: dict[str, Any] = {"row": pa.int32(), "col": pa.int32(), "x": pa.float64(), "y": pa.float64()}
        kinds["geometry"] = pa.binary()
        first = _FIRST[2:4] if self._reference else _FIRST
        fields = [pa.field(name, kinds[name]) for name in first]
        fields += [pa.field(name, pa.from_numpy_dtype(self.dtype)) for name in self._names]
        return pa.schema(fields, metadata={LAYOUT_KEY: self._layout.model_dump_json().encode()})

    def of(self, features: NDArray[np.floating], tiles: Sequence[Tile]) -> pa.Table:
        """The rows of a batch.

        Args:
            features: ``(tiles, h, w, dims)`` of one date; all -100 where a patch touches no-data.
            tiles: where each entry lies.
        """
        parts = [self._of_tile(entry, tile) for entry, tile in zip(features, tiles, strict=True)]
        return pa.concat_tables(parts) if parts else self.schema.empty_table()

    def _of_tile(self, features: NDArray[np.floating], tile: Tile) -> pa.Table:
        layout = self._layout
        rows = tile.down.start + layout.stride * np.arange(features.shape[0])
        cols = tile.across.start + layout.stride * np.arange(features.shape[1])
        own = np.ix_(self._owned(rows, tile.down), self._owned(cols, tile.across))
        vectors = features[own].reshape(-1, features.shape[-1])
        places = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1)[own].reshape(-1, 2)
        if not self._reference:
            known = (vectors != np.float32(INVALID)).any(axis=1)
            vectors, places = vectors[known], places[known]
        return self._table(vectors, places[:, 0], places[:, 1])

    def _owned(self, starts: NDArray[np.int64], span: Span) -> NDArray[np.bool_]:
        """Which patches, by their first row or column, have their anchor in the core of the tile."""
        anchors = starts + self._layout.anchor
        # Of an image too small for any anchor, the first patch counts.
        end = max(span.core_end, self._layout.anchor + 1) if span.core_start == 0 else span.core_end
        return np.asarray((anchors >= span.core_start) & (anchors < end))

    def _table(self, vectors: NDArray[np.floating], rows: NDArray[np.int64], cols: NDArray[np.int64]) -> pa.Table:
        t, half = self._layout.image.transform, self._layout.patch / 2
        if self._reference:
            half = self._layout.anchor
        x = t.a * (cols + half) + t.b * (rows + half) + t.c
        y = t.d * (cols + half) + t.e * (rows + half) + t.f
        columns: list[Any] = [pa.array(x), pa.array(y)]
        if not self._reference:
            geometry = pa.array(shapely.to_wkb(shapely.points(x, y)), pa.binary())
            columns = [pa.array(rows, pa.int32()), pa.array(cols, pa.int32()), *columns, geometry]
        typed = np.asfortranarray(vectors.astype(self.dtype))
        columns += [pa.array(typed[:, number]) for number in range(typed.shape[1])]
        return pa.table(columns, schema=self.schema)
