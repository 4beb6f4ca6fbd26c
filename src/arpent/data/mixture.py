"""How the sensors of a mixed training share the patches of an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arpent.data.index import SampleIndex
from arpent.errors import InvalidSetting

__all__ = ["Mix", "apportioned", "interleaved", "members", "shares_of"]

Mix = Literal["proportional", "round-robin"] | Mapping[str, Annotated[float, Field(gt=0)]]
"""By how many pixels each sensor has, one of each in turn, or in the ratio that is given by sensor."""


def members(index: SampleIndex, mix: Mix) -> Mapping[str, list[int]]:
    """Numbers of the samples that draw from one share of the patches, by sensor; all together if proportional.

    Raises:
        InvalidSetting: a ratio leaves out a sensor, or names one that no sample has.
    """
    if mix == "proportional":
        return {"": list(range(len(index)))}
    if isinstance(mix, Mapping) and set(mix) != set(index.sensors):
        raise InvalidSetting(
            "the ratio of sensors does not name those of the training images",
            found=", ".join(sorted(mix)),
            expected=", ".join(name or "no sensor" for name in index.sensors),
            cure="Give a number above 0 for each of them in 'mix'.",
        )
    return {name: [n for n, sample in enumerate(index) if sample.sensor == name] for name in index.sensors}


def shares_of(groups: Mapping[str, Sequence[int]], mix: Mix) -> list[float]:
    """How much each group weighs."""
    return [float(mix[name]) if isinstance(mix, Mapping) else 1.0 for name in groups]


def apportioned(count: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers in the ratio of the weights whose sum is `count`, by largest remainder."""
    exact = count * np.asarray(weights, np.float64) / sum(weights)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    # A stable order: of equal remainders the first gets the patch.
    for place in np.argsort(whole - exact, kind="stable")[: count - int(whole.sum())]:
        whole[place] += 1
    kept: list[int] = whole.tolist()
    return kept


def interleaved(order: NDArray[np.int64], counts: Sequence[int]) -> NDArray[np.int64]:
    """An order in which groups take turns as evenly as their sizes allow, so that every batch has its share of each.

    Args:
        order: of the members of all groups, which are numbered one group after the other; kept within each group.
        counts: members of each group.
    """
    group = np.repeat(np.arange(len(counts)), counts)[order]
    turns = np.empty(len(order), np.float64)
    for number, count in enumerate(counts):
        turns[group == number] = (np.arange(count) + 0.5) / count
    return order[np.lexsort((group, turns))]
