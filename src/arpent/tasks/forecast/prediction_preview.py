"""What a person looks at first: what was seen, what is foretold and, where it is known, what came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from arpent.core import ClassMap, Language, Raster
from arpent.data import target_of
from arpent.io import quicklook
from arpent.language import say
from arpent.report import Tile, tiles
from arpent.tasks.forecast.evaluation_pictures import class_raster, wrong_only
from arpent.tasks.forecast.foretold import Plan
from arpent.tasks.forecast.radar_pictures import as_picture
from arpent.tasks.forecast.timeline import TimelineDate

__all__ = ["draw_prediction"]

_LARGEST = 420
"""Pixels of the longer side of a map; a page shows no more."""
_MOST_ROWS = 4
"""Observed dates that are shown where nothing is foretold."""


def draw_prediction(
    path: Path, folder: Path, plan: Plan, dates: Sequence[TimelineDate], classes: ClassMap, language: Language
) -> Path:
    """The preview of one place, as PNG.

    Args:
        path: of the PNG.
        folder: that holds the maps.
        plan: the dates of the forecast.
        dates: the same as the timeline has them.
        classes: what maps name.
        language: of the words.
    """
    if plan.coming:
        shown, across = [_forecast(folder, plan, dates, classes, language)], 1 + len(plan.coming)
        image = say("forecast_product.radar", language, date=plan.issue.isoformat())
    else:
        chosen = np.unique(np.linspace(0, len(dates) - 1, min(len(dates), _MOST_ROWS)).round().astype(int))
        shown, across = [_observed(folder, plan, dates[at], classes, language) for at in chosen], 2
        image = say("forecast_product.radar_word", language)
    return tiles(shown, classes, path, image=image, language=language, across=across)


def _observed(folder: Path, plan: Plan, one: TimelineDate, classes: ClassMap, language: Language) -> Tile:
    """The radar image of a date, and the map of it."""
    frame = next(frame for frame in plan.observed if frame.date.isoformat() == one.date)
    title = say("forecast_product.map_of", language, date=one.date)
    return Tile(as_picture(quicklook(frame.image, _LARGEST)), {title: _map(folder / one.classes, classes)})


def _forecast(folder: Path, plan: Plan, dates: Sequence[TimelineDate], classes: ClassMap, language: Language) -> Tile:
    """Three rows at most: forecasts, what came true, and where the two differ; before each, what was seen earlier."""
    observed = [one for one in dates if one.kind == "observed"]
    coming = [one for one in dates if one.kind == "forecast"]
    told = say("forecast_product.forecast", language)
    maps: dict[str, Raster] = {
        f"{told}, {one.date}, t+{one.horizon}": _map(folder / one.classes, classes) for one in coming
    }
    truths = {one.horizon: one.frame.mask for one in plan.coming if one.frame is not None and one.frame.mask}
    maps[_seen(observed[-1], language)] = _map(folder / observed[-1].classes, classes)
    if len(truths) == len(coming):
        maps |= _beside(folder, observed, coming, truths, classes, language)
    image = as_picture(quicklook(plan.past[-1].image, _LARGEST))
    return Tile(image, maps)


def _beside(
    folder: Path,
    observed: Sequence[TimelineDate],
    coming: Sequence[TimelineDate],
    truths: Mapping[int, str | None],
    classes: ClassMap,
    language: Language,
) -> dict[str, Raster]:
    """What came true, and where forecasts are wrong; an earlier map fills the place before them."""
    true: dict[str, Raster] = {}
    wrong: dict[str, Raster] = {}
    for one in coming:
        raster = quicklook(str(truths[one.horizon]), _LARGEST, classes=True)
        truth = target_of(raster, classes).astype(np.int64)
        said = target_of(_map(folder / one.classes, classes), classes).astype(np.int64)
        true[say("forecast_product.truth_of", language, date=one.date)] = class_raster(truth, classes, raster.grid)
        title = say("forecast_product.error", language, horizon=one.horizon)
        wrong[title] = class_raster(wrong_only(said, truth), classes, raster.grid)
    earlier = observed[-2] if len(observed) > 1 else observed[-1]
    title = _seen(earlier, language) if len(observed) > 1 else " "
    return {**true, title: _map(folder / earlier.classes, classes), **wrong}


def _seen(one: TimelineDate, language: Language) -> str:
    return f"{say('forecast_product.observed_word', language)}, {one.date}"


def _map(path: Path, classes: ClassMap) -> Raster:
    """A map of classes in small."""
    raster = quicklook(path, _LARGEST, classes=True)
    valid = raster.valid & (classes.index_of_id[raster.pixels[0].astype(np.uint8)] >= 0)
    return Raster(raster.pixels[:1].astype(np.uint8), valid, raster.grid, ("class",))
