"""What the layers of a comparison say inside each patch of change, gathered band by band.

Nothing is kept but a few numbers per patch, so the size of the map does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from arpent.core import Window
from arpent.io import ImageReader
from arpent.pixels import Quality

__all__ = ["Extremes", "Measure", "QualityShares", "Zones"]


class Measure(Protocol):
    """Something that one layer says of patches."""

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Its columns."""
        ...

    def begin(self, patches: int) -> None:
        """Makes room for patches numbered below `patches`."""
        ...

    def add(self, window: Window, pixels: NDArray[np.intp], patches: NDArray[np.int32]) -> None:
        """Takes the changed pixels of a band: where they lie in the window, counted row by row, and their patches."""
        ...

    def columns(self, patches: NDArray[np.int32]) -> Sequence[pa.Array]:
        """The columns of some patches."""
        ...


class Extremes:
    """Mean, smallest and greatest value of a layer in each patch, over its valid pixels; empty where there is none.

    Args:
        layer: one band.
        columns: name of the column for each figure that is wanted: "mean", "min" or "max".
        kind: type of the columns.
    """

    def __init__(self, layer: ImageReader, columns: dict[str, str], kind: pa.DataType) -> None:
        self._layer, self._columns, self._kind = layer, columns, kind
        self.begin(0)

    def begin(self, patches: int) -> None:
        """Makes room for so many patches."""
        self._count = np.zeros(patches, np.int64)
        self._sum = np.zeros(patches, np.float64)
        self._least = np.full(patches, np.inf)
        self._most = np.full(patches, -np.inf)

    @property
    def fields(self) -> Sequence[pa.Field]:
        """One column per figure."""
        return tuple(pa.field(name, self._kind) for name in self._columns.values())

    def add(self, window: Window, pixels: NDArray[np.intp], patches: NDArray[np.int32]) -> None:
        """Takes the changed pixels of a band."""
        raster = self._layer.read(window)
        known = raster.valid.ravel()[pixels]
        zones, values = patches[known], raster.pixels[0].ravel()[pixels[known]].astype(np.float64)
        if zones.size == 0:
            return
        # Patches are numbered in reading order, so those of a band lie in a short range.
        first = int(zones.min())
        near = zones - first
        end = first + int(near.max()) + 1
        self._count[first:end] += np.bincount(near)
        self._sum[first:end] += np.bincount(near, values)
        np.minimum.at(self._least, zones, values)
        np.maximum.at(self._most, zones, values)

    def columns(self, patches: NDArray[np.int32]) -> Sequence[pa.Array]:
        """One column per figure."""
        count = self._count[patches]
        figures = {
            "mean": self._sum[patches] / np.maximum(count, 1),
            "min": self._least[patches],
            "max": self._most[patches],
        }
        unknown = count == 0
        found = []
        for name in self._columns:
            values = np.where(unknown, 0, figures[name]).astype(self._kind.to_pandas_dtype())
            found.append(pa.array(values, self._kind, mask=unknown))
        return found


class QualityShares:
    """The share of each patch's pixels that have each quality, 0 to 1; fill is where nothing is known.

    Args:
        layer: one band of `Quality` codes.
    """

    def __init__(self, layer: ImageReader) -> None:
        self._layer = layer
        self._place = np.full(256, len(Quality) - 1)
        for place, quality in enumerate(Quality):
            self._place[quality] = place
        self.begin(0)

    def begin(self, patches: int) -> None:
        """Makes room for so many patches."""
        self._counts = np.zeros((patches, len(Quality)), np.int64)

    @property
    def fields(self) -> Sequence[pa.Field]:
        """One column per quality."""
        return tuple(pa.field(f"share_{quality.name.casefold()}", pa.float32()) for quality in Quality)

    def add(self, window: Window, pixels: NDArray[np.intp], patches: NDArray[np.int32]) -> None:
        """Takes the changed pixels of a band."""
        raster = self._layer.read(window)
        codes = np.where(raster.valid, raster.pixels[0], Quality.FILL).astype(np.uint8).ravel()[pixels]
        first = int(patches.min())
        kinds = len(Quality)
        cells = (patches - first).astype(np.int64) * kinds + self._place[codes]
        counts = np.bincount(cells, minlength=(int(patches.max()) - first + 1) * kinds).reshape(-1, kinds)
        self._counts[first : first + len(counts)] += counts

    def columns(self, patches: NDArray[np.int32]) -> Sequence[pa.Array]:
        """One column per quality."""
        counts = self._counts[patches]
        shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).astype(np.float32)
        return [pa.array(np.ascontiguousarray(column)) for column in shares.T]


class Zones:
    """All that is said of the patches of one class; satisfies `io.Attributes`.

    Args:
        wanted: the class whose patches are written.
        min_area: in m²; smaller ones are left out, also those that have no neighbour to join.
        measures: what is said of them, besides how many pixels they have.

    Attributes:
        written: how many patches have been asked for.
    """

    def __init__(self, wanted: int, min_area: float, measures: Sequence[Measure]) -> None:
        self._wanted, self._min_area, self._measures = wanted, min_area, measures
        self._pixels = np.zeros(0, np.int64)
        self.written = 0

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Number of pixels, then the measures' columns."""
        return pa.field("pixels", pa.int64()), *(field for measure in self._measures for field in measure.fields)

    def chosen(self, classes: NDArray[np.uint8], areas: NDArray[np.float64] | None) -> NDArray[np.bool_]:
        """Patches of the class wanted that are large enough."""
        self._pixels = np.zeros(len(classes), np.int64)
        for measure in self._measures:
            measure.begin(len(classes))
        right = np.asarray(classes == self._wanted)
        return right if areas is None else np.asarray(right & (areas >= self._min_area))

    def add(self, window: Window, patches: NDArray[np.int32]) -> None:
        """Takes the patch of each pixel of a band."""
        flat = np.ascontiguousarray(patches).ravel()
        pixels = np.flatnonzero(flat)
        if pixels.size == 0:
            return
        zones = flat[pixels]
        first = int(zones.min())
        counts = np.bincount(zones - first)
        self._pixels[first : first + len(counts)] += counts
        for measure in self._measures:
            measure.add(window, pixels, zones)

    def columns(self, patches: NDArray[np.int32], classes: NDArray[np.uint8]) -> Sequence[pa.Array]:
        """The columns of some patches."""
        del classes
        self.written += len(patches)
        said = [column for measure in self._measures for column in measure.columns(patches)]
        return [pa.array(self._pixels[patches]), *said]
