"""A folder of simulated images with their truth: what ``arpent simulate`` makes."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from arpent.core import ClassMap, Grid, LandClass, Strip, Window, sensor, sensor_names, write_file, writing
from arpent.core.progress import Bar, Progress, Silent
from arpent.core.settings import Settings
from arpent.errors import InvalidSetting, RunExists
from arpent.io import CogWriter, RasterSpec
from arpent.testing.cameras import dtype_of
from arpent.testing.events import EventKind
from arpent.testing.families import family
from arpent.testing.hydrograph import Hydrograph
from arpent.testing.rendering import subdivision
from arpent.testing.sky import Sky
from arpent.testing.worlds import Commune

__all__ = ["CHANGES", "RadarSimulation", "Simulated", "Simulation", "simulate"]

_POINTS_PER_STRIP = 12_000_000  # looked at before a strip is written; some 300 MB at most
_NO_CHANGE = 255  # the no-data of a change mask, which its nomenclature needs and no pixel has
_APART = 12_000.0  # metres between scenes: far enough for no scene of usual size to meet the next
_INDEX = "index.csv"
_PLAIN = 500.0  # metres from the banks of rivers that flood to the edge of their plain
_AT_ONCE = 16  # dates of a radar series that are written side by side
_SHORT = {"s1": "sentinel-1", "s2": "sentinel-2-l2a"}

CHANGES = ClassMap(
    name="events",
    nodata=_NO_CHANGE,
    classes=(
        LandClass(id=EventKind.NONE, en="no change", fr="aucun changement", colour="#202020"),
        LandClass(id=EventKind.FIRE, en="fire", fr="incendie", colour="#e4572e"),
        LandClass(id=EventKind.CLEAR_CUT, en="clear-cut", fr="coupe rase", colour="#f0c808"),
        LandClass(id=EventKind.FLOOD, en="flood", fr="inondation", colour="#2a7fd4"),
        LandClass(id=EventKind.CONSTRUCTION, en="construction", fr="construction", colour="#c05cd6"),
    ),
)
"""What the numbers of a change mask mean."""


class Simulation(Settings):
    """What to simulate."""

    sensor: tuple[str, ...] = ("bd-ortho",)
    """Sensors, by name, or "all"; s1 and s2 for Sentinel-1 and 2."""
    size: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Pixels on a side of each image."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Which landscape of its family."""
    family: str = "bocage"
    """Kind of landscape: bocage, openfield or coteaux."""
    dates: Annotated[tuple[dt.date, ...], Field(min_length=1)] | Annotated[int, Field(ge=1, le=10_000)] = (
        dt.date(2021, 6, 20),
    )
    """Days on which images are taken, or how many; events happen in the course of 2022."""
    first_date: dt.date = dt.date(2021, 1, 4)
    """The first day, where `dates` is a number."""
    revisit: Annotated[int, Field(ge=1, le=366)] = 6
    """Days from an image to the next, where `dates` is a number; 6 is that of two Sentinel-1 satellites."""
    river: Literal["auto", "steady", "floods"] = "auto"
    """Whether rivers rise with storms, fall and flood the plain, while no other event happens; auto does it for
    radars alone, and where `dates` is a number."""
    scenes: Annotated[int, Field(ge=1, le=1000)] = 1
    """Places, each a domain of its own."""
    variant: Literal["plain", "noisy", "permuted"] = "plain"
    """Harder images: twice the noise, or the spectra of the classes dealt out anew."""
    clouds: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the sky that is covered, for optical sensors."""
    haze: Annotated[float, Field(ge=0, le=1)] = 0.0
    """0 a clear day, 1 a murky one."""

    @field_validator("family")
    @classmethod
    def _known_family(cls, name: str) -> str:
        family(name)
        return name

    @field_validator("dates", mode="before")
    @classmethod
    def _number_of_dates(cls, given: object) -> object:
        """A number stays a number: dates can be counted in seconds too, and nobody means that."""
        alone = given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
        return int(alone) if isinstance(alone, str) and alone.isdecimal() and len(alone) < 6 else given

    @model_validator(mode="after")
    def _within_the_calendar(self) -> Simulation:
        if isinstance(self.dates, int) and (dt.date.max - self.first_date).days < self.dates * self.revisit:
            raise ValueError("the last of the dates lies beyond the year 9999")
        return self

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The days on which images are taken, in order."""
        if isinstance(self.dates, int):
            return tuple(self.first_date + dt.timedelta(self.revisit * number) for number in range(self.dates))
        return tuple(sorted(set(self.dates)))

    @property
    def floods(self) -> bool:
        """Whether rivers rise and fall."""
        if self.river == "auto":
            return isinstance(self.dates, int) and all(_is_radar(name) for name in self.sensors)
        return self.river == "floods"

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors, with "all" spelt out; an error for an unknown one."""
        if self.sensor == ("all",):
            return sensor_names()
        return tuple(dict.fromkeys(sensor(_SHORT.get(name, name)).name for name in self.sensor))

    @property
    def commune(self) -> Commune:
        """The landscape."""
        return Commune(
            seed=self.seed,
            family=self.family,
            noise=2.0 if self.variant == "noisy" else 1.0,
            permutation=1 if self.variant == "permuted" else 0,
        )

    def commune_at(self, number: int) -> Commune:
        """The landscape as scene `number` sees it: each has a catchment, and so a river, of its own."""
        if not self.floods:
            return self.commune
        after = self.days[-1] + dt.timedelta(1)
        river = Hydrograph(self.seed + 1_000_003 * number)
        return replace(self.commune, levels=river, plain=_PLAIN, first_event=after, last_event=after)

    @property
    def sky(self) -> Sky:
        """The weather."""
        return Sky(self.clouds, self.haze)


class RadarSimulation(Simulation):
    """What to simulate when series of radar images are wanted."""

    sensor: tuple[str, ...] = ("sentinel-1",)
    """Sensors, by name, or "all"; s1 and s2 for Sentinel-1 and 2."""
    size: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """Pixels on a side of each image."""
    dates: Annotated[tuple[dt.date, ...], Field(min_length=1)] | Annotated[int, Field(ge=1, le=10_000)] = 12
    """Days on which images are taken, or how many."""
    scenes: Annotated[int, Field(ge=1, le=1000)] = 6
    """Places, each a domain with a river of its own."""
    river: Literal["auto", "steady", "floods"] = "floods"
    """Whether rivers rise with storms, fall and flood the plain."""


def _is_radar(name: str) -> bool:
    return sensor(name).bands[0].wavelength is None


@dataclass(frozen=True)
class Simulated:
    """One image and what belongs to it; a row of ``index.csv``.

    Attributes:
        image: what the sensor delivers.
        mask: the true classes.
        domain: the place, for splits.
        sensor: its name.
        date: when it was taken.
        quality: cloud mask (scene classes, or Fmask for HLS); None for radar.
        change: what changed since the date before; None for the first, and where rivers flood.
        rain: millimetres since the image before, where rivers rise and fall.
        level: of the water, metres above normal, where rivers rise and fall.
    """

    image: Path
    mask: Path
    domain: str
    sensor: str
    date: dt.date
    quality: Path | None = None
    change: Path | None = None
    rain: float | None = None
    level: float | None = None


@dataclass(frozen=True)
class _Place:
    """A scene to be taken by one sensor, and the files that come of it."""

    folder: Path
    domain: str
    sensor: str
    grid: Grid
    commune: Commune

    def path(self, kind: str, *when: dt.date) -> Path:
        days = "_".join(day.isoformat() for day in when)
        return self.folder / self.domain / f"{kind}_{self.sensor}_{days}.tif"

    @property
    def strips(self) -> Iterator[Window]:
        k = subdivision(self.grid.pixel_width)
        rows = max(16, _POINTS_PER_STRIP // (self.grid.width * k * k))
        return self.grid.window.strips(rows)


def simulate(
    folder: str | Path, settings: Simulation, *, force: bool = False, progress: Progress | None = None
) -> list[Simulated]:
    """Writes images, truth, cloud and change masks as COGs, and last of all ``index.csv``.

    Rows are made and written in strips: memory grows with the width of an image, not with its height.

    Args:
        folder: made if it is not there; files lie in one folder per scene.
        settings: what to simulate.
        force: whether an earlier simulation in the folder may be replaced.
        progress: told about each product.

    Raises:
        RunExists: if the folder holds a simulation and `force` is not set.
    """
    folder = Path(folder)
    dates, places = settings.days, list(_places(folder, settings))
    index = folder / _INDEX
    if index.exists() and not force:
        raise RunExists(f"{folder} holds a simulation", cure="Choose another folder, or replace it with --force.")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        index.unlink(missing_ok=True)  # an index beside new images must not speak of old ones
    done: list[Simulated] = []
    total = len(places) * len(dates) * settings.size
    with (progress or Silent()).bar("simulate", total, "rows") as bar:
        for place in places:
            if settings.floods and _is_radar(place.sensor):
                for some in (dates[at : at + _AT_ONCE] for at in range(0, len(dates), _AT_ONCE)):
                    bar.note(f"{place.domain} {place.sensor} {some[0]} … {some[-1]}")
                    done.extend(_take_series(place, some, bar))
                continue
            for before, date in zip([None, *dates[:-1]], dates, strict=True):
                bar.note(f"{place.domain} {place.sensor} {date}")
                done.append(_take(settings, place, before, date, bar))
    if settings.floods:
        done = [_with_river(one, places, settings) for one in done]
    write_file(index, _index_text(done, folder))
    return done


def _places(folder: Path, settings: Simulation) -> Iterator[_Place]:
    for number in range(settings.scenes):
        domain = f"{settings.family}-{settings.seed}-{number:03d}"
        east = _APART * number
        for name in settings.sensors:
            commune = settings.commune_at(number)
            grid = commune.grid(name, size=settings.size, east=east)
            if number > 0 and grid.width * grid.pixel_width > _APART:
                raise InvalidSetting(
                    f"scenes of {settings.size} pixels of {name} overlap one another",
                    found=f"{grid.width * grid.pixel_width / 1000:.0f} km wide",
                    expected=f"at most {_APART / 1000:.0f} km",
                    cure="Ask for fewer pixels or a single scene.",
                )
            yield _Place(folder, domain, name, grid, commune)


def _take(settings: Simulation, place: _Place, before: dt.date | None, date: dt.date, bar: Bar) -> Simulated:
    """One image with all its masks."""
    commune, sky = place.commune, settings.sky
    optical, tags = not _is_radar(place.sensor), _tags(place, date)
    image, truth = _specs(place, date)
    mask = place.path("truth", date)
    with CogWriter(place.path("image", date), image) as pixels, CogWriter(mask, truth) as land:
        for window in place.strips:
            scene = commune.scene(place.sensor, place.grid, window, date=date, sky=sky)
            pixels.write(Strip(window.row, scene.image.pixels))
            land.write(Strip(window.row, scene.truth[None]))
            bar.advance(window.height)
    quality = change = None
    if optical:
        kind = "Fmask" if place.sensor.startswith("hls") else "SCL"
        spec = RasterSpec(place.grid, (kind,), "uint8", None, overviews="nearest", title="Quality", tags=tags)
        quality = place.path("quality", date)
        _write(place, quality, spec, lambda w: commune.quality(place.sensor, place.grid, w, date=date, sky=sky))
    if before is not None and not settings.floods:
        spec = RasterSpec(place.grid, ("event",), "uint8", CHANGES.nodata, CHANGES, "mode", title="Change", tags=tags)
        change, start = place.path("change", before, date), before
        _write(place, change, spec, lambda w: commune.changes(place.grid, start, date, w))
    return Simulated(place.path("image", date), mask, place.domain, place.sensor, date, quality, change)


def _tags(place: _Place, date: dt.date) -> dict[str, str]:
    return {"SENSOR": place.sensor, "ACQUISITIONDATETIME": f"{date.isoformat()}T10:45:00Z", "SIMULATED": "yes"}


def _specs(place: _Place, date: dt.date) -> tuple[RasterSpec, RasterSpec]:
    """What the image and its truth will be."""
    chosen, tags, classes = sensor(place.sensor), _tags(place, date), place.commune.classes
    title = f"Simulated {chosen.title}"
    image = RasterSpec(place.grid, chosen.band_names, str(dtype_of(chosen)), chosen.nodata, title=title, tags=tags)
    truth = RasterSpec(place.grid, ("class",), "uint8", classes.nodata, classes, "mode", title="Truth", tags=tags)
    return image, truth


def _take_series(place: _Place, dates: Sequence[dt.date], bar: Bar) -> Iterator[Simulated]:
    """Images and truth of several dates of a river, which cost little more than one."""
    with ExitStack() as opened:
        pairs = []
        for date in dates:
            image, truth = _specs(place, date)
            paths = place.path("image", date), place.path("truth", date)
            pairs.append(
                (opened.enter_context(CogWriter(paths[0], image)), opened.enter_context(CogWriter(paths[1], truth)))
            )
        for window in place.strips:
            scenes = place.commune.radar_series(place.sensor, place.grid, window, dates=dates)
            for (pixels, land), scene in zip(pairs, scenes, strict=True):
                pixels.write(Strip(window.row, scene.image.pixels))
                land.write(Strip(window.row, scene.truth[None]))
                bar.advance(window.height)
    for date in dates:
        yield Simulated(place.path("image", date), place.path("truth", date), place.domain, place.sensor, date)


def _with_river(one: Simulated, places: Sequence[_Place], settings: Simulation) -> Simulated:
    """The row of an image, with what the river did."""
    levels = next(place.commune.levels for place in places if place.domain == one.domain)
    assert isinstance(levels, Hydrograph)
    days, at = settings.days, settings.days.index(one.date)
    since = (one.date - days[at - 1]).days if at else settings.revisit
    return replace(one, rain=round(levels.rain(one.date, since), 1), level=round(levels(one.date), 3))


def _write(place: _Place, path: Path, spec: RasterSpec, make: Callable[[Window], NDArray[np.uint8]]) -> None:
    with CogWriter(path, spec) as writer:
        for window in place.strips:
            writer.write(Strip(window.row, make(window)[None]))


def _index_text(done: list[Simulated], folder: Path) -> str:
    """The index as CSV, with paths relative to its folder."""

    def cell(value: Any) -> str:  # noqa: ANN401
        if value is None:
            return ""
        return value.relative_to(folder).as_posix() if isinstance(value, Path) else str(value)

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    columns = ["image", "mask", "domain", "sensor", "date", "quality", "change"]
    columns += ["rain", "level"] if any(one.level is not None for one in done) else []
    rows.writerow(columns)
    for one in done:
        rows.writerow([cell(getattr(one, column)) for column in columns])
    return text.getvalue()
