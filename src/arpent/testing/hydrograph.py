"""A river that rises and falls: storms, the water they bring, how wet they leave the soil.

Constants, and where they come from:

* Storms are a marked Poisson process, of exponential depths (Rodríguez-Iturbe, Cox and Isham 1987, Proc. R. Soc. A
  410). One in 40 days brings a front that a large river answers to, of 22 mm on average;
  days of some drizzle are one in four (orders of magnitude of the Loire valley).
* The catchment answers as two equal linear reservoirs in a row (Nash 1957). Their constant of 17 days is that of a
  lowland river; constants of recession lie between 3 and 40 days (Tallaksen 1995, J. Hydrol. 165).
* Discharge becomes level by Manning's law for a wide bed: depth grows as discharge to the power of 3/5.
* Soil moisture follows the antecedent precipitation index, which forgets a tenth a day (Kohler and Linsley 1951).
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

__all__ = ["Hydrograph"]

_STORMS_PER_DAY: Final = 1.0 / 40.0
_STORM_DEPTH: Final = 22.0  # millimetres
_DRIZZLE_PER_DAY: Final = 0.25  # days with a little rain, which wets the soil and no river feels
_DRIZZLE_DEPTH: Final = 2.0  # millimetres
_RESERVOIR_DAYS: Final = 17.0
_PEAK_PER_MM: Final = 0.13  # times the normal discharge that each millimetre of a storm adds at its peak
_NORMAL_DEPTH: Final = 1.5  # metres of water in the bed at normal discharge
_RATING: Final = 0.6
_FORGOTTEN: Final = 180  # days after which a storm is not felt any more
_KEPT: Final = 0.9  # of the index of antecedent precipitation, from a day to the next
_SATURATED: Final = 50.0  # millimetres of that index


@dataclass(frozen=True)
class Hydrograph:
    """Rain and river of one catchment, day by day. A value: equal seeds are equal rivers.

    Attributes:
        seed: of its storms.
    """

    seed: int = 0

    def __call__(self, when: dt.date) -> float:
        """Level in metres above normal."""
        peak = 1.0 / math.e  # of the unit response below, after _RESERVOIR_DAYS
        added = 0.0
        for age in range(_FORGOTTEN):
            t = age / _RESERVOIR_DAYS
            added += _PEAK_PER_MM * self._storm(when, age) * t * math.exp(-t) / peak
        return float(_NORMAL_DEPTH * ((1.0 + added) ** _RATING - 1.0))

    def rain(self, when: dt.date, days: int = 1) -> float:
        """Millimetres that fell on the day and those before it, `days` in all."""
        return float(sum(self._storm(when, age) + self._drizzle(when, age) for age in range(days)))

    def moisture(self, when: dt.date) -> float:
        """Of the soil, 0 dry … 1 wet."""
        index = sum((self._storm(when, age) + self._drizzle(when, age)) * _KEPT**age for age in range(_FORGOTTEN))
        return min(1.0, index / _SATURATED)

    def _storm(self, when: dt.date, age: int) -> float:
        return _weather(self.seed, when.toordinal() - age)[0]

    def _drizzle(self, when: dt.date, age: int) -> float:
        return _weather(self.seed, when.toordinal() - age)[1]


@lru_cache(maxsize=65536)
def _weather(seed: int, day: int) -> tuple[float, float]:
    """Millimetres of storm and of drizzle on a day."""
    draws = np.random.default_rng((seed, day))
    comes, drizzles = draws.random(2)
    depths = draws.exponential((_STORM_DEPTH, _DRIZZLE_DEPTH))
    storm = float(depths[0]) if comes < _STORMS_PER_DAY else 0.0
    return storm, float(depths[1]) if drizzles < _DRIZZLE_PER_DAY else 0.0
