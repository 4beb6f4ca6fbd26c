"""What Sentinel-1 receives: mean power by material, wind, soil moisture, and speckle."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.testing.hydrograph import Hydrograph
from arpent.testing.materials import MATERIALS, STEPS, VARIANTS, WATERS, lender

__all__ = ["LOOKS", "Weather", "backscatter", "weather_of"]

LOOKS: Final = 4.4
"""Equivalent number of looks of Sentinel-1 IW GRDH (ESA, Sentinel-1 product specification)."""

_BOUNCE = 5.0  # decibels between a wall that faces the radar and one that does not (Ulaby and Dobson 1989)
_WINDY = 6.0  # decibels that a fresh breeze adds to open water in VV; a third of it in VH
_BUILDING, _OPEN_WATER = 1, 5  # classes
_SOILS = (4, 9, 10, 11, 12)  # classes whose soil the radar sees: bare ground, vines, grass, crops, ploughed land
_MOIST = 2.5  # decibels between dry and wet ground under thin vegetation


@lru_cache(maxsize=16)
def backscatter(wind: float, moisture: float, permutation: int = 0) -> NDArray[np.float32]:
    """Mean power ``(material, variant, 2)``, linear, VV then VH.

    Args:
        wind: 0 calm, 1 a fresh breeze.
        moisture: of the soil, 0 dry, 1 wet.
        permutation: 0 for the materials as they are; any other number deals the echoes of dry land out anew among its
            classes. Water keeps its own: that it mirrors the beam away is physics, and no habit of a landscape.
    """
    found = np.empty((len(MATERIALS), VARIANTS, 2), np.float32)
    for index in range(len(MATERIALS)):
        material = MATERIALS[lender(index, permutation, kept=WATERS)]
        for variant in range(VARIANTS):
            spread = 2.0 * (variant + 0.5) / VARIANTS - 1.0
            decibels = np.array(material.radar) + 0.8 * spread
            if material.land == _BUILDING:
                decibels += _BOUNCE * spread
            elif material.land == _OPEN_WATER:
                decibels += wind * np.array([_WINDY, _WINDY / 3.0])
            elif material.land in _SOILS:
                decibels += _MOIST * (moisture - 0.5)
            found[index, variant] = 10.0 ** (decibels / 10.0)
    found.setflags(write=False)
    return found


@dataclass(frozen=True)
class Weather:
    """A day for a radar: `wind` and soil `moisture`, 0 … 1."""

    wind: float
    moisture: float


def weather_of(seed: int, when: dt.date, river: Hydrograph | None = None) -> Weather:
    """Wind and soil moisture of a day, in steps of a tenth.

    Soil is wet after the rain of the river's catchment; where nothing is known of that, winters are wetter.
    """
    day = when.toordinal()
    wind = round((STEPS[0] * (day + seed)) % 1.0, 1)
    if river is not None:
        return Weather(wind, round(river.moisture(when), 1))
    season = 0.5 + 0.3 * float(np.cos(2 * np.pi * (when.timetuple().tm_yday - 20) / 365.0))
    moisture = season + 0.4 * ((STEPS[1] * (day + seed)) % 1.0 - 0.5)
    return Weather(wind, round(min(max(moisture, 0.0), 1.0), 1))
