"""How much speckle an image has, and what a filter has done to it: a report card."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.errors import NoValidPixels

__all__ = [
    "LOOKS_BLOCK",
    "CardTally",
    "SpeckleCard",
    "edge_preservation",
    "estimate_looks",
    "looks_of_blocks",
    "median_looks",
]

LOOKS_BLOCK: Final = 25
"""Side of the blocks, in pixels, of which each tells a number of looks."""

_MOST_BLOCKS: Final = 250_000
_STILL: Final = 1e-12  # variance over squared mean below which a block has no speckle, but rounding

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SpeckleCard:
    """What a filter has done to one band.

    Attributes:
        looks_before: equivalent number of looks of the image, median over blocks of 25 × 25 pixels.
        looks_after: that of the filtered image; the more, the smoother.
        edges: correlation of the Laplacians of both images; 1 keeps every edge, and all speckle too.
        mean_ratio: mean of the filtered image over mean of the image; 1 for a filter that keeps power.
        ratio_mean: mean of the ratio image, image over filtered image; 1 where no structure was taken away.
        ratio_looks: equivalent number of looks of the ratio image, median over the same blocks: that of the image if
            the ratio is all speckle and nothing but speckle.
    """

    looks_before: float
    looks_after: float
    edges: float
    mean_ratio: float
    ratio_mean: float
    ratio_looks: float


def looks_of_blocks(power: Image, valid: Mask, step: int = 1) -> NDArray[np.float64]:
    """Equivalent number of looks, squared mean over variance, of blocks of 25 × 25 pixels; infinite without variance.

    Blocks of which less than half counts are left out, as are the rests at the right and lower edge. An image too
    small for one block is a block itself.

    Args:
        power: ``(height, width)``, linear.
        valid: which pixels count.
        step: looks at every `step`-th column of blocks alone.
    """
    height, width = (min(LOOKS_BLOCK, side) for side in power.shape)
    down, across = power.shape[0] // height, power.shape[1] // width
    values, known = (
        part[: down * height, : across * width].reshape(down, height, across, width)[:, :, ::step]
        for part in (np.where(valid, power, 0).astype(np.float64), valid)
    )
    count = known.sum(axis=(1, 3))
    sums, squares = values.sum(axis=(1, 3)), np.square(values).sum(axis=(1, 3))
    counts = count[taken := 2 * count >= height * width]
    mean = sums[taken] / counts
    variance = squares[taken] / counts - mean * mean
    still = variance <= _STILL * mean * mean
    looks = np.full(mean.shape, np.inf)
    np.divide(mean * mean, variance, out=looks, where=~still)
    return looks


def median_looks(blocks: NDArray[np.float64]) -> float:
    """The median over blocks that have any variance; infinite if none has, NaN if there are no blocks."""
    if not blocks.size:
        return math.nan
    speckled = blocks[np.isfinite(blocks)]
    return float(np.median(speckled)) if speckled.size else math.inf


def estimate_looks(power: Image, valid: Mask | None = None) -> float:
    """The equivalent number of looks of an image: the median over blocks of 25 × 25 pixels.

    Ground with a texture of its own lowers it. Infinite for an image without any variance.

    Args:
        power: ``(height, width)``, linear.
        valid: which pixels count; all that are numbers if not given.

    Raises:
        NoValidPixels: no pixel counts.
    """
    known = np.isfinite(power) if valid is None else valid & np.isfinite(power)
    looks = median_looks(looks_of_blocks(power, known))
    if not math.isnan(looks):
        return looks
    if not known.any():
        raise NoValidPixels(
            "no pixel counts, so there is no speckle to measure", cure="Check the image's no-data value."
        )
    kept = power[known].astype(np.float64)  # nothing but scattered pixels: they are one block
    return median_looks(np.array([kept.mean() ** 2 / kept.var() if kept.var() > 0 else np.inf]))


def edge_preservation(reference: Image, filtered: Image, valid: Mask | None = None) -> float:
    """Correlation of the Laplacians of two images, over pixels whose four neighbours count as well.

    NaN if one of the images has no curvature anywhere.
    """
    known = np.isfinite(reference) & np.isfinite(filtered) if valid is None else valid
    pairs = _Pairs()
    pairs.add(reference, filtered, known)
    return pairs.correlation


@dataclass
class _Pairs:
    """Sums over the Laplacians of two images."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))

    def add(self, one: Image, other: Image, valid: Mask) -> None:
        """Takes a piece; its outermost pixels are neighbours only."""
        if min(one.shape) < 3:
            return
        known = valid[1:-1, 1:-1] & valid[:-2, 1:-1] & valid[2:, 1:-1] & valid[1:-1, :-2] & valid[1:-1, 2:]
        a, b = (_laplacian(np.where(valid, image, 0))[known] for image in (one, other))
        self.sums += np.array([a.size, a.sum(), b.sum(), a @ a, b @ b, a @ b])

    @property
    def correlation(self) -> float:
        """Of all pieces so far; NaN if there is none."""
        n, a, b, aa, bb, ab = self.sums
        spread = (aa - a * a / n) * (bb - b * b / n) if n else 0.0
        return float((ab - a * b / n) / math.sqrt(spread)) if spread > 0 else math.nan


def _laplacian(image: Image) -> NDArray[np.float64]:
    wide = image.astype(np.float64)
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return np.asarray(around - 4.0 * wide[1:-1, 1:-1])


class CardTally:
    """Makes the card of one band from pieces of rows, in memory that does not grow with the image's height.

    Args:
        pixels: of the whole image; in a very large one only some of the blocks are looked at, evenly spread.
    """

    def __init__(self, pixels: int) -> None:
        blocks = max(1, pixels // LOOKS_BLOCK**2)
        self._step = -(-blocks // _MOST_BLOCKS)
        self._blocks: tuple[list[NDArray[np.float64]], ...] = ([], [], [])
        self._sums = np.zeros(4)  # of the image, of the filtered image, of the ratio, and how many ratios
        self._laplacians = _Pairs()
        self._last: tuple[Image, Image, Mask] | None = None

    def add(self, before: NDArray[np.float32], after: NDArray[np.float32], valid: Mask) -> None:
        """Takes the next rows, in multiples of 25 until the last.

        Args:
            before: ``(rows, width)``, linear power.
            after: the same, filtered.
            valid: which pixels count.
        """
        ratio = np.divide(before, after, out=np.ones_like(before), where=valid & (after > 0))
        for kept, image in zip(self._blocks, (before, after, ratio), strict=True):
            if not kept or before.shape[0] >= LOOKS_BLOCK:
                kept.append(looks_of_blocks(image, valid, self._step))
        known = int(valid.sum())
        sums = (float(image.sum(dtype=np.float64, where=valid)) for image in (before, after, ratio))
        self._sums += (*sums, known)
        if self._last is not None:
            before, after, valid = (
                np.concatenate(both) for both in zip(self._last, (before, after, valid), strict=True)
            )
        self._laplacians.add(before, after, valid)
        self._last = (before[-2:], after[-2:], valid[-2:])

    @property
    def card(self) -> SpeckleCard:
        """Of all rows so far."""
        before, after, ratio = (median_looks(np.concatenate(kept)) if kept else math.nan for kept in self._blocks)
        power, filtered, grain, count = (float(value) for value in self._sums)
        return SpeckleCard(
            looks_before=before,
            looks_after=after,
            edges=self._laplacians.correlation,
            mean_ratio=filtered / power if power > 0 else math.nan,
            ratio_mean=grain / count if count else math.nan,
            ratio_looks=ratio,
        )
