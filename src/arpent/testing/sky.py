"""What lies between the ground and the camera: sun, haze, clouds and their shadows."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting
from arpent.testing.materials import VEGETATION, WATERS
from arpent.testing.position import Points
from arpent.testing.survey import clouds

__all__ = ["Fmask", "Overcast", "SceneClass", "Sky", "Sun", "fmask", "overcast", "scene_classes", "sun"]

_LATITUDE = math.radians(47.3)
_HOUR_ANGLE = math.radians(-18.0)  # about 10:45 solar time, when Sentinel-2 and Landsat pass
_CLOUD_BASE = 700.0  # metres above the ground: fair-weather cumulus
_OPAQUE = 0.25  # a cloud counts in masks from this opacity on


@dataclass(frozen=True)
class Sky:
    """The weather of one image.

    Attributes:
        clouds: share of the sky that is covered, 0 … 1.
        haze: 0 a clear day, 1 a murky one.
    """

    clouds: float = 0.0
    haze: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("clouds", self.clouds), ("haze", self.haze)):
            if not 0.0 <= value <= 1.0:
                raise InvalidSetting(
                    f"'{name}' of a simulated sky is a share", found=value, expected="0 … 1", cure="Give e.g. 0.2."
                )


class SceneClass(IntEnum):
    """The classes of Sentinel-2's scene classification (SCL) that the simulator gives."""

    SHADOW = 3
    VEGETATION = 4
    NOT_VEGETATED = 5
    WATER = 6
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9


class Fmask(IntFlag):
    """The bits of the HLS v2.0 Fmask layer that the simulator sets."""

    CLOUD = 1 << 1
    ADJACENT = 1 << 2
    SHADOW = 1 << 3
    WATER = 1 << 5
    AEROSOL_LOW = 1 << 6
    AEROSOL_MODERATE = 1 << 7
    AEROSOL_HIGH = (1 << 6) | (1 << 7)


@dataclass(frozen=True)
class Sun:
    """Where the sun stands: a unit vector in the plane towards it, and how steep its rays are."""

    east: float
    north: float
    slope: float
    """Metres that a ray rises for each metre along the ground."""


def sun(when: dt.date) -> Sun:
    """The sun at about 10:45 solar time, by Cooper's (1969) formula for its declination."""
    day = when.timetuple().tm_yday
    declination = math.radians(23.45) * math.sin(math.tau * (284 + day) / 365)
    east = -math.cos(declination) * math.sin(_HOUR_ANGLE)
    north = math.cos(_LATITUDE) * math.sin(declination) - math.sin(_LATITUDE) * math.cos(declination) * math.cos(
        _HOUR_ANGLE
    )
    flat = math.hypot(east, north)
    return Sun(east / flat, north / flat, math.sqrt(1.0 - flat * flat) / flat)


@dataclass(frozen=True)
class Overcast:
    """Clouds over a window, ``(rows, columns)`` of float32, 0 … 1."""

    opacity: NDArray[np.float32]
    shadow: NDArray[np.float32]

    @property
    def cloud(self) -> NDArray[np.bool_]:
        """Pixels under cloud."""
        return np.asarray(self.opacity > _OPAQUE)

    @property
    def shade(self) -> NDArray[np.bool_]:
        """Pixels in a cloud's shadow and not under cloud."""
        return np.asarray((self.shadow > _OPAQUE) & ~self.cloud)


@lru_cache(maxsize=32)
def _threshold(cover: float) -> float:
    """The height of the cloud field above which a share `cover` of it lies."""
    steps = np.arange(300.0) * 211.0
    us, vs = np.meshgrid(steps, steps)
    field = np.empty(us.shape, np.float32)
    clouds(np.uint64(1), us, vs, field)
    return float(np.quantile(field, 1.0 - cover))


def overcast(at: Points, seed: int, sky: Sky, light: Sun) -> Overcast:
    """The clouds over some points. `seed` is that of the date: clouds do not return."""
    shape = at.us.shape
    if sky.clouds == 0.0:
        return Overcast(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    threshold = np.float32(_threshold(sky.clouds))
    field = np.empty(shape, np.float32)
    clouds(np.uint64(seed), at.us, at.vs, field)
    opacity = np.clip((field - threshold) / np.float32(0.16) + np.float32(0.4), 0, 1)
    away = _CLOUD_BASE / light.slope
    clouds(np.uint64(seed), at.us + away * light.east, at.vs + away * light.north, field)
    shadow = np.clip((field - threshold) / np.float32(0.16) + np.float32(0.4), 0, 1)
    return Overcast(opacity.astype(np.float32), shadow.astype(np.float32))


def scene_classes(truth: NDArray[np.uint8], cover: Overcast) -> NDArray[np.uint8]:
    """Sentinel-2's scene classification, exact where the real one guesses."""
    found = np.full(truth.shape, SceneClass.NOT_VEGETATED, np.uint8)
    found[np.isin(truth, VEGETATION)] = SceneClass.VEGETATION
    found[np.isin(truth, WATERS)] = SceneClass.WATER
    found[cover.shade] = SceneClass.SHADOW
    found[cover.cloud] = SceneClass.CLOUD_MEDIUM
    found[cover.opacity > 0.6] = SceneClass.CLOUD_HIGH
    return found


def fmask(truth: NDArray[np.uint8], cover: Overcast, sky: Sky) -> NDArray[np.uint8]:
    """The Fmask layer of HLS v2.0."""
    levels = (Fmask.AEROSOL_LOW, Fmask.AEROSOL_MODERATE, Fmask.AEROSOL_HIGH)
    found = np.full(truth.shape, levels[min(int(sky.haze * 3), 2)], np.uint8)
    found[np.isin(truth, WATERS)] |= np.uint8(Fmask.WATER)
    found[cover.shade] |= np.uint8(Fmask.SHADOW)
    found[(cover.opacity > 0.0) & ~cover.cloud] |= np.uint8(Fmask.ADJACENT)
    found[cover.cloud] |= np.uint8(Fmask.CLOUD)
    return found
