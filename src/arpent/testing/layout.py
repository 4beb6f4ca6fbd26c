"""The skeleton of a landscape: its frame, roads, river, ponds and mosaic of parcels, as functions of a point.

Nothing is stored. Each question ("how far is the river?") is answered from the few lattice cells around the point, so
a landscape has no edge and costs no memory. Lengths are metres; `u` grows to the east, `v` to the north.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from arpent.testing.compiled import compiled
from arpent.testing.families import Family
from arpent.testing.noise import hashed, high, low, ripple, swell

__all__ = ["Crown", "Parcel", "Place", "World", "crown", "parcel", "place", "pond", "river", "river_line"]


class World(NamedTuple):
    """All that the compiled functions need to know."""

    seed: np.uint64
    cos: float
    """Of the angle by which the landscape is turned against the north."""
    sin: float
    family: Family
    sun_east: float
    """Towards the sun, a unit vector in the plane."""
    sun_north: float
    day: float
    """Days since 1970-01-01; what has happened by then has left its mark."""
    first_day: float
    """Events happen between this day …"""
    last_day: float
    """… and this one."""
    level: float
    """Water level in metres above normal."""
    plain: float
    """Metres from the bank to the edge of the flood plain; 0 where banks are steep."""
    fine: bool
    """Whether single tiles, rows and leaves can be seen."""


class Place(NamedTuple):
    """A point in the turned frame of the landscape."""

    u: float
    v: float
    p: float
    q: float
    a: float
    """Signed distance to the nearest road across `p`."""
    b: float
    """Signed distance to the nearest road across `q`."""
    m: int
    """Number of the road across `p`."""
    k: int
    """Number of the road across `q`."""


@compiled
def place(world: World, u: float, v: float) -> Place:
    """Where the point lies with regard to the main roads."""
    spacing = world.family.villages
    # The origin is put between a village and the river, so that small scenes around it show both.
    p = world.cos * u + world.sin * v - 0.06 * spacing
    q = world.cos * v - world.sin * u + 0.18 * spacing
    m, k = round(p / spacing), round(q / spacing)
    a = p - m * spacing - 58.0 * ripple(world.seed, q / 610.0, 101 + m) - 13.0 * ripple(world.seed, q / 150.0, 5101 + m)
    b = (
        q
        - k * spacing
        - 58.0 * ripple(world.seed, p / 590.0, 10101 + k)
        - 13.0 * ripple(world.seed, p / 140.0, 15101 + k)
    )
    return Place(u, v, p, q, a, b, m, k)


@compiled
def river_line(world: World, k: int, p: float) -> float:
    """Where river `k` flows: its `q` at a `p`. Rivers have even numbers."""
    seed = world.seed
    bends = 74.0 * ripple(seed, p / 430.0, 20101 + k) + 30.0 * ripple(seed, p / 150.0, 25101 + k)
    return (k + 0.39) * world.family.villages + bends + 6.0 * ripple(seed, p / 47.0, 30101 + k)


@compiled
def river(world: World, p: float, q: float) -> float:
    """Metres from the middle of the nearest river; 1e9 where none is near."""
    k = 2 * math.floor(q / (2.0 * world.family.villages))
    away = q - (k + 0.39) * world.family.villages
    if abs(away) > 330.0:
        return 1e9
    line = river_line(world, k, p)
    slope = (river_line(world, k, p + 4.0) - line) / 4.0
    return abs(q - line) / math.sqrt(1.0 + slope * slope)


@compiled
def pond(world: World, p: float, q: float, level: float) -> float:
    """How deep inside a pond: 1 in its middle, 0 at the shore, negative outside."""
    pitch = 640.0
    i, j = math.floor(p / pitch), math.floor(q / pitch)
    bits = hashed(world.seed, i, j, 41)
    if high(bits) > 0.5:
        return -1.0
    shape = hashed(world.seed, i, j, 42)
    x = p - (i + 0.3 + 0.4 * low(bits)) * pitch
    y = q - (j + 0.3 + 0.4 * high(shape)) * pitch
    radius = 16.0 + 32.0 * low(shape) + 5.0 * level
    if x * x + y * y > 4.0 * radius * radius:
        return -1.0
    stretch = 0.65 + 0.5 * low(bits)
    bumps = 0.24 * swell(world.seed, p / 27.0, q / 27.0, 43)
    return 1.0 - math.sqrt((x * stretch) ** 2 + (y / stretch) ** 2) / radius + bumps


class Parcel(NamedTuple):
    """The parcel around a point and how the point lies in it."""

    key: np.uint64
    """Random bits of the parcel."""
    block: np.uint64
    """Random bits of its block."""
    edge: np.uint64
    """Random bits of the nearest block edge, the same from both sides."""
    to_edge: float
    """Metres to the nearest block edge."""
    to_side: float
    """Metres to the nearest side of the parcel inside the block."""
    across: float
    """Metres across the rows of what grows there."""
    along: float
    """Metres along the rows."""
    angle: float
    """Direction of the rows in the turned frame, radians."""


@compiled
def parcel(world: World, p: float, q: float) -> Parcel:
    """Blocks are the cells of a jittered lattice (Voronoi); parcels are rectangles in the block's own direction."""
    seed, family = world.seed, world.family
    x = p + 34.0 * swell(seed, p / 480.0, q / 480.0, 51) + 2.0 * swell(seed, p / 60.0, q / 60.0, 53)
    y = q + 34.0 * swell(seed, p / 480.0, q / 480.0, 52)
    size = family.block
    i0, j0 = math.floor(x / size), math.floor(y / size)
    best = second = 1e18
    x1 = y1 = x2 = y2 = 0.0
    block = other = np.uint64(0)
    for j in range(j0 - 1, j0 + 2):
        for i in range(i0 - 1, i0 + 2):
            bits = hashed(seed, i, j, 54)
            cx, cy = (i + 0.14 + 0.72 * high(bits)) * size, (j + 0.14 + 0.72 * low(bits)) * size
            d = (x - cx) ** 2 + (y - cy) ** 2
            if d < best:
                second, x2, y2, other = best, x1, y1, block
                best, x1, y1, block = d, cx, cy, bits
            elif d < second:
                second, x2, y2, other = d, cx, cy, bits
    gap = math.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2)
    to_edge = 0.5 * (second - best) / max(gap, 1e-6)
    shape = hashed(block, 0, 0, 55)
    # Neighbouring blocks share a direction more often than not: the slope of the land decides.
    angle = 1.1 * swell(seed, x1 / 900.0, y1 / 900.0, 56) + 0.5 * (high(shape) - 0.5)
    c, s = math.cos(angle), math.sin(angle)
    across, along = c * (x - x1) + s * (y - y1), c * (y - y1) - s * (x - x1)
    width = family.strip * (0.6 + 0.9 * low(shape))
    length = width * family.stretch * (0.8 + 0.5 * high(hashed(block, 0, 1, 55)))
    i, j = math.floor(across / width), math.floor(along / length + 0.5 * high(hashed(block, 0, 2, 55)))
    in_width = across - i * width
    in_length = along - (j - 0.5 * high(hashed(block, 0, 2, 55))) * length
    to_side = min(in_width, width - in_width, in_length, length - in_length)
    key = hashed(block, i, j, 57)
    return Parcel(key, block, hashed(block ^ other, 0, 0, 58), to_edge, to_side, across, along, angle)


