"""The picture in front of a run: its parcels as they were last seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from arpent.core import Language
from arpent.language import Measured, say
from arpent.report.parcel_map import Outline, parcel_map

__all__ = ["Sighting", "overview"]


@dataclass(frozen=True)
class Sighting:
    """A parcel on a day.

    Attributes:
        measured: what is known of it.
        geometry: its outline as WKB in longitude and latitude; None where it lies nowhere.
    """

    measured: Measured
    geometry: bytes | None


def overview(sightings: Iterable[Sighting], path: Path, language: Language) -> Path | None:
    """Draws the NDVI of each parcel on the last day that it was seen; None where no parcel lies anywhere.

    Args:
        sightings: in any order.
        path: of the PNG.
        language: of its title.
    """
    last: dict[tuple[str, str], Sighting] = {}
    for one in sightings:
        key = (one.measured.place, one.measured.parcel)
        if one.geometry is not None and (key not in last or _order(last[key]) <= _order(one)):
            last[key] = one
    outlines, days = [], set()
    for one in last.values():
        rings = _rings(one.geometry)
        if rings:
            outlines.append(Outline(rings, one.measured.indices.get("NDVI")))
            days.add(one.measured.taken)
    if not outlines:
        return None
    day = days.pop() if len(days) == 1 else None
    title = say("indices.map_last", language) if day is None else say("indices.map_day", language, day=day)
    return parcel_map(outlines, path, title=title, language=language)


def _order(one: Sighting) -> tuple[bool, dt.date]:
    """Later days come later, and those on which nothing was seen before all others."""
    return "NDVI" in one.measured.indices, one.measured.taken or dt.date.min


def _rings(geometry: bytes | None) -> list[NDArray[np.float64]]:
    """What bounds a parcel from outside, one ring for each of its parts."""
    parts = shapely.get_parts(shapely.from_wkb(geometry)) if geometry is not None else ()
    rings = [shapely.get_exterior_ring(part) for part in parts if part.geom_type == "Polygon" and not part.is_empty]
    return [shapely.get_coordinates(ring) for ring in rings]
