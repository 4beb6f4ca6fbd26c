"""What came of scaling pixels: whether the number that is stated followed the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arpent.metrics import Interval, slope
from arpent.tasks.describe.judging import Item, pairs_of

__all__ = ["SCALES", "Followed", "followed"]

SCALES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
"""What the near infrared is multiplied by."""


@dataclass(frozen=True)
class Followed:
    """Stated and true NDVI while the near infrared is scaled.

    Attributes:
        scales: what it was multiplied by, ascending.
        true: mean NDVI of the parcels at each scale.
        stated: mean of the numbers stated there; NaN where none was.
        slope: Spearman's correlation of stated and true, mean over the texts.
        texts: how many.
    """

    scales: tuple[float, ...]
    true: tuple[float, ...]
    stated: tuple[float, ...]
    slope: Interval
    texts: int


def followed(items: Mapping[float, Sequence[Item]], *, draws: int = 1000, seed: int = 0) -> Followed:
    """Compares texts written of scaled pixels with what is true of those.

    Args:
        items: by scale, the texts about the same parcels in the same order, each with the truth at that scale.
        draws: of the interval.
        seed: of the draws.
    """
    scales = tuple(sorted(items))
    pairs: dict[str, list[tuple[float | None, float]]] = {}
    for scale in scales:
        for key, found in pairs_of(items[scale]).items():
            pairs.setdefault(key, []).extend(found)
    columns = list(zip(*(pairs[key] for key in sorted(pairs)), strict=True))
    true = tuple(float(np.mean([value for _, value in column])) for column in columns)
    said = [[value for value, _ in column if value is not None] for column in columns]
    stated = tuple(float(np.mean(values)) if values else float("nan") for values in said)
    return Followed(scales, true, stated, slope(pairs, draws=draws, seed=seed), len(pairs))
