"""Sides of pictures: as their collection gives them, or drawn. All captions of a picture go with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from arpent.data import SPLITS, Split
from arpent.errors import EmptySplit, SplitLeak
from arpent.tasks.classify.survey import Surveyed

__all__ = ["SHARES", "draw", "keep_apart"]

SHARES: Final[Mapping[Split, float]] = {"train": 0.8, "val": 0.1, "test": 0.1}
"""Of the pictures, on each side that is drawn."""

_SHOWN = 3


def draw(pictures: Sequence[Surveyed], seed: int) -> dict[str, Split]:
    """A side for each picture; copies of one file stay together. Order does not matter, the seed does.

    Raises:
        EmptySplit: there are fewer than three different pictures.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for one in pictures:
        groups[one.sha256].append(one.name)
    if len(groups) < len(SHARES):
        raise EmptySplit(
            "too few pictures to learn from, to choose by and to judge by",
            found=f"{len(groups)} different pictures",
            expected="at least 3",
            cure="Give more pictures.",
        )
    keys = sorted(groups)
    order = np.random.default_rng(seed).permutation(len(keys)).tolist()
    wanted = {side: max(1, round(share * len(keys))) for side, share in SHARES.items() if side != "train"}
    marks = np.cumsum([wanted["test"], wanted["val"]]).tolist()
    sides: dict[str, Split] = {}
    for place, number in enumerate(order):
        side: Split = "test" if place < marks[0] else "val" if place < marks[1] else "train"
        sides |= dict.fromkeys(groups[keys[number]], side)
    return sides


def keep_apart(pictures: Sequence[Surveyed], sides: Mapping[str, Split], *, drop: bool) -> dict[str, Split]:
    """The sides without training pictures that stand on another side too.

    Args:
        pictures: with the hashes of their files.
        sides: of each.
        drop: whether to leave such pictures out.

    Raises:
        SplitLeak: there are some, and they are not to be left out; or they are in validation and test.
    """
    found: dict[str, list[Surveyed]] = defaultdict(list)
    for one in pictures:
        if one.name in sides:
            found[one.sha256].append(one)
    several = [group for group in found.values() if len({sides[one.name] for one in group}) > 1]
    if not several:
        return dict(sides)
    judged = [group for group in several if {"val", "test"} <= {sides[one.name] for one in group}]
    if not drop or judged:
        shown = [_told(group, sides) for group in (judged if drop else several)]
        more = f"; and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        raise SplitLeak(
            f"{len(shown)} {'picture stands' if len(shown) == 1 else 'pictures stand'} on several sides of the split",
            found="; ".join(shown[:_SHOWN]) + more,
            cure="Remove one of each, or let the sides be drawn anew by --split drawn."
            if drop
            else "Leave them out of the training by --drop-duplicates, or draw the sides by --split drawn.",
        )
    dropped = {one.name for group in several for one in group if sides[one.name] == "train"}
    return {name: side for name, side in sides.items() if name not in dropped}


def _told(group: Sequence[Surveyed], sides: Mapping[str, Split]) -> str:
    ordered = sorted(group, key=lambda one: SPLITS.index(sides[one.name]))
    return " = ".join(f"{one.name} ({sides[one.name]})" for one in ordered[:_SHOWN])
