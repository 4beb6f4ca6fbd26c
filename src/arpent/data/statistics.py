"""Statistics of image sets, band by band: streamed window by window, merged across threads and machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from arpent.core import ByteScale, Window
from arpent.data import kernels
from arpent.errors import BandMismatch, InvalidSetting, NoValidPixels
from arpent.io import ImageReader, read_ahead

__all__ = ["BandSummary", "Statistics", "StatisticsRecord", "measure"]

Kind = Literal["uint8", "uint16", "int16", "float32"]
_EXACT = {"uint8": (0, 256), "uint16": (0, 1 << 16), "int16": (-(1 << 15), 1 << 16)}
_ROWS = 512  # of a strip that is read at once


class BandSummary(BaseModel):
    """What is kept of one band.

    Attributes:
        name: of the band.
        count: valid pixels.
        mean: of the valid pixels.
        spread: sum of squares about the mean.
        low: least value; None without valid pixels.
        high: greatest value; None without valid pixels.
        bins: histogram bins that are not empty.
        counts: pixels in each of those bins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    count: Annotated[int, Field(ge=0)]
    mean: float
    spread: Annotated[float, Field(ge=0)]
    low: float | None
    high: float | None
    bins: tuple[int, ...]
    counts: tuple[int, ...]


class StatisticsRecord(BaseModel):
    """`Statistics` as they stand in a JSON file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Kind
    bands: tuple[BandSummary, ...]


@dataclass
class _Moments:
    """Count, mean and squares about the mean of one band, and its range."""

    count: int = 0
    mean: float = 0.0
    spread: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(self, other: _Moments) -> None:
        """Joins two disjoint sets (Chan, Golub and LeVeque, 1979)."""
        if other.count == 0:
            return
        total = self.count + other.count
        step = other.mean - self.mean
        # Weighting both means keeps the result symmetric, where mean + step × share would round differently.
        self.mean = (self.count * self.mean + other.count * other.mean) / total
        self.spread += other.spread + step * step * (self.count * other.count / total)
        self.count = total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


class Statistics:
    """Count, mean, standard deviation, range and histogram of each band of a set of images.

    Integers of 8 and 16 bits have a histogram of exact values, which everything else follows from. Floats have one of
    65 536 bins whose width is 1/128 of the value at most, and moments of their own; the bins are the same for every
    set, so histograms merge without loss.

    Args:
        bands: names, in order.
        dtype: of the pixels; 32-bit integers and 64-bit floats are counted as 32-bit floats.
    """

    def __init__(self, bands: Sequence[str], dtype: np.dtype[np.generic] | str) -> None:
        name = np.dtype(dtype).name
        self.bands = tuple(bands)
        self.kind: Kind = name if name in _EXACT else "float32"  # type: ignore[assignment]  # checked by the condition
        self._offset, size = _EXACT.get(self.kind, (0, kernels.FLOAT_BINS))
        self._streamed = [_Moments() for _ in self.bands]  # of floats
        self._histograms: NDArray[np.int64] = np.zeros((len(self.bands), size), np.int64)

    def update(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> None:
        """Adds the valid pixels of an image ``(bands, height, width)``; those not finite never count."""
        if len(pixels) != len(self.bands):
            raise BandMismatch(
                "these pixels have another number of bands than the statistics",
                found=len(pixels),
                expected=f"{len(self.bands)} ({', '.join(self.bands)})",
                cure="Open the images with the bands of the statistics.",
            )
        if self.kind != "float32" and pixels.dtype != np.dtype(self.kind):
            raise InvalidSetting(
                "images of different types cannot share their statistics",
                found=pixels.dtype,
                expected=self.kind,
                cure="Compute statistics for each type of image.",
            )
        mask = np.ones(pixels[0].size, bool) if valid is None else np.ascontiguousarray(valid).ravel()
        for plane, moments, histogram in zip(pixels, self._streamed, self._histograms, strict=True):
            flat = np.ascontiguousarray(plane).ravel()
            if self.kind != "float32":
                kernels.count_integers(flat, mask, self._offset, histogram)
                continue
            values, parts = flat.astype(np.float32, copy=False), np.zeros(5)
            kernels.float_moments(values, values.view(np.uint32), mask, histogram, parts)
            moments.add(_Moments(int(parts[0]), *(float(part) for part in parts[1:])))

    def merge(self, other: Statistics) -> Self:
        """Adds the statistics of another set to these, which are returned. The order of merging does not matter."""
        if other.bands != self.bands or other.kind != self.kind:
            raise BandMismatch(
                "these statistics are of other bands",
                found=f"{', '.join(other.bands)} ({other.kind})",
                expected=f"{', '.join(self.bands)} ({self.kind})",
                cure="Merge statistics of the same bands and type.",
            )
        for mine, theirs in zip(self._streamed, other._streamed, strict=True):
            mine.add(theirs)
        self._histograms += other._histograms
        return self

    @property
    def _moments(self) -> list[_Moments]:
        if self.kind == "float32":
            return self._streamed
        return [self._counted(histogram) for histogram in self._histograms]

    def _counted(self, histogram: NDArray[np.int64]) -> _Moments:
        """The moments of integers, from how often each of them occurs."""
        filled = np.flatnonzero(histogram)
        if not filled.size:
            return _Moments()
        counts, values = histogram[filled], filled + self._offset
        total = int(counts.sum())
        mean = int(counts @ values) / total
        return _Moments(total, mean, float(counts @ (values - mean) ** 2), float(values[0]), float(values[-1]))

    @property
    def count(self) -> NDArray[np.int64]:
        """Valid pixels, ``(bands,)``."""
        return np.array([moments.count for moments in self._moments], np.int64)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Means, ``(bands,)``."""
        self._require_pixels()
        return np.array([moments.mean for moments in self._moments])

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviations of the population, ``(bands,)``."""
        self._require_pixels()
        return np.sqrt([moments.spread / moments.count for moments in self._moments])

    @property
    def low(self) -> NDArray[np.float64]:
        """Least values, ``(bands,)``."""
        self._require_pixels()
        return np.array([moments.low for moments in self._moments])

    @property
    def high(self) -> NDArray[np.float64]:
        """Greatest values, ``(bands,)``."""
        self._require_pixels()
        return np.array([moments.high for moments in self._moments])

    def percentile(self, share: ArrayLike) -> NDArray[np.float64]:
        """The values below which `share` percent of the pixels lie, ``(bands,)`` or ``(shares, bands)``.

        For integers the least value whose cumulated share reaches `share`; for floats within 0.4 % of the value.
        """
        self._require_pixels()
        shares = np.asarray(share, np.float64)
        if (shares < 0).any() or (shares > 100).any():
            raise InvalidSetting(
                "a percentile lies outside 0 to 100", found=share, expected="0 to 100", cure="Give it in percent."
            )
        values, ends = [], self._moments
        for band, histogram in enumerate(self._histograms):
            cumulated = np.cumsum(histogram)
            rank = np.clip(np.ceil(shares / 100 * cumulated[-1]), 1, cumulated[-1])
            value = np.clip(self._value(np.searchsorted(cumulated, rank)), ends[band].low, ends[band].high)
            at_an_end = [rank == cumulated[-1], rank == 1]
            values.append(np.select(at_an_end, [ends[band].high, ends[band].low], value))
        return np.stack(values, axis=-1)

    def histogram(self, band: str, edges: ArrayLike) -> NDArray[np.int64]:
        """Pixels of one band between ascending `edges`, as ``numpy.histogram`` counts them."""
        counts = self._histograms[self.bands.index(band)]
        filled = np.flatnonzero(counts)
        result, _ = np.histogram(self._value(filled), bins=np.asarray(edges), weights=counts[filled])
        return np.asarray(np.rint(result), np.int64)

    def _value(self, bins: NDArray[np.integer]) -> NDArray[np.float64]:
        if self.kind == "float32":
            return np.asarray(kernels.value_of_bin(bins), np.float64)
        return (bins + self._offset).astype(np.float64)

    def _require_pixels(self) -> None:
        for name, moments in zip(self.bands, self._moments, strict=True):
            if moments.count == 0:
                raise NoValidPixels(
                    f"band '{name}' has no valid pixel to take statistics of",
                    cure="Check the no-data value of the images and the area that was read.",
                )

    def as_bytes(self, scale: ByteScale) -> Statistics:
        """The statistics of the same pixels once they are bytes: exact for integers, to 0.4 % of a value for floats."""
        result = Statistics(self.bands, "uint8")
        filled = np.flatnonzero(self._histograms.any(axis=0))
        if filled.size:
            values = self._value(filled).astype(np.float32)
            bytes_ = scale(np.broadcast_to(values, (len(self.bands), 1, filled.size)))[:, 0]
            for band, counts in enumerate(self._histograms):
                np.add.at(result._histograms[band], bytes_[band], counts[filled])
        return result

    def within(self, low: float, high: float) -> Statistics:
        """The statistics of the pixels between two percentiles of each band; of floats within 0.4 % of a value."""
        self._require_pixels()
        result = Statistics(self.bands, self.kind)
        for band, histogram in enumerate(self._histograms):
            cumulated = np.cumsum(histogram)
            ranks = np.clip(np.ceil(np.array([low, high]) / 100 * cumulated[-1]), 1, cumulated[-1])
            first, last = np.searchsorted(cumulated, ranks)
            result._histograms[band, first : last + 1] = histogram[first : last + 1]
            bins = first + np.flatnonzero(histogram[first : last + 1])
            counts, values = histogram[bins], self._value(bins)
            mean = float(np.average(values, weights=counts))
            spread = float(counts @ (values - mean) ** 2)
            result._streamed[band] = _Moments(int(counts.sum()), mean, spread, float(values[0]), float(values[-1]))
        return result

    def select(self, bands: Sequence[str]) -> Statistics:
        """The statistics of some bands, by name, in the order given."""
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise BandMismatch(
                f"these statistics lack {', '.join(missing)}",
                found=", ".join(self.bands),
                expected=", ".join(bands),
                cure="Measure these bands: arpent stats IMAGES --bands …",
            )
        places = [self.bands.index(band) for band in bands]
        result = Statistics(bands, self.kind)
        result._histograms = self._histograms[places]
        result._streamed = [replace(self._streamed[place]) for place in places]
        return result

    def to_record(self) -> StatisticsRecord:
        """A value for JSON; `from_record` gives the same statistics back."""
        bands = []
        for name, moments, histogram in zip(self.bands, self._moments, self._histograms, strict=True):
            filled = np.flatnonzero(histogram)
            bands.append(
                BandSummary(
                    name=name,
                    count=moments.count,
                    mean=moments.mean,
                    spread=moments.spread,
                    low=moments.low if moments.count else None,
                    high=moments.high if moments.count else None,
                    bins=tuple(map(int, filled)),
                    counts=tuple(map(int, histogram[filled])),
                )
            )
        return StatisticsRecord(kind=self.kind, bands=tuple(bands))

    @classmethod
    def from_record(cls, record: StatisticsRecord) -> Self:
        """The statistics that a record was made of."""
        result = cls([band.name for band in record.bands], record.kind)
        for index, band in enumerate(record.bands):
            if band.low is not None and band.high is not None:
                result._streamed[index] = _Moments(band.count, band.mean, band.spread, band.low, band.high)
            places = np.asarray(band.bins, np.int64)
            outside = places.size and not 0 <= places.min() <= places.max() < result._histograms.shape[1]
            if outside or len(band.bins) != len(band.counts) or min(band.counts, default=0) < 0:
                raise InvalidSetting(
                    f"the histogram of band '{band.name}' is damaged", cure="Measure the images again: arpent stats."
                )
            result._histograms[index, places] = band.counts
        return result


def measure(
    reader: ImageReader, window: Window | None = None, *, into: Statistics | None = None, threads: int = 2
) -> Statistics:
    """Adds one image, or a window of it, to statistics.

    Args:
        reader: the open image.
        window: the pixels that count; all if not given.
        into: what to add to; new statistics if not given.
        threads: that read ahead.
    """
    result = Statistics(reader.bands, reader.dtype) if into is None else into
    if result.bands != reader.bands:
        raise BandMismatch(
            f"{reader.source} has other bands than the images before it",
            found=", ".join(reader.bands),
            expected=", ".join(result.bands),
            cure="Name the bands to read, so that all images give the same.",
        )
    strips = (window or reader.grid.window).strips(_ROWS)
    for raster in read_ahead(reader.read, strips, threads=threads):
        result.update(raster.pixels, raster.valid)
    return result
