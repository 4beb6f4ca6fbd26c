"""Open country: crops, meadows, vineyards, woods, hedges and lanes."""

from __future__ import annotations

import math

import numpy as np

from arpent.testing.compiled import compiled
from arpent.testing.layout import Parcel, Place, World, crown, parcel
from arpent.testing.materials import number
from arpent.testing.noise import hashed, high, low, swell
from arpent.testing.village import NOTHING, Spot, variant

__all__ = ["country", "wood"]

_CEREAL, _RAPESEED, _MAIZE, _SUNFLOWER = number("cereal"), number("rapeseed"), number("maize"), number("sunflower")
_PLOUGH, _MEADOW, _GRAVEL, _EARTH = number("plough"), number("meadow"), number("gravel"), number("earth")
_VINE, _VINE_SOIL, _VINE_GRASS = number("vine"), number("vine soil"), number("vine grass")
_CONIFER, _BROADLEAF, _ASPHALT = number("conifer"), number("broadleaf"), number("asphalt")


@compiled
def _grain(world: World, u: float, v: float, size: float, salt: int) -> float:
    """Fine texture in −1 … 1 that coarse sensors do not see."""
    return swell(world.seed, u / size, v / size, salt) if world.fine else 0.0


@compiled
def _needles(world: World, at: Place, key: np.uint64, planted: bool) -> Spot:
    """A point in a stand of conifers."""
    tree = crown(world, at.u, at.v, 3.9 if planted else 4.8, 0.97, 201)
    if tree.depth < 1.0:
        light = tree.light * (0.92 + 0.16 * high(tree.key))
        return Spot(_CONIFER, variant(key), light, 13.0 + 3.0 * low(tree.key) - 6.0 * tree.depth)
    return Spot(_CONIFER, variant(key), 0.62, 6.0)


@compiled
def _leaves(world: World, at: Place, key: np.uint64) -> Spot:
    """A point in a stand of broad-leaved trees."""
    tree = crown(world, at.u, at.v, 7.6, 0.95, 203)
    if tree.depth < 1.15:
        light = tree.light * (0.90 + 0.20 * high(tree.key))
        shade = variant(tree.key) if low(key) < 0.6 else variant(key)
        return Spot(_BROADLEAF, shade, light, 12.0 + 4.0 * low(tree.key) - 6.0 * tree.depth)
    return Spot(_BROADLEAF, variant(key), 0.66, 5.0)


@compiled
def wood(world: World, at: Place) -> Spot:
    """Natural woods with winding edges; nothing outside them."""
    seed = world.seed
    cover = swell(seed, at.p / 430.0, at.q / 430.0, 205) + 0.45 * swell(seed, at.p / 140.0, at.q / 140.0, 206)
    threshold = 0.98 - 0.85 * world.family.woods
    if cover < threshold - 0.2:
        return Spot(NOTHING, 0, 1.0, 0.0)
    cover += 0.10 * swell(seed, at.p / 24.0, at.q / 24.0, 207) + 0.05 * swell(seed, at.p / 7.0, at.q / 7.0, 208)
    if cover < threshold:
        return Spot(NOTHING, 0, 1.0, 0.0)
    kind = swell(seed, at.p / 260.0, at.q / 260.0, 209) + 0.25 * swell(seed, at.p / 22.0, at.q / 22.0, 210)
    key = hashed(seed, math.floor(at.p / 260.0), math.floor(at.q / 260.0), 211)
    if kind > 0.9 - 1.8 * world.family.conifers:
        return _needles(world, at, key, False)
    return _leaves(world, at, key)


@compiled
def _tree_row(world: World, at: Place, key: np.uint64) -> Spot:
    """A hedge or a row of riverside trees; nothing in its gaps."""
    tree = crown(world, at.u, at.v, 5.2, 0.88, 212)
    if tree.depth < 1.0:
        return Spot(_BROADLEAF, variant(tree.key), tree.light, 3.5 + 4.0 * low(tree.key) - 2.0 * tree.depth)
    return Spot(NOTHING, variant(key), 1.0, 0.0)


@compiled
def _crop(world: World, at: Place, field: Parcel) -> Spot:
    """Wheat, rapeseed, maize or sunflowers, with the tramlines of the tractor every 24 m."""
    choice = low(hashed(field.key, 1, 0, 213))
    material = _CEREAL if choice < 0.45 else _MAIZE
    if choice > 0.88:
        material = _SUNFLOWER
    elif choice > 0.72:
        material = _RAPESEED
    light = 1.0 + 0.09 * swell(world.seed, at.p / 38.0, at.q / 38.0, 214)
    light += 0.05 * swell(world.seed, at.p / 9.0, at.q / 9.0, 215)
    if world.fine:
        track = field.across - 24.0 * math.floor(field.across / 24.0) - 12.0
        if abs(abs(track) - 0.95) < 0.28:
            light *= 1.22
        light += 0.05 * math.sin(4.19 * field.across) + 0.04 * _grain(world, at.u, at.v, 0.8, 216)
    return Spot(material, variant(field.key), light, 0.0)


