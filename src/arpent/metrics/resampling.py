"""How sure a figure is: what it is on images, places or blocks that are drawn anew from those at hand (Efron 1979)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number

__all__ = ["Interval", "bootstrap", "redrawn", "within"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value with the ends of its interval."""

    value: float
    low: float
    high: float

    def told(self, language: Language) -> str:
        """The value with the ends: ``0.912 (0.890 – 0.931)``; alone where the ends are not known, a dash without it."""
        value, low, high = (number(one, language, 3) for one in (self.value, self.low, self.high))
        return f"{value} ({low} – {high})" if math.isfinite(self.value) and math.isfinite(self.low) else value


def redrawn(count: int, draws: int, seed: int = 0) -> NDArray[np.float64]:
    """How often each of `count` things is in each draw of as many, with replacement, ``(draws, count)``.

    Equal arguments draw the same, so that two figures can be held against each other draw by draw.
    """
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return times.astype(np.float64)


def within(value: float, drawn: NDArray[np.float64], level: float = 0.95) -> Interval:
    """A figure with the ends between which that share of its draws lies; NaN where no draw is known."""
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def bootstrap(
    figure: Callable[[NDArray[np.float64] | None], float],
    images: int,
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A figure with its percentile interval over images.

    Equal arguments draw the same images: of two figures over the same images, the interval of their difference is that
    of ``lambda weights: one(weights) - other(weights)``, which is far narrower than two intervals side by side.

    Args:
        figure: computes the figure from weights ``(images,)``, how often each image counts; from None, once each.
        images: how many there are; they must be independent of each other.
        draws: how many times they are drawn.
        seed: of the drawing.
        level: share of the draws that lies inside.

    Raises:
        InvalidSetting: there is no image, or no draw.
    """
    if images < 1 or draws < 1:
        raise InvalidSetting(
            "an interval needs images and draws", found=f"{images} and {draws}", cure="Give at least one of each."
        )
    return within(figure(None), np.array([figure(weights) for weights in redrawn(images, draws, seed)]), level)
