"""The height of the ground beside a river that floods: a plain that rises from the banks, with fractal relief.

Relief of natural ground is self-affine, with a Hurst exponent of 0.5 to 0.8 (Turcotte 1997, Fractals and Chaos in
Geology and Geophysics); flood plains have some metres of it over a kilometre (Leopold, Wolman and Miller 1964).
"""

from __future__ import annotations

import math

from arpent.testing.compiled import compiled
from arpent.testing.layout import Place, World, river_line
from arpent.testing.noise import ripple, swell

__all__ = ["BED", "ground_height"]

BED = -3.0
"""Metres; ground below that is the bed of the river."""

_RISE = 3.5  # metres from the bank to the edge of the plain
_SLOPE = 0.012  # of the sides of the valley, beyond the plain
_RELIEF = 1.7  # metres of the largest hills and hollows, _LONGEST wide
_LONGEST = 720.0  # metres
_OCTAVES = 6
_ROUGHNESS = 0.6155722066724582  # 2 to the power of −0.7: how much lower hills of half the width are
_BANK = 40.0  # metres from the river over which the relief begins
_DEPTH = 2.0  # metres of the bed below `BED`


@compiled
def ground_height(world: World, at: Place) -> float:
    """Metres above the normal level of the river, below `BED` inside its bed."""
    spacing = world.family.villages
    k = 2 * round((at.q / spacing - 0.39) / 2.0)
    line = river_line(world, k, at.p)
    slope = (river_line(world, k, at.p + 4.0) - line) / 4.0
    away = abs(at.q - line) / math.sqrt(1.0 + slope * slope)
    half = world.family.river * (1.0 + 0.30 * ripple(world.seed, at.p / 210.0, 403))
    if away < half:
        return BED - _DEPTH * (1.0 - (away / half) ** 2) - 1e-6
    beyond = away - half
    relief, width, height = 0.0, _LONGEST, _RELIEF
    for octave in range(_OCTAVES):
        relief += height * swell(world.seed, at.p / width, at.q / width, 421 + octave)
        width *= 0.5
        height *= _ROUGHNESS
    rise = _RISE * beyond / world.plain + _SLOPE * max(0.0, beyond - world.plain)
    return max(rise + relief * min(1.0, beyond / _BANK), 0.9 * BED)
