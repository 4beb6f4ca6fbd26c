"""What happens to the land: fires, clear-cuts, floods and building sites, each on its day and in its place."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from arpent.testing.compiled import compiled
from arpent.testing.layout import Place, World, river
from arpent.testing.materials import CLASS_OF, VEGETATION, number
from arpent.testing.noise import hashed, high, low, swell
from arpent.testing.village import NOTHING, Spot, built, variant

__all__ = ["Event", "EventKind", "after_event", "event_at", "flood_level"]


class EventKind(IntEnum):
    """Values of a change mask."""

    NONE = 0
    FIRE = 1
    CLEAR_CUT = 2
    FLOOD = 3
    CONSTRUCTION = 4


_FIRE, _CLEAR_CUT = int(EventKind.FIRE), int(EventKind.CLEAR_CUT)
_FLOOD, _CONSTRUCTION, _NONE = int(EventKind.FLOOD), int(EventKind.CONSTRUCTION), int(EventKind.NONE)
_BURNT, _BRASH, _EARTH, _SHEET = number("burnt"), number("brash"), number("earth"), number("sheet")
_ASPHALT, _LAWN = number("asphalt"), number("lawn")
_WOODS = (6, 7)  # classes: conifers and broad-leaved trees
_OPEN = (4, 9, 10, 11, 12)  # classes that are built on: bare ground, vines, grass, crops, ploughed land
_PITCH = 640.0  # metres between the places where something may happen
_FLOOD_DAYS = 150.0  # a flood recedes over five months
_FLOOD_PEAK = 4.5  # metres above normal


class Event(NamedTuple):
    """The event that may touch a point."""

    kind: int
    x: float
    """Metres from its middle, in its own direction."""
    y: float
    radius: float
    age: float
    """Days since it happened."""
    key: np.uint64


@compiled
def event_at(world: World, at: Place) -> Event:
    """The event whose place holds the point; of kind NONE where there is none, or not yet."""
    i, j = math.floor(at.p / _PITCH), math.floor(at.q / _PITCH)
    bits, more = hashed(world.seed, i, j, 301), hashed(world.seed, i, j, 302)
    day = world.first_day + high(hashed(bits, 0, 0, 303)) * (world.last_day - world.first_day)
    nothing = Event(_NONE, 0.0, 0.0, 1.0, -1.0, bits)
    if world.day < day or low(more) > 0.85:
        return nothing
    radius = (0.13 + 0.12 * high(more)) * _PITCH
    p0, q0 = (i + 0.40 + 0.20 * high(bits)) * _PITCH, (j + 0.40 + 0.20 * low(bits)) * _PITCH
    x, y = at.p - p0, at.q - q0
    reach = 1.45 * radius
    if abs(x) > reach or abs(y) > reach:
        return nothing
    kind = high(hashed(bits, 1, 0, 303))
    if river(world, p0, q0) < 1.1 * radius:
        return Event(_FLOOD, x, y, 1.4 * radius, world.day - day, bits)
    angle = 6.2832 * low(hashed(bits, 1, 0, 303))
    c, s = math.cos(angle), math.sin(angle)
    x, y = c * x + s * y, c * y - s * x
    if kind < 0.36:
        return Event(_FIRE, x, y, radius, world.day - day, bits)
    if kind < 0.68:
        return Event(_CLEAR_CUT, x, y, radius, world.day - day, bits)
    return Event(_CONSTRUCTION, x, y, 0.8 * radius, world.day - day, bits)


@compiled
def flood_level(event: Event) -> float:
    """Metres that a local flood adds to the water level at the point."""
    if event.kind != _FLOOD:
        return 0.0
    near = 1.0 - (event.x * event.x + event.y * event.y) / (event.radius * event.radius)
    return max(0.0, near) * _FLOOD_PEAK * max(0.0, 1.0 - event.age / _FLOOD_DAYS)


class Outcome(NamedTuple):
    """What a point looks like after an event."""

    spot: Spot
    kind: int
    """NONE where the event left it alone."""


@compiled
def _fire(world: World, at: Place, before: Spot, event: Event) -> Outcome:
    land = CLASS_OF[before.material]
    if land not in VEGETATION:
        return Outcome(before, _NONE)
    ragged = 0.22 * swell(world.seed, at.p / 38.0, at.q / 38.0, 304) + 0.10 * swell(
        world.seed, at.p / 9.0, at.q / 9.0, 305
    )
    if math.sqrt((event.x * 0.8) ** 2 + (event.y * 1.2) ** 2) / event.radius + ragged > 1.0:
        return Outcome(before, _NONE)
    light = 1.0 + 0.25 * swell(world.seed, at.p / 11.0, at.q / 11.0, 306)
    return Outcome(Spot(_BURNT, variant(event.key), light, 0.3 * before.height), _FIRE)


@compiled
def _clear_cut(world: World, at: Place, before: Spot, event: Event) -> Outcome:
    land = CLASS_OF[before.material]
    if land not in _WOODS or abs(event.x) > event.radius or abs(event.y) > 0.7 * event.radius:
        return Outcome(before, _NONE)
    light = 1.0 + 0.12 * math.sin(0.52 * event.x) + 0.12 * swell(world.seed, at.p / 5.0, at.q / 5.0, 307)
    return Outcome(Spot(_BRASH, variant(event.key), light, 0.0), _CLEAR_CUT)


@compiled
def _construction(world: World, at: Place, before: Spot, event: Event) -> Outcome:
    land = CLASS_OF[before.material]
    if land not in _OPEN:
        return Outcome(before, _NONE)
    x, y, radius = event.x, event.y, event.radius
    if low(event.key) < 0.5:  # a housing estate
        spot = built(world, at, x, y, event.key, radius)
        if spot.material == NOTHING:
            return Outcome(before, _NONE)
        return Outcome(spot, _CONSTRUCTION)
    if abs(x) > radius or abs(y) > 0.75 * radius:
        return Outcome(before, _NONE)
    if abs(x) < 0.55 * radius and abs(y + 0.12 * radius) < 0.36 * radius:  # a warehouse
        return Outcome(Spot(_SHEET, variant(event.key), 1.0 + 0.05 * math.sin(0.7 * x), 9.0), _CONSTRUCTION)
    if abs(x) < 0.85 * radius and abs(y) < 0.62 * radius:
        return Outcome(Spot(_ASPHALT, variant(event.key), 1.0, 0.0), _CONSTRUCTION)
    return Outcome(Spot(_EARTH, variant(event.key), 1.0, 0.0), _CONSTRUCTION)


@compiled
def after_event(world: World, at: Place, before: Spot, event: Event) -> Outcome:
    """What the event made of a point. Floods are not among them: they come in through `flood_level`."""
    if event.kind == _FIRE:
        return _fire(world, at, before, event)
    if event.kind == _CLEAR_CUT:
        return _clear_cut(world, at, before, event)
    if event.kind == _CONSTRUCTION:
        return _construction(world, at, before, event)
    return Outcome(before, _NONE)
