"""Whether probabilities mean what they say: of the pixels given 70 %, 70 % should have changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.metrics.curves import ScoreHistogram, score_of

__all__ = ["Reliability", "reliability"]


@dataclass(frozen=True)
class Reliability:
    """Probabilities beside what happened, in bins of equal width.

    Attributes:
        pixels: ``(bins,)``, how many.
        said: ``(bins,)``, their mean probability; NaN in an empty bin.
        seen: ``(bins,)``, the share of them that changed; NaN in an empty bin.
    """

    pixels: NDArray[np.int64]
    said: NDArray[np.float64]
    seen: NDArray[np.float64]

    @property
    def expected_error(self) -> float:
        """Mean distance of what is said from what is seen, each bin weighted by its pixels (ECE)."""
        filled = self.pixels > 0
        away = np.abs(self.said[filled] - self.seen[filled])
        return float(np.average(away, weights=self.pixels[filled]))

    @property
    def largest_error(self) -> float:
        """The largest such distance among bins (MCE)."""
        return float(np.nanmax(np.abs(self.said - self.seen)))


def reliability(histogram: ScoreHistogram, bins: int = 15) -> Reliability:
    """Of a histogram of probabilities, in `bins` of equal width."""
    changed, both = histogram.changed, histogram.changed + histogram.unchanged
    filled = np.flatnonzero(both)
    # Each fine bin speaks for its middle, half a thousandth of the probability away at most.
    middles = np.clip((score_of(filled) + score_of(filled + 1)) / 2, 0.0, 1.0)
    middles[score_of(filled) >= 1.0] = 1.0
    places = np.minimum((middles * bins).astype(np.int64), bins - 1)
    pixels = np.bincount(places, both[filled], bins)
    with np.errstate(invalid="ignore"):
        said = np.bincount(places, both[filled] * middles, bins) / pixels
        seen = np.bincount(places, changed[filled], bins) / pixels
    return Reliability(pixels.astype(np.int64), said, seen)
