"""Statistics of a product, gathered while it is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.io.overviews import is_valid

__all__ = ["BandStatistics", "Tally"]

_PIECE = 1 << 21  # pixels looked at in one go; a matter of memory, and part of the result's last bits


@dataclass(frozen=True)
class BandStatistics:
    """What is known of one band of a product.

    Attributes:
        name: of the band.
        valid_share: valid pixels over all pixels, 0 to 1.
        minimum, maximum, mean, std: of the valid finite pixels; None when there is none.
        histogram: for bytes, how many valid pixels have each of the 256 values; empty for other types.
    """

    name: str
    valid_share: float
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    histogram: tuple[int, ...] = ()


@dataclass
class _Band:
    """Sums over one band that can be added to those of another part (Chan, Golub and LeVeque 1979)."""

    valid: int = 0
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    histogram: list[int] = field(default_factory=list)

    def add(self, values: NDArray[np.float64]) -> None:
        if values.size == 0:
            return
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
        total = self.count + values.size
        step = mean - self.mean
        self.squares += squares + step * step * self.count * values.size / total
        self.mean += step * values.size / total
        self.count = total
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))

    def add_bytes(self, counts: NDArray[np.int64]) -> None:
        known = np.array(self.histogram, np.int64) if self.histogram else np.zeros(256, np.int64)
        self.histogram = [int(n) for n in known + counts]
        self.count = self.valid = sum(self.histogram)

    def summary(self, name: str, pixels: int) -> BandStatistics:
        share = self.valid / pixels
        if self.count == 0:
            return BandStatistics(name, share, None, None, None, None, tuple(self.histogram))
        if not self.histogram:
            std = math.sqrt(self.squares / self.count)
            return BandStatistics(name, share, self.minimum, self.maximum, self.mean, std)
        present = [value for value, number in enumerate(self.histogram) if number]
        mean = sum(value * number for value, number in enumerate(self.histogram)) / self.count
        variance = sum((value - mean) ** 2 * number for value, number in enumerate(self.histogram)) / self.count
        limits = float(present[0]), float(present[-1])
        return BandStatistics(name, share, *limits, mean, math.sqrt(variance), tuple(self.histogram))


class Tally:
    """Statistics of all bands, fed with rows.

    The last bits of a mean depend on how its parts are cut: feed the same rows in the same pieces for the same bytes.
    """

    def __init__(self, bands: Sequence[str], nodata: float | None) -> None:
        self._names = tuple(bands)
        self._nodata = nodata
        self._bands = [_Band() for _ in bands]

    def add(self, rows: NDArray[np.generic]) -> None:
        """Adds ``(bands, rows, columns)``."""
        step = max(1, _PIECE // rows.shape[2])
        for band, pixels in zip(self._bands, rows, strict=True):
            for row in range(0, pixels.shape[0], step):
                self._add_piece(band, pixels[row : row + step])

    def _add_piece(self, band: _Band, piece: NDArray[np.generic]) -> None:
        if piece.dtype == np.uint8:
            counts = np.bincount(piece.ravel(), minlength=256)
            if self._nodata is not None:
                counts[int(self._nodata)] = 0
            band.add_bytes(counts)
            return
        valid = is_valid(piece, self._nodata)
        band.valid += int(np.count_nonzero(valid))
        values = piece[valid].astype(np.float64)
        band.add(values[np.isfinite(values)])

    def summaries(self, pixels: int) -> tuple[BandStatistics, ...]:
        """Statistics by band, of a product of so many `pixels`."""
        return tuple(band.summary(name, pixels) for name, band in zip(self._names, self._bands, strict=True))

    def state(self) -> list[dict[str, Any]]:
        """Everything the tally knows, for JSON."""
        limits = [(b.minimum, b.maximum) if b.count and not b.histogram else (None, None) for b in self._bands]
        return [
            {
                "valid": band.valid,
                "count": band.count,
                "mean": band.mean,
                "squares": band.squares,
                "minimum": low,
                "maximum": high,
                "histogram": band.histogram,
            }
            for band, (low, high) in zip(self._bands, limits, strict=True)
        ]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Takes up where a `state` was."""
        self._bands = []
        for entry in state:
            facts = dict(entry)
            facts["minimum"] = math.inf if facts["minimum"] is None else facts["minimum"]
            facts["maximum"] = -math.inf if facts["maximum"] is None else facts["maximum"]
            self._bands.append(_Band(**facts))
