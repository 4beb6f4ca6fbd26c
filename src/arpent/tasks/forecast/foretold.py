"""Which dates a forecast starts from, and which it speaks of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median_low

from arpent.errors import DatasetError, InvalidSetting, UnknownName
from arpent.tasks.forecast.dataset import Dataset, Frame, Place

__all__ = ["Coming", "Plan", "place_named", "plan_of", "usual_step", "whole_places"]


@dataclass(frozen=True)
class Coming:
    """A date that is foretold.

    Attributes:
        horizon: steps after the issue date, from 1 on.
        date: the valid date.
        frame: the image of that date, where it has been taken since: its truth can then be held beside the forecast.
        told: covariates of that day that the user has given, such as a forecast of rain.
    """

    horizon: int
    date: dt.date
    frame: Frame | None = None
    told: Mapping[str, float] = field(default_factory=dict)

    @property
    def covariates(self) -> Mapping[str, float]:
        """What is known of that day: what the user has given, and else what the series has of it."""
        return {**(self.frame.covariates if self.frame else {}), **self.told}


@dataclass(frozen=True)
class Plan:
    """The dates of one forecast of one place.

    Attributes:
        place: where; of a place that time or blocks divide, all of it.
        past: the dates that the forecast starts from; the last is the issue date.
        observed: the dates up to the issue date that are mapped.
        coming: those that are foretold.
        step: days of a step.
    """

    place: Place
    past: tuple[Frame, ...]
    observed: tuple[Frame, ...]
    coming: tuple[Coming, ...]
    step: float

    @property
    def issue(self) -> dt.date:
        """The issue date."""
        return self.past[-1].date


def whole_places(dataset: Dataset) -> tuple[Place, ...]:
    """The places of a data set as whole images, however its splits divide them.

    A date of which a block is learnt from counts as learnt from.
    """
    found: dict[str, Place] = {}
    for place in dataset.places:
        name = place.name if place.window is None else place.name.rpartition("@")[0]
        frames = {frame.image: frame for frame in found[name].frames} if name in found else {}
        for frame in place.frames:
            known = frames.get(frame.image)
            frames[frame.image] = known if known is not None and known.split == "train" else frame
        ordered = tuple(sorted(frames.values(), key=lambda frame: frame.date))
        found[name] = replace(place, name=name, frames=ordered, window=None)
    return tuple(found.values())


def place_named(places: Sequence[Place], name: str | None) -> tuple[Place, ...]:
    """The one place of that name; all of them if there is no name.

    Raises:
        UnknownName: there is none of that name.
    """
    if name is None:
        return tuple(places)
    found = tuple(place for place in places if place.name == name)
    if not found:
        raise UnknownName.among(name, [place.name for place in places], "place")
    return found


def usual_step(place: Place, otherwise: float) -> float:
    """Days between neighbouring dates of a place: the middle one of its steps; of a single date, what is given.

    Places of one data set may be seen by different rhythms, so that the step of all of them need be that of none.
    """
    steps = [later - earlier for earlier, later in pairwise(place.days)]
    return float(median_low(steps)) if steps else otherwise


def plan_of(
    place: Place, past: int, future: int, *, step: float, issue: dt.date | None = None, everything: bool = False
) -> Plan:
    """The dates of a forecast.

    Dates after the issue date that have been taken since are the ones foretold, as far as there are; after them come
    days a step apart.

    Args:
        place: whose dates.
        past: dates that the forecast starts from.
        future: dates that it foretells.
        step: days of a step.
        issue: the issue date; that of the last image if None.
        everything: whether all dates up to the issue date are mapped, and not only those that the forecast starts from.

    Raises:
        InvalidSetting: no image is of the issue date.
        DatasetError: there are too few dates before.
    """
    frames = place.frames
    dates = [frame.date for frame in frames]
    if issue is not None and issue not in dates:
        near = min(dates, key=lambda day: abs((day - issue).days))
        raise InvalidSetting(
            f"no image of {place.name} is of {issue}",
            found=f"{len(dates)} dates from {dates[0]} to {dates[-1]}",
            cure=f"Name one of these; the nearest is --issue {near}.",
        )
    at = len(frames) - 1 if issue is None else dates.index(issue)
    if at + 1 < past:
        raise DatasetError(
            f"{place.name} has too few dates up to {dates[at]} to forecast from",
            found=f"{at + 1} {'date' if at == 0 else 'dates'}",
            expected=f"{past} or more",
            cure="Add earlier images, or choose a later issue date with --issue."
            if at + 1 < len(frames)
            else "Add earlier images: the model looks at as many at once.",
        )
    taken = frames[at + 1 : at + 1 + future]
    coming = [Coming(number, frame.date, frame) for number, frame in enumerate(taken, 1)]
    for number in range(len(taken) + 1, future + 1):
        last = coming[-1].date if coming else dates[at]
        since = number - len(taken)
        start = taken[-1].date if taken else dates[at]
        day = start + dt.timedelta(days=max(1, round(step * since)))
        coming.append(Coming(number, max(day, last + dt.timedelta(days=1))))
    seen = frames[at + 1 - past : at + 1]
    return Plan(place, seen, frames[: at + 1] if everything else seen, tuple(coming), step)
