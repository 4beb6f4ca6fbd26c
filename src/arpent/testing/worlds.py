"""The synthetic commune: one landscape with exact truth, seen by any sensor, at any date, at any size.

>>> commune = Commune(seed=1)
>>> grid = commune.grid("bd-ortho", size=256)
>>> scene = commune.scene("bd-ortho", grid)
>>> scene.image.pixels.shape, scene.truth.shape
((4, 256, 256), (256, 256))
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.crs import CRS
from pyproj import Transformer

from arpent.core import ClassMap, Grid, Raster, Window, ground_sampling_distance, nomenclature, sensor
from arpent.errors import GeoreferenceMissing, InvalidSetting, UnknownName
from arpent.testing.events import EventKind
from arpent.testing.families import family
from arpent.testing.hydrograph import Hydrograph
from arpent.testing.layout import World
from arpent.testing.materials import CLASS_OF
from arpent.testing.position import HOME, HOME_CRS, points
from arpent.testing.radar import Weather, weather_of
from arpent.testing.rendering import Shot, count, each_block, majority, paint, paint_flooding, sample, subdivision
from arpent.testing.sky import Sky, fmask, overcast, scene_classes, sun

__all__ = ["Commune", "Scene"]

_EPOCH = dt.date(1970, 1, 1)
_SUMMER = dt.date(2021, 6, 20)
_UTM = "EPSG:32631"
_CLEAR = Sky()
_MOST = 2**63


def _steady(when: dt.date) -> float:
    """A river that never rises."""
    return 0.0


@dataclass(frozen=True)
class Scene:
    """An image together with the truth under it.

    Attributes:
        image: what the sensor delivers.
        truth: class numbers of the nomenclature ``commune``, ``(height, width)``.
    """

    image: Raster
    truth: NDArray[np.uint8]


@dataclass(frozen=True)
class Commune:
    """A landscape without end. Two communes of equal attributes are equal to the last pixel.

    Everything is a function of the place on the ground: a window is the crop of the whole, whatever its size, and the
    same ground seen by two sensors is the same ground.

    Attributes:
        seed: which landscape of its family.
        family: "bocage", "openfield" or "coteaux".
        noise: factor on the noise of every sensor; 2 makes a hard test.
        permutation: 0 for true spectra; any other number deals the spectra of the classes out anew.
        first_event: fires, clear-cuts, floods and building sites happen from this day …
        last_event: … to this one.
        levels: water level in metres above normal, by date; a `Hydrograph` also says how wet the soil is.
        plain: metres from the banks of rivers to the edge of the plain that they flood; 0 for steep banks.
    """

    seed: int = 0
    family: str = "bocage"
    noise: float = 1.0
    permutation: int = 0
    first_event: dt.date = dt.date(2022, 1, 1)
    last_event: dt.date = dt.date(2022, 12, 31)
    levels: Callable[[dt.date], float] = _steady
    plain: float = 0.0

    def __post_init__(self) -> None:
        family(self.family)
        for name, value in (("seed", self.seed), ("noise", self.noise), ("permutation", self.permutation)):
            if not 0 <= value < _MOST:
                raise InvalidSetting(
                    f"'{name}' of a commune is out of range", found=value, cure="Give 0 or a positive number."
                )
        if self.first_event > self.last_event:
            raise InvalidSetting(
                "the events of a commune end before they begin",
                found=f"{self.first_event} … {self.last_event}",
                cure="Exchange 'first_event' and 'last_event'.",
            )

    @property
    def classes(self) -> ClassMap:
        """The nomenclature of its truth."""
        return nomenclature("commune")

    def water_level(self, when: dt.date) -> float:
        """Metres above the normal level of river and ponds; local floods come on top."""
        return self.levels(when)

    def weather(self, when: dt.date) -> Weather:
        """Wind and soil moisture of a day, as a radar meets them."""
        river = self.levels if isinstance(self.levels, Hydrograph) else None
        return weather_of(self.seed % 1000, when, river)

    def grid(
        self,
        sensor_name: str,
        *,
        size: int | tuple[int, int] = 512,
        east: float = 0.0,
        north: float = 0.0,
        crs: str | None = None,
        resolution: float | None = None,
    ) -> Grid:
        """A grid for a sensor's image, around a place.

        Args:
            sensor_name: gives the pixel size, and the CRS that its images usually have.
            size: pixels on a side, or (height, width).
            east: metres from the origin of the landscape to the middle of the image.
            north: the same, northwards.
            crs: another CRS; its unit must be the metre.
            resolution: another pixel size, in metres.
        """
        chosen = sensor(sensor_name)
        step = resolution or chosen.gsd
        place = CRS(crs or (HOME_CRS if step < 5.0 else _UTM))
        x, y = Transformer.from_crs(HOME_CRS, place.to_wkt(), always_xy=True).transform(HOME[0] + east, HOME[1] + north)
        height, width = (size, size) if isinstance(size, int) else size
        # Origins at multiples of six pixels let the 20 m and 60 m pixels of Sentinel-2 fall together with ours.
        snap = 6.0 * step
        left, top = snap * round((x - width * step / 2) / snap), snap * round((y + height * step / 2) / snap)
        return Grid.north_up(left, top, step, height, width, place)

    def truth(self, grid: Grid, window: Window | None = None, *, date: dt.date = _SUMMER) -> NDArray[np.uint8]:
        """Class numbers ``(height, width)``: of each pixel the class that most of it shows, seen from above."""
        chosen, k = window or grid.window, self._points_per_side(grid)
        land = np.empty(chosen.shape, np.uint8)
        world = self._world(date, k)

        def work(block: Window) -> None:
            land[block.relative_to(chosen).slices] = majority(sample(world, grid, block, k))

        each_block(chosen, k, work)
        return land

    def fractions(self, grid: Grid, window: Window | None = None, *, date: dt.date = _SUMMER) -> NDArray[np.float32]:
        """Share of each class in each pixel, ``(classes, height, width)``, in the order of `classes`."""
        chosen, k = window or grid.window, self._points_per_side(grid)
        shares = np.empty((len(self.classes), *chosen.shape), np.float32)
        world = self._world(date, k)
        slots = np.full(256, -1, np.int64)
        slots[: len(CLASS_OF)] = self.classes.index_of_id[CLASS_OF]

        def work(block: Window) -> None:
            seen = sample(world, grid, block, k)
            rows, cols = block.relative_to(chosen).slices
            shares[:, rows, cols] = count(seen.material, slots, k) / np.float32(k * k)

        each_block(chosen, k, work)
        return shares

    def scene(
        self,
        sensor_name: str,
        grid: Grid,
        window: Window | None = None,
        *,
        date: dt.date = _SUMMER,
        sky: Sky = _CLEAR,
        bands: Sequence[str] | None = None,
    ) -> Scene:
        """The image that a sensor takes of a window, and its truth.

        Args:
            sensor_name: see `arpent.core.sensor_names`; optical or radar.
            grid: of the whole image, any CRS and pixel size.
            window: all of the grid where none is given.
            date: the day; it decides on growth, sun, events, water level, clouds and noise.
            sky: the weather, for optical sensors.
            bands: the bands wanted, by any of their names; all of them where none are given.
        """
        chosen = window or grid.window
        shot = self._shot(sensor_name, grid, date, sky, bands)
        painted = paint(shot, chosen)
        names = tuple(band.name for band in shot.bands)
        image = Raster(painted.pixels, np.ones(chosen.shape, np.bool_), grid.crop(chosen), names)
        return Scene(image, painted.land)

    def view(
        self,
        sensor_name: str,
        grid: Grid,
        window: Window | None = None,
        *,
        date: dt.date = _SUMMER,
        sky: Sky = _CLEAR,
        bands: Sequence[str] | None = None,
    ) -> Raster:
        """The image of a `scene` alone."""
        return self.scene(sensor_name, grid, window, date=date, sky=sky, bands=bands).image

    def radar_series(
        self, sensor_name: str, grid: Grid, window: Window | None = None, *, dates: Sequence[dt.date]
    ) -> list[Scene]:
        """The scenes that a radar sees of a window on several dates: each equal to `scene`, and all in the time of one.

        Args:
            sensor_name: of a radar.
            grid: of the whole image.
            window: all of the grid where none is given.
            dates: before the first event; only the water may move.

        Raises:
            InvalidSetting: an event may happen before the last of the dates, or rivers have no flood plain.
        """
        if self.plain <= 0.0 or max(dates) >= self.first_event:
            raise InvalidSetting(
                "a series of radar images is made of rising and falling water alone",
                found=f"a plain of {self.plain:g} m, events from {self.first_event} on",
                cure="Give the commune a 'plain', and its first event a day after the last date.",
            )
        chosen = window or grid.window
        shots = [self._shot(sensor_name, grid, date, _CLEAR, None) for date in dates]
        names = tuple(band.name for band in shots[0].bands)
        valid = np.ones(chosen.shape, np.bool_)
        return [
            Scene(Raster(one.pixels, valid, grid.crop(chosen), names), one.land)
            for one in paint_flooding(shots, chosen)
        ]

    def quality(
        self,
        sensor_name: str,
        grid: Grid,
        window: Window | None = None,
        *,
        date: dt.date = _SUMMER,
        sky: Sky = _CLEAR,
    ) -> NDArray[np.uint8]:
        """The quality layer of an optical image, exact: Fmask bits for HLS, else Sentinel-2's scene classes."""
        chosen = window or grid.window
        shot = self._shot(sensor_name, grid, date, sky, None)
        if shot.radar:
            raise UnknownName(
                f"images of '{sensor_name}' have no cloud mask", cure="Ask for the quality layer of an optical sensor."
            )
        layer = np.empty(chosen.shape, np.uint8)
        k = subdivision(shot.gsd)

        def work(block: Window) -> None:
            cover = overcast(points(grid, block, 1), int(shot.seed("clouds")), sky, sun(date))
            land = majority(sample(shot.world, grid, block, k))
            layer[block.relative_to(chosen).slices] = (
                fmask(land, cover, sky) if sensor_name.startswith("hls") else scene_classes(land, cover)
            )

        each_block(chosen, k, work)
        return layer

    def changes(self, grid: Grid, before: dt.date, after: dt.date, window: Window | None = None) -> NDArray[np.uint8]:
        """What really changed between two dates, ``(height, width)``, as numbers of `EventKind`.

        A pixel has changed when half of it or more has. Seasons, haze and clouds are no change.
        """
        chosen, k = window or grid.window, self._points_per_side(grid)
        kinds = np.empty(chosen.shape, np.uint8)
        then, now = self._world(before, k), self._world(after, k)
        slots = np.full(256, -1, np.int64)
        slots[1 : max(EventKind) + 1] = np.arange(max(EventKind))

        def work(block: Window) -> None:
            first, second = sample(then, grid, block, k), sample(now, grid, block, k)
            flooded = (CLASS_OF[first.material] == 5) != (CLASS_OF[second.material] == 5)
            kind = np.where(second.event > 0, second.event, first.event)
            kind = np.where(flooded & (kind == 0), np.uint8(EventKind.FLOOD), kind)
            kind[(first.event == second.event) & ~flooded] = 0
            counts = count(np.ascontiguousarray(kind), slots, k)
            strongest = (counts.argmax(axis=0) + 1).astype(np.uint8)
            changed = 2 * counts.sum(axis=0, dtype=np.int64) >= k * k
            kinds[block.relative_to(chosen).slices] = np.where(changed, strongest, np.uint8(0))

        each_block(chosen, k, work)
        return kinds

    def _points_per_side(self, grid: Grid) -> int:
        gsd = ground_sampling_distance(grid)
        if gsd is None:
            raise GeoreferenceMissing(
                "the grid of a simulated image has no coordinate reference system",
                cure="Make it with Commune.grid, or give the grid a CRS.",
            )
        return subdivision(gsd)

    def _world(self, when: dt.date, k: int) -> World:
        light = sun(when)
        angle = 0.15 + 0.5 * (0.618034 * (self.seed + 1) % 1.0)
        return World(
            seed=np.uint64(self.seed),
            cos=math.cos(angle),
            sin=math.sin(angle),
            family=family(self.family),
            sun_east=light.east,
            sun_north=light.north,
            day=float((when - _EPOCH).days),
            first_day=float((self.first_event - _EPOCH).days),
            last_day=float((self.last_event - _EPOCH).days),
            level=float(self.water_level(when)),
            plain=float(self.plain),
            fine=k == 1,
        )

    def _shot(self, sensor_name: str, grid: Grid, when: dt.date, sky: Sky, bands: Sequence[str] | None) -> Shot:
        chosen = sensor(sensor_name)
        world = self._world(when, self._points_per_side(grid))
        if chosen.bands[0].wavelength is None:  # a radar brings its own light; a descending pass looks from the east
            world = world._replace(sun_east=1.0, sun_north=0.0)
        return Shot(
            world=world,
            sensor=chosen,
            bands=chosen.bands if bands is None else chosen.select(bands),
            grid=grid,
            date=when,
            key=f"{self.seed}/{self.family}/{sensor_name}/{when.isoformat()}",
            sky=sky,
            noise=self.noise,
            permutation=self.permutation,
            weather=self.weather(when),
        )
