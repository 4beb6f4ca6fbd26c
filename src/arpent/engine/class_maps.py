"""The products that say which class each pixel has: whatever task makes the scores, they are made of them alike."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Language
from arpent.engine.task import Product
from arpent.pixels import highest

__all__ = ["class_map", "probability_map"]

_PERCENT_NODATA: Final = 255


def class_map(name: str, source: str, classes: ClassMap, title: str, **facts: Any) -> Product:  # noqa: ANN401 - further fields of a product
    """The map of the class with the highest score, among those that are ever predicted."""
    return Product(
        name,
        source,
        channels=len(classes),
        bands=("class",),
        dtype="uint8",
        nodata=classes.nodata,
        finish=partial(_most_likely, classes),
        classes=classes,
        overviews="mode",
        title=title,
        **facts,
    )


def probability_map(
    name: str,
    source: str,
    classes: ClassMap,
    title: str,
    language: Language,
    **facts: Any,  # noqa: ANN401 - further fields of a product
) -> Product:
    """The probability of each class in percent, a band each; 0 for classes that are never predicted."""
    return Product(
        name,
        source,
        channels=len(classes),
        bands=classes.labels(language),
        dtype="uint8",
        nodata=_PERCENT_NODATA,
        finish=partial(_percent, classes),
        unit="%",
        title=title,
        **facts,
    )


def _most_likely(classes: ClassMap, scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    active = np.setdiff1d(np.arange(len(classes)), classes.inactive)
    chosen = highest(scores if len(active) == len(scores) else scores[active])
    return np.asarray(classes.ids[active][chosen][None])


def _percent(classes: ClassMap, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    if classes.inactive:
        scores = scores.copy()
        scores[list(classes.inactive)] = -np.inf
    powers = np.exp(scores - scores.max(axis=0, keepdims=True))
    return np.asarray(100 * powers / powers.sum(axis=0, keepdims=True), np.float32)
