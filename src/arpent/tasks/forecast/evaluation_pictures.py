"""The pictures of an evaluation: skill by horizon, water over time, reliability, and forecasts beside the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Grid, Language, Raster, Window
from arpent.language import say
from arpent.metrics import REGIMES, Reliability, reliability
from arpent.report import Course, ReliabilityLine, Tile, courses, reliabilities, tiles
from arpent.tasks.forecast.answering import ForecastModel
from arpent.tasks.forecast.evaluate_settings import EvaluateSettings
from arpent.tasks.forecast.judging import METHODS, Forecasting, Issue, Judged, Method, look, window_of
from arpent.tasks.forecast.radar_pictures import as_pictures
from arpent.tasks.forecast.verdict import skill_of, step_of

__all__ = ["Drawn", "class_raster", "draw_evaluation", "ece_of", "wrong_only"]

_SIDE = 256
"""Side in pixels of the part of a place that an example shows."""


@dataclass(frozen=True)
class Drawn:
    """Pictures as files.

    Attributes:
        skill: of each method by horizon.
        course: of the watched class at one place.
        place: which one.
        reliability: of the probabilities.
        examples: with what each shows; in the order of the page.
    """

    skill: Path
    course: Path
    place: str
    reliability: Path
    examples: Mapping[Path, str]

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.skill, self.course, self.reliability, *self.examples)


def draw_evaluation(model: ForecastModel, judged: Judged, folder: Path, settings: EvaluateSettings) -> Drawn:
    """Draws all pictures into a folder."""
    language = settings.language
    place = _liveliest(judged)
    examples = {}
    for number, (issue, horizon) in enumerate(_shown(judged, settings.examples), 1):
        path = folder / f"example_{number}.png"
        examples[_example(model, judged, issue, horizon, path, language)] = _told(judged, issue, horizon, language)
    return Drawn(
        _skill(judged, folder / "skill.png", language),
        _course(judged, place, folder / "course.png", language),
        place,
        _reliability(judged, folder / "reliability.png", language),
        examples,
    )


def ece_of(judged: Judged, horizon: int) -> Reliability:
    """What the probabilities of the watched class are worth at a horizon."""
    histogram = judged.tallies["model"].histogram(horizon)
    assert histogram is not None  # a model always gives probabilities
    return reliability(histogram)


def _skill(judged: Judged, path: Path, language: Language) -> Path:
    steps = list(range(1, judged.horizons + 1))
    # What all are held against comes first, in grey.
    order: tuple[Method, ...] = ("persistence", "model", "predicted", "linear", "climatology")
    lines = {
        say(f"forecast_report.{method}", language): Course(
            steps, [skill_of(one) for one in judged.tallies[method].scores()]
        )
        for method in order
    }
    figure = say("forecast_report.figure_of", language, name=judged.watched.label(language))
    return courses(lines, path, x=say("forecast_report.horizon", language), y=f"{figure}, %", language=language)


def _liveliest(judged: Judged) -> str:
    """The place whose watched class moves most."""
    moved: dict[str, list[float]] = {}
    shares = judged.tallies["persistence"].shares(1)
    for issue in judged.issues:
        if issue.name in shares:
            moved.setdefault(issue.place.name, []).append(shares[issue.name].true)
    return max(moved, key=lambda name: float(np.ptp(moved[name])))


def _course(judged: Judged, place: str, path: Path, language: Language) -> Path:
    """True share over time, and each horizon's forecasts at the dates that they speak of."""
    here = [issue for issue in judged.issues if issue.place.name == place]
    first = here[0].date
    truth: dict[int, float] = {}
    lines: dict[str, Course] = {}
    for horizon in sorted(judged.ahead):
        shares, days, said = judged.tallies["model"].shares(horizon), [], []
        for issue in here:
            if issue.name not in shares:
                continue
            one, since = shares[issue.name], (issue.date - first).days
            truth[since] = one.before
            truth[since + issue.ahead(horizon)] = one.true
            days.append(since + issue.ahead(horizon))
            said.append(one.said)
        lines[step_of(horizon, judged.ahead, language)] = Course(days, said)
    days = sorted(truth)
    name = judged.watched.label(language)
    return courses(
        {say("forecast_report.course_seen", language): Course(days, [truth[day] for day in days]), **lines},
        path,
        x=say("forecast_report.days", language, first=first),
        y=say("forecast_report.course", language, name=name, place=place) + ", %",
        language=language,
    )


