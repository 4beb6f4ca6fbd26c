"""One point of the landscape, seen from above: the function that everything else samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from arpent.testing.compiled import compiled
from arpent.testing.events import EventKind, after_event, event_at, flood_level
from arpent.testing.fields import country, wood
from arpent.testing.layout import Place, World, crown, place, pond, river
from arpent.testing.materials import number
from arpent.testing.noise import low, ripple, swell
from arpent.testing.terrain import BED, ground_height
from arpent.testing.village import NOTHING, Spot, farm, variant, village

__all__ = ["WATER_VARIANT", "Look", "Wet", "look", "wet_at", "wet_material"]

_ASPHALT, _MEADOW, _BROADLEAF = number("asphalt"), number("meadow"), number("broadleaf")
_RIVER, _POND, _FLOOD, _MUD = number("river"), number("pond"), number("flood water"), number("mud")
_GRAVEL, _SWOLLEN = number("gravel"), number("swollen river")
_FLOODED = int(EventKind.FLOOD)
WATER_VARIANT = 4
"""Of rivers and floods: they have one shade."""

_SWELLS = 0.6  # metres from which on a river is a swollen one
_SHORE = 20.0  # metres by which the shore of a river moves for each metre of water level


class Look(NamedTuple):
    """What is seen at a point, and which event made it so."""

    spot: Spot
    event: int
    """Number of an `EventKind`."""


@compiled
def _road(world: World, at: Place) -> Spot:
    """A main road with its markings and verges; nothing beside it."""
    gap = min(abs(at.a), abs(at.b))
    if gap < 3.1:
        along = at.q if abs(at.a) < abs(at.b) else at.p
        light = 1.0 + 0.05 * swell(world.seed, at.u / 5.0, at.v / 5.0, 401)
        if world.fine and gap < 0.11 and along - 13.0 * math.floor(along / 13.0) < 3.0:
            light = 3.6
        return Spot(_ASPHALT, 5, light, 0.0)
    if gap < 4.8:
        tree = crown(world, at.u, at.v, 9.5, 0.35, 402)
        if tree.depth < 0.6:
            return Spot(_BROADLEAF, variant(tree.key), tree.light, 8.0 - 3.0 * tree.depth)
        return Spot(_MEADOW, 7, 0.95, 0.0)
    return Spot(NOTHING, 0, 1.0, 0.0)


@compiled
def _ripples(world: World, at: Place) -> float:
    """Brightness of the water."""
    return 1.0 + 0.06 * swell(world.seed, at.p / 30.0, at.q / 9.0, 405)


class Wet(NamedTuple):
    """When a point in a flood plain is under water, and how bright the water is."""

    height: float
    """Metres of water level above which it is; a bridge never."""
    light: float


@compiled
def _wet(world: World, at: Place, road: Spot) -> Wet:
    """What water does to a point, given the road that may be there."""
    height = ground_height(world, at)
    if height < BED and road.material != NOTHING:
        height = 1e9
    # As arrays of heights keep it, so that it does not matter who compares it with the level.
    return Wet(float(np.float32(height)), _ripples(world, at))


@compiled
def wet_at(world: World, u: float, v: float) -> Wet:
    """What water does to the point `u` metres east and `v` metres north of the origin."""
    at = place(world, u, v)
    return _wet(world, at, _road(world, at))


@compiled
def wet_material(height: float, level: float) -> int:
    """Which water covers ground of that height: the river, what never dries up, or a flood."""
    if height < BED:
        return _SWOLLEN if level > _SWELLS else _RIVER
    return _POND if height < 0.0 else _FLOOD


@compiled
def _water(world: World, at: Place, level: float) -> Spot:
    """The river with its banks, and ponds; nothing on dry land."""
    away = river(world, at.p, at.q)
    if away < 200.0:
        usual = world.family.river * (1.0 + 0.30 * ripple(world.seed, at.p / 210.0, 403))
        reach = usual + level * _SHORE * (1.0 + 0.45 * swell(world.seed, at.p / 70.0, at.q / 70.0, 404))
        if away < reach:
            light = _ripples(world, at)
            if away >= usual:
                return Spot(_FLOOD, WATER_VARIANT, light, 0.0)
            return Spot(_SWOLLEN if level > _SWELLS else _RIVER, WATER_VARIANT, light, 0.0)
        if away < usual:
            return Spot(_MUD, 3, 1.0 + 0.1 * swell(world.seed, at.p / 5.0, at.q / 5.0, 406), 0.0)
        bank = away - usual
        if bank < 14.0:
            sand = swell(world.seed, at.p / 75.0, at.q / 75.0, 407)
            if sand > 0.45 and bank < 26.0 * (sand - 0.45):
                return Spot(_GRAVEL, 9, 1.0 + 0.08 * swell(world.seed, at.p / 3.0, at.q / 3.0, 408), 0.0)
            strip = 5.0 + 9.0 * swell(world.seed, at.p / 95.0, at.q / 95.0, 409)
            if bank < strip:
                tree = crown(world, at.u, at.v, 6.2, 0.9, 410)
                if tree.depth < 1.0:
                    tall = 7.0 + 4.0 * low(tree.key) - 3.5 * tree.depth
                    return Spot(_BROADLEAF, variant(tree.key), tree.light, tall)
                return Spot(_MEADOW, 2, 0.85, 0.0)
    depth = pond(world, at.p, at.q, level)
    if depth > 0.0:
        usual = pond(world, at.p, at.q, 0.0) if level > 0.0 else depth
        return Spot(_POND if usual > 0.0 else _FLOOD, variant(world.seed >> np.uint64(7)), 1.0, 0.0)
    if level < 0.0 and pond(world, at.p, at.q, 0.0) > 0.0:
        return Spot(_MUD, 5, 1.0, 0.0)
    return Spot(NOTHING, 0, 1.0, 0.0)


@compiled
def _lasting(world: World, at: Place, level: float) -> Spot:
    """The point before any event but high or low water."""
    spot = _road(world, at)
    if world.plain > 0.0:
        found = _wet(world, at, spot)
        if found.height < level:
            return Spot(wet_material(found.height, level), WATER_VARIANT, found.light, 0.0)
        if found.height < BED:  # the bed lies dry
            return Spot(_MUD, 3, 1.0, 0.0)
        level = 0.0
    if spot.material != NOTHING and level < 0.8:  # a real flood drowns the roads
        return spot
    water = _water(world, at, level)
    if water.material != NOTHING and (spot.material == NOTHING or water.material == _FLOOD):
        return water
    if spot.material != NOTHING:
        return spot
    spot = village(world, at)
    if spot.material != NOTHING:
        return spot
    spot = farm(world, at)
    if spot.material != NOTHING:
        return spot
    spot = wood(world, at)
    if spot.material != NOTHING:
        return spot
    return country(world, at)


@compiled
def look(world: World, u: float, v: float) -> Look:
    """What is seen at `u` metres east and `v` metres north of the origin."""
    at = place(world, u, v)
    event = event_at(world, at)
    level = world.level + flood_level(event)
    spot = _lasting(world, at, level)
    if spot.material == _FLOOD:
        return Look(spot, _FLOODED)
    outcome = after_event(world, at, spot, event)
    return Look(outcome.spot, outcome.kind)