class Crown(NamedTuple):
    """The tree over a point."""

    depth: float
    """0 over the trunk, 1 at the rim of the crown, above 1 outside every crown."""
    light: float
    """Brightness of the leaves there: the side towards the sun shines."""
    key: np.uint64
    """Random bits of the tree."""


@compiled
def crown(world: World, u: float, v: float, pitch: float, density: float, salt: int) -> Crown:
    """The crown over a point among trees on a jittered lattice, of which a share `density` stands."""
    x, y = u / pitch, v / pitch
    i0, j0 = math.floor(x), math.floor(y)
    best, light, key = 4.0, 1.0, np.uint64(0)
    for j in range(j0 - 1, j0 + 2):
        for i in range(i0 - 1, i0 + 2):
            bits = hashed(world.seed, i, j, salt)
            dx, dy = x - (i + 0.1 + 0.8 * high(bits)), y - (j + 0.1 + 0.8 * low(bits))
            d = dx * dx + dy * dy
            if d > 0.9:
                continue
            more = hashed(bits, 0, 0, 61)
            radius = 0.42 + 0.34 * low(more)
            depth = d / (radius * radius)
            if depth < best and high(more) < density:
                best, key = depth, more
                light = 1.0 + 0.42 * (dx * world.sun_east + dy * world.sun_north) / radius - 0.22 * depth
    if world.fine and best < 1.2:  # leaves and boughs
        light += 0.10 * swell(world.seed, u / 0.55, v / 0.55, 62) + 0.07 * swell(world.seed, u / 1.6, v / 1.6, 63)
    return Crown(best, light, key)
