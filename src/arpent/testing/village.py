"""Villages and farms: streets, plots, houses, gardens and pools."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from arpent.testing.compiled import compiled
from arpent.testing.layout import Place, World, crown
from arpent.testing.materials import number
from arpent.testing.noise import hashed, high, low, swell

__all__ = ["NOTHING", "Spot", "built", "farm", "roof", "variant", "village"]

NOTHING = -1
"""The material of a spot about which a function has nothing to say."""

_ASPHALT, _CONCRETE, _GRAVEL, _EARTH = number("asphalt"), number("concrete"), number("gravel"), number("earth")
_TILES, _SLATE, _SHEET, _FLAT = number("tiles"), number("slate"), number("sheet"), number("flat roof")
_POOL, _LAWN, _BROADLEAF = number("pool"), number("lawn"), number("broadleaf")

_BLOCK_A, _BLOCK_B = 70.0, 56.0  # metres between parallel streets


class Spot(NamedTuple):
    """What is seen at one point from above."""

    material: int
    variant: int
    texture: float
    """Factor on the reflectance."""
    height: float
    """Metres above the ground."""


@compiled
def variant(bits: np.uint64) -> int:
    """One of the sixteen shades of a material."""
    return int(16.0 * low(bits))


@compiled
def roof(world: World, x: float, y: float, half: float, key: np.uint64) -> Spot:
    """A gabled roof at (`x` along the ridge, `y` across it), `half` as wide as its house is deep, metres."""
    kind = high(hashed(key, 1, 0, 71))
    material = _TILES
    if kind < world.family.slate:
        material = _SLATE
    elif kind > 0.93:
        material = _SHEET
    elif kind > 0.86:
        material = _FLAT
    # The ridge follows the frame of the landscape: p is (cos, sin), q is (−sin, cos).
    facing = world.sun_north * world.cos - world.sun_east * world.sin
    tilt = 0.0 if material == _FLAT else 0.26
    light = 1.0 + tilt * facing * (1.0 if y > 0.0 else -1.0)
    if abs(y) < 0.25 and material != _FLAT:
        light *= 1.12
    if world.fine:
        light *= 1.0 + 0.05 * math.sin(6.2832 * x / 0.9) + 0.05 * swell(world.seed, x / 1.5, y / 1.5, 72)
    rise = 0.0 if material == _FLAT else 0.45 * (half - abs(y))
    return Spot(material, variant(hashed(key, 2, 0, 71)), light, 3.0 + 3.0 * low(key) + rise)


@compiled
def _garden(world: World, at: Place, s: float, t: float, key: np.uint64) -> Spot:
    """The green part of a plot, `s` metres beside its middle and `t` behind the street."""
    tree = crown(world, at.u, at.v, 8.5, 0.30, 73)
    if tree.depth < 1.0:
        return Spot(_BROADLEAF, variant(tree.key), tree.light, 6.5 * (1.0 - 0.5 * tree.depth))
    corner = 7.0 * (high(hashed(key, 3, 0, 71)) - 0.5)
    if low(hashed(key, 3, 0, 71)) < 0.30 and abs(s - corner) < 3.0 and abs(t - 21.0) < 2.2:
        return Spot(_EARTH, variant(key), 1.0 + 0.2 * math.sin(9.0 * s), 0.0)
    light = 1.0
    if world.fine:
        light += 0.10 * swell(world.seed, at.u / 3.0, at.v / 3.0, 74) + 0.06 * swell(world.seed, at.u, at.v, 75)
    return Spot(_LAWN, variant(key), light, 0.0)


@compiled
def _house_plot(world: World, at: Place, s: float, t: float, key: np.uint64, width: float, middle: float) -> Spot:
    """A plot with a house: `s` metres beside its middle, `t` behind the street, `middle` from the village centre."""
    one, two, three = hashed(key, 4, 0, 71), hashed(key, 5, 0, 71), hashed(key, 6, 0, 71)
    half_width = min(4.6 + 2.6 * high(one), 0.5 * width - 1.5)
    half_depth = 3.5 + 1.4 * low(one)
    setback = 3.0 + 4.5 * high(two)
    turn = 0.14 * (low(two) - 0.5)
    if middle < 75.0 and high(three) < 0.8:  # old houses stand wall to wall, on the street
        half_width, setback, turn = 0.5 * width, 0.6, 0.0
    centre = setback + half_depth
    side = 1.0 if low(three) < 0.5 else -1.0
    x, y = s + turn * (t - centre), (t - centre) - turn * s
    if abs(x) < half_width and abs(y) < half_depth:
        return roof(world, x, y, half_depth, key)
    wing = hashed(key, 7, 0, 71)
    if high(wing) < 0.35 and abs(s - side * (half_width - 2.4)) < 2.4 and 0.0 < y < half_depth + 4.0:
        return roof(world, y, s - side * (half_width - 2.4), 2.4, key)
    pool = hashed(key, 8, 0, 71)
    if high(pool) < world.family.pools:
        px, py = abs(s - (low(pool) - 0.5) * (width - 11.0)), abs(t - 20.6)
        round_one = high(hashed(key, 9, 0, 71)) < 0.3
        inside = math.sqrt((px / 4.1) ** 2 + (py / 2.2) ** 2) - 1.0 if round_one else max(px / 4.0, py / 2.0) - 1.0
        if inside < 0.0:
            return Spot(_POOL, variant(pool), 1.0, 0.0)
        if inside < 0.45:
            return Spot(_CONCRETE, variant(pool), 1.0, 0.0)
    if abs(s + side * (0.5 * width - 2.0)) < 1.5 and t < centre + 2.0:
        return Spot(_GRAVEL if high(wing) > 0.7 else _CONCRETE, variant(wing), 1.0, 0.0)
    if abs(x) < 0.8 * half_width and half_depth <= y < half_depth + 2.6:
        return Spot(_CONCRETE, variant(two), 1.0, 0.0)
    return _garden(world, at, s, t, key)


@compiled
def built(world: World, at: Place, a: float, b: float, key: np.uint64, reach: float) -> Spot:
    """A settlement with its centre at `a` = `b` = 0 that reaches about `reach` metres; nothing outside it.

    Streets run along every multiple of a block in `a` and `b`. Blocks hold two rows of plots, back to back.
    """
    middle = math.sqrt(a * a + b * b)
    if middle > reach + 70.0:
        return Spot(NOTHING, 0, 1.0, 0.0)
    i, j = math.floor(a / _BLOCK_A), math.floor(b / _BLOCK_B)
    in_a, in_b = a - i * _BLOCK_A, b - j * _BLOCK_B
    line_a, line_b = round(a / _BLOCK_A), round(b / _BLOCK_B)
    kept_a = high(hashed(key, line_a, j, 76)) < 0.82
    kept_b = high(hashed(key, i, line_b, 77)) < 0.82
    on_a = kept_a and abs(a - line_a * _BLOCK_A) < 2.6
    on_b = kept_b and abs(b - line_b * _BLOCK_B) < 2.6
    if (on_a or on_b) and middle < reach:
        light = 1.0 + 0.06 * swell(world.seed, at.u / 6.0, at.v / 6.0, 78) if world.fine else 1.0
        return Spot(_ASPHALT, variant(hashed(key, line_a, line_b, 79)), light, 0.0)
    plots = 3 + int(high(hashed(key, i, j, 80)) * 2.0)
    width = _BLOCK_A / plots
    n, far = int(in_a / width), in_b > 0.5 * _BLOCK_B
    bits = hashed(key, i * 8 + n, 2 * j + int(far), 81)
    plot_a, plot_b = i * _BLOCK_A + (n + 0.5) * width, (j + (0.75 if far else 0.25)) * _BLOCK_B
    centre = math.sqrt(plot_a * plot_a + plot_b * plot_b)
    if centre + 60.0 * (high(bits) - 0.5) > reach:
        return Spot(NOTHING, 0, 1.0, 0.0)
    s, t = a - plot_a, (_BLOCK_B - in_b if far else in_b) - 2.6
    if reach > 120.0 and i == 0 and j == 0:
        return _square(world, at, in_a - 0.5 * _BLOCK_A, in_b - 0.5 * _BLOCK_B, key)
    use = low(bits)
    if use < world.family.houses:
        return _house_plot(world, at, s, t, bits, width, centre)
    if use > 0.955:
        return Spot(_ASPHALT if use > 0.97 else _EARTH, variant(bits), 1.0, 0.0)
    return _garden(world, at, s, t, bits)


@compiled
def _square(world: World, at: Place, x: float, y: float, key: np.uint64) -> Spot:
    """The village square: a church, plane trees, paving."""
    if abs(x) < 15.0 and abs(y) < 5.5:
        nave = roof(world, x, y, 5.5, key)
        return Spot(_SLATE, 3, nave.texture, nave.height + 4.0)
    if abs(x + 17.5) < 3.0 and abs(y) < 3.0:
        return Spot(_SLATE, 5, 0.85, 15.0)
    if abs(x) < 3.2 and abs(y) < 10.5:
        nave = roof(world, y, x, 3.2, key)
        return Spot(_SLATE, 3, nave.texture, nave.height + 2.0)
    if abs(y) > 14.0 and abs(y) < 22.0:
        tree = crown(world, at.u, at.v, 8.0, 0.85, 82)
        if tree.depth < 1.0:
            return Spot(_BROADLEAF, 4, tree.light, 9.0 * (1.0 - 0.5 * tree.depth))
    return Spot(_CONCRETE, 6, 1.0 + 0.04 * math.sin(2.1 * x) * math.sin(2.1 * y), 0.0)


@compiled
def village(world: World, at: Place) -> Spot:
    """The village at the nearest crossroads; nothing outside it."""
    bits = hashed(world.seed, at.m, at.k, 83)
    reach = 85.0 + 140.0 * high(bits)
    if at.m == 0 and at.k == 0:
        reach = 190.0  # the scene around the origin has a real village
    return built(world, at, at.a, at.b, bits, reach)


@compiled
def farm(world: World, at: Place) -> Spot:
    """A lone farm: a yard with barns; nothing outside it."""
    pitch = 520.0
    i, j = math.floor(at.p / pitch), math.floor(at.q / pitch)
    bits, more = hashed(world.seed, i, j, 84), hashed(world.seed, i, j, 85)
    x0, y0 = (i + 0.25 + 0.5 * high(bits)) * pitch, (j + 0.25 + 0.5 * low(bits)) * pitch
    x, y = at.p - x0, at.q - y0
    if high(more) > 0.6 or abs(x) > 60.0 or abs(y) > 60.0:
        return Spot(NOTHING, 0, 1.0, 0.0)
    angle = 1.2 * (low(more) - 0.5)
    c, s = math.cos(angle), math.sin(angle)
    x, y = c * x + s * y, c * y - s * x
    long = 13.0 + 9.0 * high(hashed(more, 0, 0, 86))
    if abs(x) < long and abs(y - 12.0) < 6.5:
        return _barn(world, x, y - 12.0, 6.5, more)
    if abs(x + 14.0) < 6.0 and abs(y + 8.0) < 10.0 and low(hashed(more, 0, 0, 86)) < 0.7:
        return _barn(world, y + 8.0, x + 14.0, 6.0, bits)
    if abs(x - 12.0) < 6.0 and abs(y + 12.0) < 4.2:
        return roof(world, x - 12.0, y + 12.0, 4.2, more)
    if max(abs(x) / (long + 7.0), abs(y) / 22.0) < 1.0 + 0.12 * swell(world.seed, at.p / 6.0, at.q / 6.0, 87):
        light = 1.0 + 0.10 * swell(world.seed, at.p / 5.0, at.q / 5.0, 88)
        return Spot(_CONCRETE if high(hashed(bits, 0, 0, 86)) < 0.6 else _EARTH, variant(more), light, 0.0)
    return Spot(NOTHING, 0, 1.0, 0.0)


@compiled
def _barn(world: World, x: float, y: float, half: float, key: np.uint64) -> Spot:
    """A large shed of sheet metal."""
    facing = world.sun_north * world.cos - world.sun_east * world.sin
    light = (1.0 + 0.14 * facing * (1.0 if y > 0.0 else -1.0)) * (1.0 + 0.04 * math.sin(1.6 * x))
    return Spot(_SHEET, variant(key), light, 6.0 + 0.25 * (half - abs(y)))
