"""The dates of a forecast in one document, observed and foretold, for maps that can be moved through time.

``docs/formats/timeline.md`` describes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from arpent.core import ClassMap, Grid, pixel_area, write_file
from arpent.data import Split, target_of
from arpent.io import footprint, open_image
from arpent.metrics import ConfusionMatrix

__all__ = ["TIMELINE_FORMAT", "TimelineDate", "measured", "write_timeline"]

TIMELINE_FORMAT: Final = 1
"""Version of the format that this code writes."""

_ROWS = 512


@dataclass(frozen=True)
class Measured:
    """What a map of classes says.

    Attributes:
        shares: of the ground with data, by the English name of the class.
        areas: in square metres; empty for a map without georeference.
        iou: of each class that the truth holds, where a truth was given.
    """

    shares: Mapping[str, float]
    areas: Mapping[str, float]
    iou: Mapping[str, float]


@dataclass(frozen=True)
class TimelineDate:
    """One date.

    Attributes:
        date: the valid date, as 2023-05-01.
        kind: whether it was observed or is foretold.
        horizon: steps after the issue date; 0 and below for observed ones.
        days: after the issue date.
        classes: file of the map, beside this document.
        probabilities: file of the probabilities, if there is one.
        polygons: file of the outlines, if there is one.
        image: absolute path of the radar image of that date, where there is one.
        side: of the data set on which its truth lies, where there is one: models learn from "train".
        shares, area_m2, iou: see `Measured`.
        persistence: the IoU of the map of the issue date against the truth of this one.
    """

    date: str
    kind: Literal["observed", "forecast"]
    horizon: int
    days: int
    classes: str
    probabilities: str | None = None
    polygons: str | None = None
    image: str | None = None
    side: Split | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    area_m2: Mapping[str, float] = field(default_factory=dict)
    iou: Mapping[str, float] = field(default_factory=dict)
    persistence: Mapping[str, float] = field(default_factory=dict)


def measured(path: Path, classes: ClassMap, truth: str | None = None) -> Measured:
    """The ground of each class on a map, and how right it is where a truth is given on the same pixels."""
    counts, metres = np.zeros(len(classes), np.int64), np.zeros(len(classes))
    matrix = ConfusionMatrix(classes)
    with ExitStack() as opened:
        image = opened.enter_context(open_image(path))
        known = None if truth is None else opened.enter_context(open_image(truth, resampling="nearest"))
        placed = image.grid.georeferenced
        for strip in image.grid.window.strips(_ROWS):
            said = target_of(image.read(strip), classes)
            found = np.bincount(said[said >= 0], minlength=len(classes))
            counts += found
            if placed:
                metres += found * pixel_area(image.grid, strip)
            if known is not None:
                true = target_of(known.read(strip), classes)
                kept = (said >= 0) & (true >= 0)
                matrix.update(true[kept], said[kept])
    names = [one.en for one in classes.classes]
    total = max(int(counts.sum()), 1)
    iou = matrix.scores().iou_by_class if matrix.total else np.full(len(classes), math.nan)
    return Measured(
        {name: float(count / total) for name, count in zip(names, counts, strict=True)},
        dict(zip(names, metres.tolist(), strict=True)) if placed else {},
        {name: float(value) for name, value in zip(names, iou, strict=True) if math.isfinite(value)},
    )


def write_timeline(
    path: Path,
    dates: Sequence[TimelineDate],
    *,
    place: str,
    issue: str,
    step: float,
    grid: Grid,
    classes: ClassMap,
) -> Path:
    """Writes the document, dates in order.

    Args:
        path: of the document.
        dates: observed and foretold.
        place: what is seen.
        issue: the issue date.
        step: days of a step.
        grid: of the maps.
        classes: what their numbers mean.
    """
    document: dict[str, Any] = {
        "format": TIMELINE_FORMAT,
        "place": place,
        "issue": issue,
        "step_days": step,
        "bbox": list(footprint(grid).bbox) if grid.crs is not None else None,
        "classes": [{"id": one.id, "en": one.en, "fr": one.fr, "colour": one.colour} for one in classes.classes],
        "dates": [asdict(one) for one in sorted(dates, key=lambda one: one.date)],
    }
    return write_file(path, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
