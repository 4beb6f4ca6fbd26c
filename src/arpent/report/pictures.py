"""From a raster to the colours of its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Raster

__all__ = ["Range", "Rendered", "Steps", "ramp", "rendered"]

_LARGEST = 1500  # pixels on a side; more would be lost in a figure
_CUT = 2.0  # per cent at each end that a stretch lets go dark or bright
_FAR = 3.0  # times as far above the median as the dark end is below it: what is brighter is no ground, but cloud
_GAMMA = 0.8  # lifts the dark half, where most of a landscape lies
_RGB = ("red", "green", "blue")
# Viridis at nine places (Smith and van der Walt 2015): even to the eye, also in grey and to the colour-blind.
_RAMP = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")


@dataclass(frozen=True)
class Range:
    """The values at the two ends of a colour bar.

    Attributes:
        low: the least.
        high: the greatest.
        whole: whether all values are whole numbers, such as counts.
    """

    low: float
    high: float
    whole: bool = False


@dataclass(frozen=True)
class Steps:
    """Colours for ranges of one quantity, for maps whose values have a meaning of their own.

    Attributes:
        low: the least value.
        ends: the greatest value of each range, ascending; what lies above the last has the colour `above`.
        colours: one per range, as ``#rrggbb``.
        above: see `ends`.
        high: the greatest value of all, where there is one.
    """

    low: float
    ends: tuple[float, ...]
    colours: tuple[str, ...]
    above: str = "#ffffff"
    high: float | None = None

    @property
    def table(self) -> NDArray[np.uint8]:
        """All colours in ascending order, ``(ranges + 1, 3)``."""
        return np.array([tuple(bytes.fromhex(colour[1:])) for colour in (*self.colours, self.above)], np.uint8)


@dataclass(frozen=True)
class Rendered:
    """Pixels ready to be shown.

    Attributes:
        rgba: ``(height, width, 4)`` of uint8; transparent where there is no data.
        shares: of each class id that is there, of the pixels that count; empty when it is no class map.
        range: of the colour bar; None when it is not a map of one quantity.
    """

    rgba: NDArray[np.uint8]
    shares: dict[int, float]
    range: Range | None = None


def rendered(raster: Raster, classes: ClassMap | None, steps: Steps | None = None, *, toned: bool = False) -> Rendered:
    """The picture of a raster: of classes, of three bands, or of one quantity (in steps, where they are given).

    Three bands of bytes that are `toned` are shown as they are.
    """
    step = max(1, -(-max(raster.grid.shape) // _LARGEST))
    if classes is not None:
        return _class_map(raster, classes, step)
    pixels, valid = raster.pixels[:, ::step, ::step], raster.valid[::step, ::step]
    finite = valid & np.isfinite(pixels.astype(np.float64)).all(axis=0)
    if steps is not None:
        return _in_steps(pixels[0], finite, steps)
    if len(raster.bands) >= 3:
        if toned:
            alpha = np.where(valid, 255, 0).astype(np.uint8)
            return Rendered(np.dstack([*pixels[:3].astype(np.uint8), alpha]), {})
        order = [raster.bands.index(name) for name in _RGB] if set(_RGB) <= set(raster.bands) else [0, 1, 2]
        return _composite(pixels[order], finite)
    return _quantity(pixels[0], finite)


def _class_map(raster: Raster, classes: ClassMap, step: int) -> Rendered:
    """Shows each `step`-th pixel, and counts all of them."""
    ids = raster.pixels[0].astype(np.uint8)
    counted = raster.valid & (classes.index_of_id[ids] >= 0)
    counts = np.bincount(ids[counted], minlength=256)
    total = int(counts.sum())
    rgba = classes.palette[ids[::step, ::step]]
    rgba[~counted[::step, ::step]] = 0
    return Rendered(rgba, {int(i): float(counts[i]) / total for i in np.flatnonzero(counts)})


def _ends(values: NDArray[np.generic]) -> Range:
    """The values between which nearly all lie."""
    if not values.size:
        return Range(0.0, 1.0)
    low, high = (float(end) for end in np.percentile(values.astype(np.float64), [_CUT, 100.0 - _CUT]))
    return Range(low, high if high > low else low + 1.0)


def _of_whole(values: NDArray[np.generic], ends: Range) -> Range:
    """The same range between whole numbers; of one number alone it ends at that number, for more is not there."""
    low, high = math.floor(ends.low), math.ceil(ends.high)
    if values.size and low > 0 and bool((values == values[0]).all()):
        return Range(low - 1, low, whole=True)
    return Range(low, high, whole=True)


def _ground(values: NDArray[np.generic]) -> Range:
    """The values between which nearly all lie that can be ground: clouds would leave it in the dark."""
    ends = _ends(values)
    middle = float(np.median(values.astype(np.float64))) if values.size else ends.high
    high = min(ends.high, middle + _FAR * (middle - ends.low))
    return Range(ends.low, high if high > ends.low else ends.high)


def _stretched(values: NDArray[np.generic], valid: NDArray[np.bool_], ends: Range) -> NDArray[np.float64]:
    """Values as shares of a range; 0 where they do not count."""
    known = np.where(valid, values.astype(np.float64), ends.low)
    return np.clip((known - ends.low) / (ends.high - ends.low), 0.0, 1.0)


def _composite(bands: NDArray[np.generic], valid: NDArray[np.bool_]) -> Rendered:
    """Each band is stretched by itself, which takes haze away; bytes were toned by their maker, and keep together."""
    rgba = np.zeros((*valid.shape, 4), np.uint8)
    together = bands.dtype == np.uint8
    every = _ends(bands[:, valid]) if together else None
    for channel, band in enumerate(bands):
        shares = _stretched(band, valid, every or _ground(band[valid]))
        rgba[..., channel] = np.rint(255.0 * shares**_GAMMA)
    rgba[..., 3] = np.where(valid, 255, 0)
    return Rendered(rgba, {})


def ramp(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The colours ``(…, 3)`` of shares between 0 and 1."""
    stops = np.array([tuple(bytes.fromhex(colour[1:])) for colour in _RAMP], np.float64)
    at = np.linspace(0.0, 1.0, len(stops))
    channels = [np.interp(shares, at, stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _in_steps(values: NDArray[np.generic], valid: NDArray[np.bool_], steps: Steps) -> Rendered:
    rgba = np.zeros((*valid.shape, 4), np.uint8)
    rgba[..., :3] = steps.table[np.searchsorted(steps.ends, values.astype(np.float64))]
    rgba[~valid] = 0
    rgba[..., 3] = np.where(valid, 255, 0)
    return Rendered(rgba, {}, Range(steps.low, steps.ends[-1]))


def _quantity(values: NDArray[np.generic], valid: NDArray[np.bool_]) -> Rendered:
    ends = _ends(values[valid])
    if np.issubdtype(values.dtype, np.integer):
        ends = _of_whole(values[valid], ends)
    rgba = np.zeros((*valid.shape, 4), np.uint8)
    rgba[..., :3] = ramp(_stretched(values, valid, ends))
    rgba[~valid] = 0
    rgba[..., 3] = np.where(valid, 255, 0)
    return Rendered(rgba, {}, ends)
