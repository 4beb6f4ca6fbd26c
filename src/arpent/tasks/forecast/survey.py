"""What the series are, before anything is written: their grids, bands, units and orbits, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from arpent.core import Grid, Language
from arpent.errors import BandMismatch, DatasetError
from arpent.io.header import read_header
from arpent.language import say
from arpent.tasks.forecast.finding import Found, Sources
from arpent.tasks.forecast.orbits import Orbit, common_orbit
from arpent.tasks.forecast.power import POLARISATIONS, FrameReader
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.telling import clauses

__all__ = ["Surveyed", "survey"]


_NAMED = 3
"""Images of a kind that are named."""


@dataclass(frozen=True)
class Surveyed:
    """A place that can be prepared.

    Attributes:
        name: of the place.
        dates: in order.
        grid: that of its first date.
        bands: that all dates of all places have.
        orbit: what all dates share.
        calibrated: whether the numbers are backscatter.
        synthetic: whether the images were simulated.
        notes: what people should know.
    """

    name: str
    dates: tuple[Found, ...]
    grid: Grid
    bands: tuple[str, ...]
    orbit: Orbit
    calibrated: bool
    synthetic: bool
    notes: tuple[str, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """Days between neighbouring dates."""
        return tuple((later.date - earlier.date).days for earlier, later in pairwise(self.dates))


def survey(sources: Sources, settings: PrepareSettings) -> tuple[Surveyed, ...]:
    """Looks at every image once: at its header, and at some of its pixels.

    Raises:
        DatasetError: a place has fewer dates than a forecast starts from, or mixes orbits.
        BandMismatch: not all images have VV, and not all have VH.
        InvalidSetting: values that are not what they are declared to be.
        NoOverlap, GeoreferenceMissing: images that cannot be laid over the first one of their place.
    """
    for name, dates in sources.places.items():
        if len(dates) < settings.past:
            raise DatasetError(
                f"{name} has fewer dates than a forecast starts from",
                found=len(dates),
                expected=f"{settings.past} or more",
                cure="Give more dates, or look fewer back with --past.",
            )
    found = [_surveyed(name, dates, settings) for name, dates in sources.places.items()]
    bands = _common_bands(found, settings)
    left = sorted({band for one in found for band in one.bands}.intersection(_wanted(settings)) - set(bands))
    notes = [say("prepare.left_out", settings.language, band=band.upper()) for band in left]
    if not settings.allow_mixed_orbits:
        # Tracks differ from place to place; kinds of product must not.
        common_orbit({one.name: Orbit(product=one.orbit.product) for one in found}, "the series")
    return tuple(replace(one, bands=bands, notes=(*one.notes, *notes)) for one in found)


def _surveyed(name: str, dates: Sequence[Found], settings: PrepareSettings) -> Surveyed:
    orbit = common_orbit({one.name: one.orbit for one in dates}, name, allow_mixed=settings.allow_mixed_orbits)
    grid: Grid | None = None
    units: dict[str, list[Found]] = {}
    detected = False
    bands = set(POLARISATIONS)
    every: set[str] = set()
    moved, assumed = 0, False
    for one in dates:
        with FrameReader(one, settings, grid) as reader:
            grid = grid or reader.grid
            units.setdefault(reader.numbers, []).append(one)
            detected |= reader.detected
            bands &= set(reader.bands)
            every |= set(reader.bands)
            moved += reader.moved
            assumed |= reader.assumed
    assert grid is not None
    language = settings.language
    notes = [_units_told(name, units, language)] if detected else []
    if assumed:
        notes.append(say("prepare.assumed", language, place=name, bands=", ".join(sorted(bands, reverse=True)).upper()))
    if moved:
        notes.append(say("prepare.moved", language, place=name, dates=moved))
    if orbit != Orbit():
        notes.append(say("prepare.orbit", language, place=name, orbit=orbit))
    tags = read_header(dates[0].images[0], dates[0].name).tags
    return Surveyed(
        name,
        tuple(dates),
        grid,
        tuple(band for band in POLARISATIONS if band in bands),
        orbit,
        "amplitude" not in units,
        tags.get("SIMULATED") == "yes",
        (
            *notes,
            *(
                say("prepare.left_out", language, band=band.upper())
                for band in sorted(every.intersection(_wanted(settings)) - bands)
            ),
        ),
    )


def _units_told(place: str, units: Mapping[str, Sequence[Found]], language: Language) -> str:
    """What the numbers of a place were taken for; where that differs from date to date, which are which."""
    if len(units) == 1:
        return say(f"prepare.units_{next(iter(units))}", language, place=place)
    told = []
    for numbers, dates in sorted(units.items(), key=lambda item: len(item[1])):
        names = ", ".join(one.name for one in dates[:_NAMED]) + (" …" if len(dates) > _NAMED else "")
        told.append(say(f"prepare.some_{numbers}", language, dates=len(dates), names=names))
    return say("prepare.units_mixed", language, place=place, told=clauses(told, language))


def _wanted(settings: PrepareSettings) -> tuple[str, ...]:
    return settings.bands or POLARISATIONS


def _common_bands(found: Sequence[Surveyed], settings: PrepareSettings) -> tuple[str, ...]:
    """What every date of every place has, of what is wanted."""
    there = {band for band in POLARISATIONS if all(band in one.bands for one in found)}
    told = "; ".join(f"{', '.join(one.bands).upper() or 'none of all'} in {one.name}" for one in found)
    missing = [band.upper() for band in settings.bands or () if band not in there]
    if missing:
        raise BandMismatch(
            f"not all dates have {' and '.join(missing)}",
            found=told,
            expected=", ".join(settings.bands or ()).upper(),
            cure="Keep the images that have it; to do with one polarisation alone, prepare and train with --bands.",
        )
    if not there:
        raise BandMismatch(
            "no polarisation is there on all dates", found=told, cure="Keep the images that have VV, or those with VH."
        )
    return tuple(band for band in POLARISATIONS if band in there and band in _wanted(settings))
