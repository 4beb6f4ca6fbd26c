"""From points of the landscape to images: one block of pixels at a time, each on its own."""

from __future__ import annotations

import datetime as dt
import math
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from arpent.core import Band, Grid, Sensor, Window, ground_sampling_distance, nomenclature
from arpent.testing.cameras import F32, block_mean, blur, blur_margin, camera, dtype_of, encode, shade_of, through_air
from arpent.testing.layout import World
from arpent.testing.materials import CLASS_OF, reflectances
from arpent.testing.position import lattice, points
from arpent.testing.radar import LOOKS, Weather, backscatter
from arpent.testing.sky import Sky, overcast, sun
from arpent.testing.survey import drown, grain, light, shadows, speckle, survey, tally, water

__all__ = [
    "Painted",
    "Samples",
    "Shot",
    "count",
    "each_block",
    "majority",
    "paint",
    "paint_flooding",
    "sample",
    "subdivision",
]

_BLOCK = 1024  # points on a side of what one thread renders at once: about 60 MB with all that belongs to it
_FINE = 0.6  # metres; pixels up to this size show one point each, with cast shadows
_FINEST_DETAIL = 4  # points on a side of a coarse pixel, at most
_LONGEST_SHADOW = 16.0  # metres; trees in winter would throw longer ones
_TALLEST = 20.0  # metres
_DRY = -1e9  # metres; a water level at which every bed lies dry


def subdivision(gsd: float) -> int:
    """Points on a side of a pixel of `gsd` metres."""
    return 1 if gsd <= _FINE else min(_FINEST_DETAIL, math.ceil(gsd / _FINE))


@dataclass(frozen=True)
class Samples:
    """What was seen at the points of a window, each ``(rows × k, columns × k)``."""

    k: int
    material: NDArray[np.uint8]
    variant: NDArray[np.uint8]
    event: NDArray[np.uint8]
    texture: F32
    height: F32

    def crop(self, window: Window) -> Samples:
        """The points of some of the pixels, counted from the first."""
        rows = slice(window.row * self.k, window.row_end * self.k)
        cols = slice(window.col * self.k, window.col_end * self.k)
        return Samples(
            self.k,
            self.material[rows, cols],
            self.variant[rows, cols],
            self.event[rows, cols],
            self.texture[rows, cols],
            self.height[rows, cols],
        )


def sample(world: World, grid: Grid, window: Window, k: int) -> Samples:
    """Looks at k × k points of each pixel of the window, which may reach outside the grid."""
    at = points(grid, window, k)
    shape = at.us.shape
    seen = Samples(
        k,
        np.empty(shape, np.uint8),
        np.empty(shape, np.uint8),
        np.empty(shape, np.uint8),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
    )
    survey(world, at.us, at.vs, seen.material, seen.variant, seen.event, seen.texture, seen.height)
    return seen