@compiled
def _ploughed(world: World, at: Place, field: Parcel) -> Spot:
    """Bare earth in furrows, darker where it is damp."""
    light = 1.0 + 0.16 * swell(world.seed, at.p / 45.0, at.q / 45.0, 217)
    light += 0.07 * swell(world.seed, at.p / 8.0, at.q / 8.0, 218)
    if world.fine:
        furrow = math.sin(2.9 * field.across + 0.5 * swell(world.seed, field.along / 20.0, field.across / 20.0, 219))
        light += 0.10 * furrow + 0.06 * _grain(world, at.u, at.v, 0.6, 220)
    return Spot(_PLOUGH, variant(field.key), light, 0.0)


@compiled
def _meadow(world: World, at: Place, key: np.uint64) -> Spot:
    """Grass, with a tree here and there."""
    tree = crown(world, at.u, at.v, 11.0, 0.035 + 0.10 * world.family.hedges, 221)
    if tree.depth < 0.8:
        return Spot(_BROADLEAF, variant(tree.key), tree.light, 8.0 - 4.0 * tree.depth)
    light = 1.0 + 0.11 * swell(world.seed, at.p / 26.0, at.q / 26.0, 222)
    light += 0.06 * swell(world.seed, at.p / 7.0, at.q / 7.0, 223) + 0.07 * _grain(world, at.u, at.v, 1.1, 224)
    return Spot(_MEADOW, variant(key), light, 0.0)


@compiled
def _vineyard(world: World, at: Place, field: Parcel) -> Spot:
    """Rows of vines, 2.2 m apart, over bare or grassed ground."""
    between = _VINE_SOIL if low(hashed(field.key, 2, 0, 225)) < 0.6 else _VINE_GRASS
    shade = variant(field.key)
    if not world.fine:  # points metres apart would beat against the rows
        bits = hashed(field.key, math.floor(at.u * 8.0), math.floor(at.v * 8.0), 226)
        return Spot(_VINE if high(bits) < 0.42 else between, shade, 1.0, 0.0)
    row = math.floor(field.across / 2.2)
    away = abs(field.across - (row + 0.5) * 2.2)
    plant = hashed(field.key, int(row), math.floor(field.along / 1.1), 227)
    if away < 0.44 + 0.08 * high(plant) and low(plant) < 0.975:
        return Spot(_VINE, shade, 1.0 + 0.14 * _grain(world, at.u, at.v, 0.4, 228), 1.5)
    return Spot(between, shade, 1.0 + 0.07 * _grain(world, at.u, at.v, 1.4, 229), 0.0)


@compiled
def _bare(world: World, at: Place, key: np.uint64) -> Spot:
    """A quarry or building land."""
    light = 1.0 + 0.18 * swell(world.seed, at.p / 17.0, at.q / 17.0, 230)
    light += 0.10 * swell(world.seed, at.p / 4.0, at.q / 4.0, 231) + 0.06 * _grain(world, at.u, at.v, 0.7, 232)
    return Spot(_GRAVEL if high(hashed(key, 3, 0, 213)) < 0.4 else _EARTH, variant(key), light, 0.0)


@compiled
def _margin(world: World, at: Place, field: Parcel) -> Spot:
    """What stands or runs along the edge of a block: a hedge, a lane, a country road; nothing beyond its width."""
    use, gap = high(field.edge), field.to_edge
    lanes, hedges = world.family.lanes, world.family.hedges
    if use < lanes:
        paved = use < 0.3 * lanes
        if gap < (2.0 if paved else 1.4):
            light = 1.0 + 0.08 * swell(world.seed, at.u / 4.0, at.v / 4.0, 233)
            return Spot(_ASPHALT if paved else _EARTH, variant(field.edge), light, 0.0)
        if gap < 2.8:
            return Spot(_MEADOW, variant(field.edge), 0.95, 0.0)
        gap -= 2.8
    if low(field.edge) < hedges and gap < 2.4:
        return _tree_row(world, at, field.edge)
    # Parcels inside a block are parted by younger, thinner hedges, or by a strip of grass.
    side = hashed(field.key, 4, 0, 213)
    if field.to_side < 1.5 and high(side) < 0.7 * hedges:
        return _tree_row(world, at, side)
    if min(field.to_side, gap) < 0.7:
        return Spot(_MEADOW, variant(side), 0.92, 0.0)
    return Spot(NOTHING, 0, 1.0, 0.0)


@compiled
def country(world: World, at: Place) -> Spot:
    """A point of farmland."""
    field = parcel(world, at.p, at.q)
    margin = _margin(world, at, field)
    if margin.material != NOTHING:
        return margin
    f = world.family
    # Half of the parcels follow their block: whole hillsides are vineyards, whole hollows are meadows.
    use = hashed(field.key, 5, 0, 213)
    share = low(hashed(field.block, 6, 0, 213)) if high(use) < 0.5 else low(use)
    share *= f.crops + f.plowed + f.meadows + f.vineyards + f.plantations + f.groves + f.bare
    share -= f.crops
    if share < 0.0:
        return _crop(world, at, field)
    share -= f.plowed
    if share < 0.0:
        return _ploughed(world, at, field)
    share -= f.meadows
    if share < 0.0:
        return _meadow(world, at, field.key)
    share -= f.vineyards
    if share < 0.0:
        return _vineyard(world, at, field)
    share -= f.plantations
    if share < 0.0:
        return _needles(world, at, field.key, True)
    share -= f.groves
    if share < 0.0:
        return _leaves(world, at, field.key)
    return _bare(world, at, field.key)
