"""The dates of each parcel in their order: what can be told of a season, and where it turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from arpent.language import Measured
from arpent.language.grammar import abstains
from arpent.language.season import Moment, turning_points
from arpent.tasks.describe.table import Measurement

__all__ = ["Dated", "Season", "Turn", "seasons_of", "turns_of"]


@dataclass(frozen=True)
class Dated:
    """A parcel on one day.

    Attributes:
        taken: the day.
        measured: what was measured; without indices where too little was seen to tell.
        seen: whether enough was seen.
        value: what was measured all the same, by index.
    """

    taken: date
    measured: Measured
    seen: bool
    value: Mapping[str, float]


@dataclass(frozen=True)
class Turn:
    """A day on which an index turns.

    Attributes:
        index: "NDVI".
        kind: "peak" or "trough".
        taken: the day.
        value: of the index.
    """

    index: str
    kind: str
    taken: date
    value: float


@dataclass(frozen=True)
class Season:
    """All days of a parcel, in order, each once.

    Attributes:
        parcel: its name.
        place: of its first image.
        days: the days.
        geometry: of the parcel, as WKB in longitude and latitude; None where it is not known.
    """

    parcel: str
    place: str
    days: tuple[Dated, ...]
    geometry: bytes | None = None

    @property
    def told(self) -> tuple[Measured, ...]:
        """What sentences may speak of: days on which too little was seen are there without indices."""
        return tuple(day.measured for day in self.days)

    @property
    def seen(self) -> tuple[Dated, ...]:
        """The days on which enough was seen."""
        return tuple(day for day in self.days if day.seen)

    def of(self, index: str) -> tuple[tuple[date, float], ...]:
        """An index on the days on which it was measured and enough was seen."""
        return tuple((day.taken, day.value[index]) for day in self.seen if index in day.value)

    def growing(self, crop: str | None) -> Season:
        """The same, with the crop that grows there."""
        days = tuple(replace(day, measured=replace(day.measured, crop=crop)) for day in self.days)
        return replace(self, days=days)


def seasons_of(rows: Iterable[Measurement], *, by_name: bool) -> list[Season]:
    """The seasons of a table, in the order in which parcels first occur; rows without a day are passed over.

    Where two images of a day see a parcel, the one that sees more of it counts.

    Args:
        rows: measurements.
        by_name: a parcel is the same on all images on which it has this name; without, in one place only.
    """
    found: dict[tuple[str, str], dict[date, Measurement]] = {}
    for row in rows:
        known = row.measured
        if known.taken is None:
            continue
        days = found.setdefault((known.parcel, "" if by_name else known.place), {})
        other = days.get(known.taken)
        if other is None or other.measured.valid < known.valid:
            days[known.taken] = row
    return [
        Season(
            name,
            next(iter(days.values())).measured.place,
            tuple(_dated(days[day].measured, day) for day in sorted(days)),
            next((row.geometry for row in days.values() if row.geometry is not None), None),
        )
        for (name, _), days in found.items()
    ]


def _dated(measured: Measured, taken: date) -> Dated:
    seen = not abstains(measured) and bool(measured.indices)
    told = measured if seen else replace(measured, indices={}, shares={})
    return Dated(taken, told, seen, dict(measured.indices))


def turns_of(season: Season, index: str) -> list[Turn]:
    """The peaks and troughs of an index: the same days that sentences of the season speak of.

    A series that only rises, or only falls, has none: its ends are no turns.
    """
    moments = [Moment(taken, round(value, 2)) for taken, value in season.of(index)]
    points = turning_points(moments) if moments else []
    turns = []
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        if here.value > max(before.value, after.value):
            turns.append(Turn(index, "peak", here.when, here.value))
        elif here.value < min(before.value, after.value):
            turns.append(Turn(index, "trough", here.when, here.value))
    return turns
