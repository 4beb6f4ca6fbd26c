"""What a person looks at first: what was seen, what is foretold and, where it is known, what came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Language
from arpent.data import target_of
from arpent.io import quicklook
from arpent.language import say
from arpent.report.contact import Contact, ContactRow, contact_sheet
from arpent.tasks.forecast.contact import pictures_of, tones_of
from arpent.tasks.forecast.dataset import Frame
from arpent.tasks.forecast.evaluation_pictures import wrong_only
from arpent.tasks.forecast.foretold import Plan
from arpent.tasks.forecast.timeline import TimelineDate

__all__ = ["draw_prediction"]

_LARGEST = 420
"""Pixels of the longer side of a map; a page shows no more."""
_MOST = 7
"""Dates that are shown, as many as stand side by side."""


@dataclass(frozen=True)
class _Shown:
    """One date of the sheet.

    Attributes:
        date: as the timeline has it.
        frame: its image, where there is one.
        said: ``(height, width)`` indices of classes on the map, -1 where it has none.
        true: the same of the truth, where it is known on the same pixels.
    """

    date: TimelineDate
    frame: Frame | None
    said: NDArray[np.int64]
    true: NDArray[np.int64] | None

    def label(self, language: Language) -> str:
        """What stands on the right below the map."""
        if self.date.kind == "observed":
            return say("forecast_product.observed_word", language)
        return say("forecast_report.step", language, horizon=self.date.horizon, days=self.date.days)


def draw_prediction(
    path: Path,
    folder: Path,
    plan: Plan,
    dates: Sequence[TimelineDate],
    *,
    classes: ClassMap,
    bands: Sequence[str],
    language: Language,
) -> Path:
    """The preview of one place, as PNG: a column for each date, as far as there is room.

    Args:
        path: of the PNG.
        folder: that holds the maps.
        plan: the dates of the forecast.
        dates: the same as the timeline has them.
        classes: what maps name.
        bands: polarisations of the images.
        language: of the words.
    """
    shown = [_shown(folder, plan, one, classes) for one in _chosen(dates)]
    rows = [
        ContactRow(say("forecast_product.radar_row", language), _radar(shown)),
        ContactRow(
            say("forecast_product.map_row", language),
            [Contact(_coloured(one.said, classes), one.date.date, one.label(language)) for one in shown],
        ),
    ]
    known = [(one, one.true) for one in shown if one.true is not None]
    if known:
        truths = [Contact(_coloured(true, classes), one.date.date) for one, true in known]
        wrong = [Contact(_coloured(wrong_only(one.said, true), classes), one.date.date) for one, true in known]
        rows.append(ContactRow(say("forecast_product.truth_row", language), truths))
        rows.append(ContactRow(say("forecast_product.error_row", language), wrong))
    key = "forecast_product.sheet" if plan.coming else "forecast_product.sheet_observed"
    title = say(key, language, place=plan.place.name, issue=plan.issue, dates=len(dates))
    there = sorted({int(at) for one in shown for at in np.unique(one.said)} | _classes_of(known))
    named = {classes.classes[at].label(language): classes.classes[at].colour for at in there if at >= 0}
    return contact_sheet(rows, path, title=title, note=tones_of(bands, language), named=named)


def _classes_of(known: Sequence[tuple[_Shown, NDArray[np.int64]]]) -> set[int]:
    return {int(at) for _, true in known for at in np.unique(true)}


def _chosen(dates: Sequence[TimelineDate]) -> list[TimelineDate]:
    """The coming dates and the last ones before them; where nothing is foretold, some of all, evenly spread."""
    coming = [one for one in dates if one.kind == "forecast"][: _MOST - 1]
    observed = [one for one in dates if one.kind == "observed"]
    if coming:
        return [*observed[-max(1, _MOST - len(coming)) :], *coming]
    places = np.unique(np.linspace(0, len(observed) - 1, min(len(observed), _MOST)).round().astype(int))
    return [observed[at] for at in places]


def _shown(folder: Path, plan: Plan, one: TimelineDate, classes: ClassMap) -> _Shown:
    taken = {frame.date.isoformat(): frame for frame in plan.observed}
    taken |= {ahead.date.isoformat(): ahead.frame for ahead in plan.coming if ahead.frame is not None}
    frame = taken.get(one.date)
    said = _indices(folder / one.classes, classes)
    true = _indices(Path(frame.mask), classes) if frame is not None and frame.mask else None
    return _Shown(one, frame, said, true if true is not None and true.shape == said.shape else None)


def _radar(shown: Sequence[_Shown]) -> list[Contact]:
    """The images of the dates that have one, in one tone."""
    seen = [(one.date.date, one.frame) for one in shown if one.frame is not None]
    pictures = pictures_of([frame for _, frame in seen], _LARGEST)
    return [Contact(rgb, date) for (date, _), rgb in zip(seen, pictures, strict=True)]


def _indices(path: Path, classes: ClassMap) -> NDArray[np.int64]:
    """A map of classes in small, by their indices."""
    return target_of(quicklook(path, _LARGEST, classes=True), classes).astype(np.int64)


def _coloured(indices: NDArray[np.int64], classes: ClassMap) -> NDArray[np.uint8]:
    """Indices of classes in their colours; white where there is none."""
    colours = np.vstack([classes.palette[classes.ids][:, :3], np.full((1, 3), 255, np.uint8)])
    return np.asarray(colours[indices], np.uint8)