def count(values: NDArray[np.uint8], slots: NDArray[np.int64], k: int) -> NDArray[np.uint8]:
    """How many of a pixel's points hold each value, ``(slot, rows, columns)``.

    Args:
        values: ``(rows × k, columns × k)``.
        slots: 256 entries from value to slot, −1 for values that are not counted.
        k: points on a side of a pixel.
    """
    shape = (int(slots.max()) + 1, values.shape[0] // k, values.shape[1] // k)
    counts = np.zeros(shape, np.uint8)
    tally(values, slots, k, counts)
    return counts


def majority(seen: Samples) -> NDArray[np.uint8]:
    """The class number ``(rows, columns)`` that most points of each pixel show; the smaller one of two equals."""
    land = CLASS_OF[seen.material]
    if seen.k == 1:
        return land
    classes = nomenclature("commune")
    counts = count(land, classes.index_of_id, seen.k)
    found: NDArray[np.uint8] = classes.ids[counts.argmax(axis=0)]
    return found


@dataclass(frozen=True)
class _Ray:
    """Steps from a pixel towards the sun."""

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    rise: F32

    def window(self, seen_from: Window) -> Window:
        """All pixels that the steps from a window reach."""
        return Window.between(
            seen_from.row + min(0, int(self.rows.min())),
            seen_from.col + min(0, int(self.cols.min())),
            seen_from.row_end + max(0, int(self.rows.max())),
            seen_from.col_end + max(0, int(self.cols.max())),
        )


@dataclass(frozen=True)
class Shot:
    """One image to be taken: of what, by what, when, in which weather."""

    world: World
    sensor: Sensor
    bands: tuple[Band, ...]
    grid: Grid
    date: dt.date
    key: str
    sky: Sky
    noise: float
    permutation: int
    weather: Weather

    @cached_property
    def gsd(self) -> float:
        """Metres per pixel."""
        found = ground_sampling_distance(self.grid)
        assert found is not None, "`points` refuses grids without a CRS first"
        return found

    @property
    def radar(self) -> bool:
        """Whether the sensor brings its own light."""
        return self.bands[0].wavelength is None

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return dtype_of(self.sensor)

    @cached_property
    def wavelengths(self) -> tuple[float, ...]:
        """Of its bands, nanometres."""
        return tuple(band.wavelength or 0.0 for band in self.bands)

    @cached_property
    def factors(self) -> tuple[int, ...]:
        """How many pixels of the grid a pixel of each band covers on a side."""
        return tuple(max(1, round((band.gsd or self.sensor.gsd) / self.gsd)) for band in self.bands)

    def seed(self, purpose: str) -> np.uint64:
        """Random bits of this image for one purpose."""
        text = f"{self.key}/{purpose}".encode()
        return np.uint64(zlib.crc32(text) << 32 | zlib.adler32(text))


def _ray(shot: Shot) -> _Ray:
    """The way to the sun on the shot's grid."""
    middle = points(shot.grid, Window(shot.grid.height // 2, shot.grid.width // 2, 2, 2), 1)
    per_pixel = np.array(
        [
            [middle.us[0, 1] - middle.us[0, 0], middle.us[1, 0] - middle.us[0, 0]],
            [middle.vs[0, 1] - middle.vs[0, 0], middle.vs[1, 0] - middle.vs[0, 0]],
        ]
    )
    slope = sun(shot.date).slope
    reach = min(_LONGEST_SHADOW, _TALLEST / slope)
    lengths = np.arange(1.0, reach / shot.gsd, 1.4) * shot.gsd
    ways = np.linalg.inv(per_pixel) @ np.array([[shot.world.sun_east], [shot.world.sun_north]]) * lengths
    steps = np.rint(ways).astype(np.int64)
    return _Ray(steps[1], steps[0], (lengths * slope).astype(np.float32))


@dataclass(frozen=True)
class Painted:
    """Pixels ``(bands, rows, columns)`` and their class numbers ``(rows, columns)``."""

    pixels: NDArray[np.generic]
    land: NDArray[np.uint8]


def _optical(shot: Shot, window: Window) -> Painted:
    """A block of an optical image with its truth."""
    optics = camera(shot.sensor)
    margin = blur_margin(optics.blur)
    blurred = window.padded(margin)
    block = math.lcm(*shot.factors)
    origin = lattice(shot.grid)
    wide = Window.between(
        blurred.row - (blurred.row + origin.row) % block,
        blurred.col - (blurred.col + origin.col) % block,
        blurred.row_end + -(blurred.row_end + origin.row) % block,
        blurred.col_end + -(blurred.col_end + origin.col) % block,
    )
    k = subdivision(shot.gsd)
    if k == 1:
        ray = _ray(shot)
        reached = ray.window(wide)
        around = sample(shot.world, shot.grid, reached, 1)
        inside = wide.relative_to(reached)
        dark = np.empty(wide.shape, np.bool_)
        shadows(around.height, inside.row, inside.col, ray.rows, ray.cols, ray.rise, dark)
        seen = around.crop(inside)
    else:
        seen = sample(shot.world, shot.grid, wide, k)
        dark = np.zeros(seen.material.shape, np.bool_)
    table = reflectances(shot.wavelengths, shot.date.timetuple().tm_yday, shot.permutation)
    sent = np.empty((len(shot.bands), *wide.shape), np.float32)
    light(seen.material, seen.variant, seen.texture, dark, table, shade_of(shot.wavelengths), k, sent)
    cover = overcast(points(shot.grid, wide, 1), int(shot.seed("clouds")), shot.sky, sun(shot.date))
    through_air(sent, shot.wavelengths, optics, shot.sky, cover)
    for band, factor in zip(sent, shot.factors, strict=True):
        if factor > 1:
            block_mean(band, factor)
    rows, cols = blurred.relative_to(wide).slices
    sharp = blur(np.ascontiguousarray(sent[:, rows, cols]), optics.blur)
    row0, col0 = origin.row + window.row, origin.col + window.col
    grain(shot.seed("noise"), row0, col0, optics.floor * shot.noise, optics.share * shot.noise, sharp)
    return Painted(encode(sharp, shot.sensor, shot.bands), majority(seen.crop(window.relative_to(wide))))


def _radar(shot: Shot, window: Window) -> Painted:
    """A block of a radar image with its truth."""
    return _echo(shot, window, sample(shot.world, shot.grid, window, subdivision(shot.gsd)))


def _echo(shot: Shot, window: Window, seen: Samples) -> Painted:
    """What the radar receives from points that were looked at."""
    k = seen.k
    every = backscatter(shot.weather.wind, shot.weather.moisture, shot.permutation)
    table = np.ascontiguousarray(every[:, :, [int(band.name == "vh") for band in shot.bands]])
    power = np.empty((len(shot.bands), *window.shape), np.float32)
    dark = np.zeros(seen.material.shape, np.bool_)
    light(seen.material, seen.variant, seen.texture, dark, table, np.ones(len(shot.bands), np.float32), k, power)
    origin = lattice(shot.grid)
    looks = max(1.0, LOOKS / max(shot.noise, 1e-3) ** 2)  # one look is as noisy as a radar gets
    speckle(shot.seed("speckle"), origin.row + window.row, origin.col + window.col, looks, power)
    return Painted(power, majority(seen))


def paint_flooding(shots: Sequence[Shot], window: Window) -> list[Painted]:
    """The same as `paint` of each radar shot, for shots between which nothing but the water level changes.

    The land is looked at once, which takes nearly all the time, and drowned anew for each shot.
    """
    done = [
        Painted(np.empty((len(shot.bands), *window.shape), shot.dtype), np.empty(window.shape, np.uint8))
        for shot in shots
    ]
    first = shots[0]
    k = subdivision(first.gsd)
    dried = first.world._replace(level=_DRY)

    def work(block: Window) -> None:
        land = sample(dried, first.grid, block, k)
        at = points(first.grid, block, k)
        height, ripple = np.empty(at.us.shape, np.float32), np.empty(at.us.shape, np.float32)
        water(dried, at.us, at.vs, height, ripple)
        rows, cols = block.relative_to(window).slices
        for shot, whole in zip(shots, done, strict=True):
            seen = replace(
                land, material=land.material.copy(), variant=land.variant.copy(), texture=land.texture.copy()
            )
            drown(shot.world.level, height, ripple, seen.material, seen.variant, seen.texture)
            part = _echo(shot, block, seen)
            whole.pixels[:, rows, cols] = part.pixels
            whole.land[rows, cols] = part.land

    each_block(window, k, work)
    return done


def each_block(window: Window, k: int, work: Callable[[Window], None]) -> None:
    """Calls `work` on blocks that partition the window, one thread per core that this process may use."""
    side = max(1, _BLOCK // k)
    blocks = list(window.blocks(side))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(max(1, min(cores, len(blocks), 8))) as pool:
        for _ in pool.map(work, blocks):
            pass


def paint(shot: Shot, window: Window) -> Painted:
    """The image ``(bands, rows, columns)`` and its truth ``(rows, columns)``."""
    pixels = np.empty((len(shot.bands), *window.shape), shot.dtype)
    land = np.empty(window.shape, np.uint8)

    def work(block: Window) -> None:
        done = _radar(shot, block) if shot.radar else _optical(shot, block)
        rows, cols = block.relative_to(window).slices
        pixels[:, rows, cols] = done.pixels
        land[rows, cols] = done.land

    each_block(window, subdivision(shot.gsd), work)
    return Painted(pixels, land)
