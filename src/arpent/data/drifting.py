"""Images held against those that a model was trained on: how far their radiometry has moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from arpent.core import Normalisation, Raster, Window
from arpent.data.normalise import in_decibels
from arpent.data.statistics import Statistics
from arpent.errors import BandMismatch

__all__ = ["ONE_LANDSCAPE", "WHOLE_WORLD", "FarBand", "FarLimit", "far_bands", "glance", "glances"]

_PLACES = 6
_SIDE = 128
_TOP = 98.0
_LEAST_TOP = 1 / 16  # of the range: four bits of depth unused by nearly all pixels


@dataclass(frozen=True)
class FarLimit:
    """From where on a band is far from training.

    Attributes:
        mean: standard deviations of training between both means.
        std: how many times one standard deviation is the other, either way.
    """

    mean: float
    std: float


ONE_LANDSCAPE = FarLimit(mean=1.0, std=2.0)
"""For models of a few images, as land cover has them, which go by their colours."""
WHOLE_WORLD = FarLimit(mean=2.0, std=3.0)
"""For models of images of many places and seasons, as change has them, of which each is far from their mean."""


@dataclass(frozen=True)
class FarBand:
    """A band that is far from what a model was trained on. Numbers are scaled as the model's normalisation says.

    Attributes:
        name: of the band.
        mean: of the images at hand.
        std: of the images at hand.
        expected_mean: of training; 0 where the model goes by the range of the pixels alone.
        expected_std: of training; 1 where the model goes by the range of the pixels alone.
        top: value that 98 % of the pixels stay below, where the model expects pixels from 0 to 1; else None.
    """

    name: str
    mean: float
    std: float
    expected_mean: float
    expected_std: float
    top: float | None = None


class Sighted(Protocol):
    """What can be read by windows: `io.ImageReader`, and images made of several."""

    def read(self, window: Window) -> Raster:
        """The pixels of a window."""
        ...


def glances(window: Window) -> Iterator[Window]:
    """Up to 36 squares of 128 pixels, spread evenly over a window: all of a small one, the same share of no large one.

    Whatever the size of an image, a look at it costs the reading of these.
    """
    rows = _spread(window.row, window.height)
    cols = _spread(window.col, window.width)
    for row in rows:
        for col in cols:
            yield Window(row, col, min(_SIDE, window.row_end - row), min(_SIDE, window.col_end - col))


def _spread(start: int, length: int) -> list[int]:
    """Where the squares begin along one side."""
    count = min(_PLACES, -(-length // _SIDE))
    if length <= count * _SIDE:
        return [start + place * _SIDE for place in range(count)]
    steps = np.linspace(0, length - _SIDE, count) if count > 1 else np.array([(length - _SIDE) / 2])
    return [start + int(step) for step in steps]


def glance(image: Sighted, window: Window, rule: Normalisation | None = None) -> Statistics | None:
    """Statistics of a sample of the pixels in a window (`glances`); None where none of them has data.

    Args:
        image: to look at.
        window: of it.
        rule: what the statistics will be held against: of decibels where it speaks of these.
    """
    result: Statistics | None = None
    for place in glances(window):
        raster = image.read(place)
        pixels = raster.pixels
        if rule is not None and rule.decibels is not None:
            pixels = in_decibels(pixels, rule.decibels)
        result = result or Statistics(raster.bands, pixels.dtype)
        result.update(pixels, raster.valid)
    return result if result is not None and result.count.all() else None


def far_bands(statistics: Statistics, rule: Normalisation, limit: FarLimit = ONE_LANDSCAPE) -> tuple[FarBand, ...]:
    """The bands of these images that are far from those a model was trained on.

    Far is a mean more standard deviations of the training images away than the limit says, or a standard deviation
    that many times less or more than theirs. A model that goes by the range of the pixels alone has no such
    statistics: there, far is a band of which more than 2 % lies above the range, or 98 % in the lowest sixteenth of it.
    Bands that the images lack are far from nothing.
    """
    if len(rule.mean) != len(statistics.bands):
        raise BandMismatch(
            "the statistics are of another number of bands",
            found=len(statistics.bands),
            expected=len(rule.mean),
            cure="Measure the bands that the model reads.",
        )
    if rule.to_bytes is not None:
        statistics = statistics.as_bytes(rule.to_bytes)
    by_range = not any(rule.mean) and set(rule.std) == {1.0}
    tops = statistics.percentile(_TOP) * rule.scale
    means, stds = statistics.mean * rule.scale, statistics.std * rule.scale
    found = []
    for place, name in enumerate(statistics.bands):
        if place in rule.absent:
            continue
        mean, std, top = float(means[place]), float(stds[place]), float(tops[place])
        then = rule.mean[place], rule.std[place]
        if by_range and not _LEAST_TOP <= top <= 1:
            found.append(FarBand(name, mean, std, *then, top=top))
        elif not by_range and (
            abs(mean - then[0]) > limit.mean * then[1] or not 1 / limit.std <= std / then[1] <= limit.std
        ):
            found.append(FarBand(name, mean, std, *then))
    return tuple(found)
