"""How sure a figure is that was counted on a few hundred images: what it is on images drawn anew from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting
from arpent.metrics.dense import Interval

__all__ = ["bootstrap"]


def bootstrap(
    figure: Callable[[NDArray[np.float64] | None], float],
    images: int,
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A figure with its percentile interval over images (Efron 1979).

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
    random = np.random.default_rng(seed)
    value = figure(None)
    drawn = np.array(
        [figure(random.multinomial(images, np.full(images, 1 / images)).astype(np.float64)) for _ in range(draws)]
    )
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