def _reliability(judged: Judged, path: Path, language: Language) -> Path:
    lines = {}
    for horizon in sorted(judged.ahead):
        one = ece_of(judged, horizon)
        lines[step_of(horizon, judged.ahead, language)] = ReliabilityLine(one.pixels, one.said, one.seen)
    said, seen = say("forecast_report.said", language), say("forecast_report.seen", language)
    return reliabilities(lines, path, x=said, y=seen, language=language)


def _shown(judged: Judged, count: int) -> list[tuple[Issue, int]]:
    """Forecasts worth looking at: those of each regime whose water moved most, at the furthest horizon, by turns."""
    horizon = max(judged.ahead)
    shares = judged.tallies["model"].shares(horizon)
    ranked = {
        regime: [
            issue
            for issue in judged.issues
            if horizon in issue.horizons and issue.name in shares and shares[issue.name].regime == regime
        ]
        for regime in REGIMES
    }
    for issues in ranked.values():
        issues.sort(key=lambda issue: -abs(shares[issue.name].true - shares[issue.name].before))
    chosen: list[tuple[Issue, int]] = []
    while len(chosen) < count and any(ranked.values()):
        for issues in ranked.values():
            if issues and len(chosen) < count:
                chosen.append((issues.pop(0), horizon))
    return chosen


def _told(judged: Judged, issue: Issue, horizon: int, language: Language) -> str:
    regime = judged.tallies["model"].shares(horizon)[issue.name].regime
    told = say(f"forecast_report.{regime}", language)
    return say("forecast_report.example", language, place=issue.place.name, issue=issue.date, regime=told)


def _example(model: Forecasting, judged: Judged, issue: Issue, horizon: int, path: Path, language: Language) -> Path:
    """One row: radar and truth of the issue date, truth and forecast of the horizon, and where they differ."""
    square = _square(window_of(issue.place))
    sight = look(model, issue, square)
    grid, classes = sight.past.grid, judged.classes
    step = step_of(horizon, judged.ahead, language)
    true, said = sight.truth[horizon], sight.said["model"][horizon].mask
    kept = sight.said["persistence"][horizon].mask
    truth, error = say("forecast_report.truth", language), say("forecast_report.error_map", language)
    names = {method: say(f"forecast_report.{method}", language) for method in METHODS}
    maps = {
        f"{truth}, t": class_raster(sight.before, classes, grid),
        f"{truth}, {step}": class_raster(true, classes, grid),
        f"{names['model']}, t+{horizon}": class_raster(said, classes, grid),
        f"{error}, {names['model']}": class_raster(wrong_only(said, true), classes, grid),
        f"{error}, {names['persistence']}": class_raster(wrong_only(kept, true), classes, grid),
    }
    image = f"{say('forecast_report.issued', language)}"
    tile = Tile(as_pictures([sight.past])[0], maps, toned=True)
    return tiles([tile], classes, path, image=image, language=language, across=3)


def _square(whole: Window) -> Window:
    """The middle of a place."""
    height, width = min(_SIDE, whole.height), min(_SIDE, whole.width)
    return Window(whole.row + (whole.height - height) // 2, whole.col + (whole.width - width) // 2, height, width)


def wrong_only(said: NDArray[np.int64], true: NDArray[np.int64]) -> NDArray[np.int64]:
    """What was said where it is wrong; -1 elsewhere."""
    return np.where((said != true) & (true >= 0) & (said >= 0), said, -1)


def class_raster(indices: NDArray[np.int64], classes: ClassMap, grid: Grid) -> Raster:
    """Indices of classes as a map of their numbers; without data where they are -1."""
    numbers = np.where(indices >= 0, classes.ids[np.maximum(indices, 0)], classes.nodata).astype(np.uint8)
    return Raster(numbers[None], indices >= 0, grid, ("class",))
