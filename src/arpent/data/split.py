"""Splits by place: whole domains or whole blocks of ground go to one side, never single patches.

Neighbouring pixels resemble each other. A model judged on patches drawn at random between its training patches is
asked what it has nearly seen, and its scores are too good; so sides are kept apart on the ground.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import shapely
from numpy.typing import NDArray

from arpent.data.footprints import Footprint, footprints
from arpent.data.index import SampleIndex
from arpent.data.sample import SPLITS, Split
from arpent.errors import DatasetError, EmptySplit, InvalidSetting

__all__ = ["DEFAULT_FRACTIONS", "sided", "split_by_block", "split_by_domain"]

DEFAULT_FRACTIONS: Mapping[Split, float] = MappingProxyType({"train": 0.7, "val": 0.15, "test": 0.15})
"""Shares of the area on each side, where the user says nothing."""

METRES_PER_DEGREE = math.radians(1) * 6_371_008.8
_ATTEMPTS = 64
_STEPS = 50_000


def sided(index: SampleIndex) -> SampleIndex:
    """The samples with their sides; domains are shared out whole, always alike, where the index names no side.

    Raises:
        DatasetError: it names neither sides nor two domains.
    """
    if any(sample.split for sample in index):
        return index
    if len(index.domains) < 2:
        raise DatasetError(
            f"{index.origin} names neither splits nor at least two domains",
            cure="Fill the column 'split' with train and val, or the column 'domain'.",
        )
    return split_by_domain(index, {"train": 0.8, "val": 0.2})


def split_by_domain(
    index: SampleIndex, fractions: Mapping[Split, float] = DEFAULT_FRACTIONS, *, seed: int = 0
) -> SampleIndex:
    """Puts each domain on one side, such that the sides come near to `fractions` of the area.

    The result depends on the domains, their areas and the seed only, not on the order of the samples.
    """
    prints = footprints(index)
    groups = [sample.domain for sample in index]
    return index.with_splits(_shares(groups, prints, _checked(fractions), seed, "domains"))


def split_by_block(
    index: SampleIndex,
    fractions: Mapping[Split, float] = DEFAULT_FRACTIONS,
    *,
    block: float,
    buffer: float = 0.0,
    seed: int = 0,
) -> SampleIndex:
    """Puts each square block of ground on one side.

    The blocks are those of an equal-area grid of the whole globe, so that a sample's block does not depend on the
    other samples. A sample belongs to the block of its centre. Samples that reach into, or come nearer than `buffer`
    to, a sample of a side that must stay unseen are put on no side: training yields to validation, both to test.

    Args:
        index: of samples with a place on earth; see `cut_blocks` for large images.
        fractions: of the area for each side.
        block: side of a block in metres.
        buffer: metres of ground kept free between sides.
        seed: of the assignment of blocks.
    """
    if block <= 0 or buffer < 0:
        raise InvalidSetting(
            "blocks need a side above 0 m and a buffer of at least 0 m",
            found=f"{block:g} m and {buffer:g} m",
            cure="Take blocks several times as large as a patch.",
        )
    prints = footprints(index)
    groups = [_block_of(p.require_ground(s.name), block) for s, p in zip(index, prints, strict=True)]
    sides: list[Split | None] = list(_shares(groups, prints, _checked(fractions), seed, "blocks"))
    _keep_apart(sides, prints, buffer)
    result = index.with_splits(sides)
    for side in fractions:
        result.of_split(side)
    return result


def _checked(fractions: Mapping[Split, float]) -> dict[Split, float]:
    wrong = [side for side in fractions if side not in SPLITS]
    if wrong or not fractions or min(fractions.values()) <= 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        raise InvalidSetting(
            "the fractions of a split must be above 0 and add up to 1",
            found=", ".join(f"{side} {share:g}" for side, share in fractions.items()) or "none",
            expected=f"sides among {', '.join(SPLITS)}",
            cure="For example train 0.7, val 0.15, test 0.15.",
        )
    return {side: fractions[side] for side in SPLITS if side in fractions}


def _block_of(ground: shapely.Geometry, side: float) -> str:
    """The name of a square block in rows of equal latitude (a sinusoidal grid)."""
    centre = ground.centroid
    row = math.floor(centre.y * METRES_PER_DEGREE / side)
    middle = (row + 0.5) * side / METRES_PER_DEGREE
    width = max(math.cos(math.radians(middle)), 1e-6) * METRES_PER_DEGREE
    return f"{row},{math.floor(centre.x * width / side)}"


def _shares(
    groups: Sequence[str],
    prints: Sequence[Footprint],
    fractions: Mapping[Split, float],
    seed: int,
    kind: str,
) -> list[Split]:
    """The side of each sample: groups stay whole, areas come near to the fractions."""
    areas: dict[str, float] = defaultdict(float)
    for group, footprint in zip(groups, prints, strict=True):
        areas[group] += footprint.area
    names = sorted(areas)
    if len(names) < len(fractions):
        raise EmptySplit(
            f"{len(names)} {kind} cannot fill {len(fractions)} sides",
            found="; ".join(names),
            cure="Take smaller blocks, or ask for fewer sides."
            if kind == "blocks"
            else "Name more domains in the column 'domain', fill the column 'split', or split by block of ground.",
        )
    sizes = np.array([areas[name] for name in names])
    sides = list(fractions)
    chosen = _best_assignment(sizes / sizes.sum(), np.array(list(fractions.values())), seed)
    side_of = {name: sides[number] for name, number in zip(names, chosen, strict=True)}
    return [side_of[group] for group in groups]


def _best_assignment(sizes: NDArray[np.float64], targets: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """The side of each group: the best of several random orders, each filled greedily."""
    rng = np.random.default_rng(seed)
    best, least = np.zeros(len(sizes), np.int64), math.inf
    for _ in range(min(_ATTEMPTS, max(1, _STEPS // len(sizes)))):
        chosen, filled = np.empty(len(sizes), np.int64), np.zeros(len(targets))
        for group in rng.permutation(len(sizes)):
            # The side that lacks the largest share of what it should get; so each side gets a group.
            side = int(np.argmax(1 - filled / targets))
            chosen[group] = side
            filled[side] += sizes[group]
        error = float(np.abs(filled - targets).max())
        if error < least:
            best, least = chosen, error
    return best


def _keep_apart(sides: list[Split | None], prints: Sequence[Footprint], buffer: float) -> None:
    """Takes samples off their side, in place, that touch the ground of a stricter side or come too near to it."""
    grounds = np.array([footprint.ground for footprint in prints], object)
    for strict, yielding in (("test", {"train", "val"}), ("val", {"train"})):
        guarded = np.flatnonzero([side == strict for side in sides])
        if not guarded.size:
            continue
        tree = shapely.STRtree(grounds[guarded])
        for number, side in enumerate(sides):
            if side in yielding and _too_near(grounds[number], tree, buffer):
                sides[number] = None


def _too_near(ground: shapely.Geometry, tree: shapely.STRtree, buffer: float) -> bool:
    """Whether any outline of the tree overlaps `ground` or lies within `buffer` metres of it."""
    lat = ground.centroid.y
    shrink = max(math.cos(math.radians(lat)), 1e-6)
    reach = buffer / METRES_PER_DEGREE
    left, bottom, right, top = ground.bounds
    # Degrees of longitude are shorter towards the pole; 2 % more covers the change within the box.
    wide = 1.02 * reach / shrink
    near = tree.query(shapely.box(left - wide, bottom - reach, right + wide, top + reach))
    if not near.size:
        return False
    here = _in_metres(ground, shrink)
    for other in tree.geometries[near]:
        there = _in_metres(other, shrink)
        if buffer > 0 and shapely.distance(here, there) < buffer:
            return True
        if shares_ground(here, there):
            return True
    return False


def _in_metres(ground: shapely.Geometry, shrink: float) -> shapely.Geometry:
    """A local map on which lengths are metres, to a few parts in a thousand."""
    return shapely.transform(ground, lambda points: points * METRES_PER_DEGREE * np.array([shrink, 1.0]))


def shares_ground(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    """Whether two outlines overlap by more than the rounding of their edges: 1/10 000 of the smaller one."""
    least = min(one.area, other.area)
    return bool(shapely.intersection(one, other).area > 1e-4 * least)
