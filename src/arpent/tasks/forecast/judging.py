"""Forecasts held against what came true, beside what anybody could have said without a network.

Each place of a data set is gone through issue date by issue date, in squares that are read once. All methods are
judged on the same pixels: those with data at all past dates, whose truth is known at the issue date and the horizon.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, LandClass, Progress, Raster, Silent, Window
from arpent.data import target_of
from arpent.errors import DatasetError
from arpent.io import open_image
from arpent.metrics import ConfusionMatrix, ForecastTally
from arpent.models.recurrent import ForecasterSettings
from arpent.tasks.forecast.answering import Answered, days_beyond, days_of
from arpent.tasks.forecast.baselines import Climatology, Guess, linear, persistence
from arpent.tasks.forecast.dataset import Frame, Place

__all__ = ["METHODS", "Issue", "Judged", "Method", "Sight", "issues_of", "judge", "look"]

Method = Literal["model", "predicted", "persistence", "linear", "climatology"]
_HALO = 48
"""Pixels around a square that are read for context and not judged: the halo that `predict` gives its tiles, too."""

METHODS: tuple[Method, ...] = get_args(Method)
"""The model; persistence of the mask that it predicts for today; of the true one; and two that extrapolate truth."""


class Forecasting(Protocol):
    """Who forecasts; `ForecastModel` does."""

    @property
    def settings(self) -> ForecasterSettings:
        """How many dates are looked at, and how many are answered for."""
        ...

    @property
    def classes(self) -> ClassMap:
        """What masks name."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of each date."""
        ...

    def answer(self, frames: NDArray[np.floating], valid: NDArray[np.bool_], days: NDArray[np.float32]) -> Answered:
        """See `ForecastModel.answer`."""
        ...


@dataclass(frozen=True)
class Issue:
    """One forecast that can be judged.

    Attributes:
        place: where.
        at: number of the issue date among the dates of the place.
        horizons: steps ahead whose truth is there, and counts.
    """

    place: Place
    at: int
    horizons: tuple[int, ...]

    @property
    def date(self) -> dt.date:
        """The issue date."""
        return self.place.frames[self.at].date

    @property
    def name(self) -> str:
        """Of the forecast, among all others."""
        return f"{self.place.name} {self.date.isoformat()}"

    def ahead(self, horizon: int) -> int:
        """Days from the issue date to a horizon that is judged."""
        return (self.place.frames[self.at + horizon].date - self.date).days


@dataclass(frozen=True)
class Sight:
    """One square at one issue date: what was seen, what is known, and what is said.

    Attributes:
        past: `Raster` of the issue date, linear power.
        before: ``(H, W)`` true classes at the issue date, -1 where unknown, or where a past date has no data.
        truth: the same by horizon.
        said: by method and horizon.
    """

    past: Raster
    before: NDArray[np.int64]
    truth: Mapping[int, NDArray[np.int64]]
    said: Mapping[Method, Mapping[int, Guess]]


@dataclass(frozen=True)
class Judged:
    """What was counted.

    Attributes:
        classes: what masks name.
        issues: the forecasts.
        tallies: by method.
        ahead: days from the issue date to each horizon: the least and the most.
        today: of the model's masks of the issue dates.
    """

    classes: ClassMap
    issues: tuple[Issue, ...]
    tallies: Mapping[Method, ForecastTally]
    ahead: Mapping[int, tuple[int, int]]
    today: ConfusionMatrix

    @property
    def horizons(self) -> int:
        """How many steps ahead."""
        return self.tallies["model"].horizons

    @property
    def watched(self) -> LandClass:
        """The class that regimes and verdicts speak of."""
        return self.classes.classes[self.tallies["model"].watched]


def issues_of(places: Sequence[Place], settings: ForecasterSettings, side: str = "all") -> tuple[Issue, ...]:
    """The forecasts that can be judged: with as many dates before as the network looks at, and truth on both ends.

    Args:
        places: all of them.
        settings: of the network.
        side: of the split, on which the dates that are foretold must lie; those before may lie elsewhere. "all" for
            any.
    """
    found = []
    for place in places:
        frames = place.frames
        for at in range(settings.past - 1, len(frames) - 1):
            if frames[at].mask is None:
                continue
            ahead = range(1, min(settings.future, len(frames) - 1 - at) + 1)
            horizons = tuple(h for h in ahead if _counts(frames[at + h], side))
            if horizons:
                found.append(Issue(place, at, horizons))
    return tuple(found)


def _counts(frame: Frame, side: str) -> bool:
    return frame.mask is not None and side in ("all", frame.split)


def judge(model: Forecasting, issues: Sequence[Issue], *, patch: int = 512, progress: Progress | None = None) -> Judged:
    """Counts the answers of a model, and of the baselines, against the truth.

    Args:
        model: who forecasts.
        issues: the forecasts.
        patch: side in pixels of the squares that the network sees.
        progress: who is told how far it is.

    Raises:
        DatasetError: there is no forecast that could be judged, or no pixel of one.
    """
    future, count = model.settings.future, len(model.classes)
    if not issues:
        raise DatasetError(
            "no forecast of this data set can be judged",
            expected=f"{model.settings.past} dates in a row, the last with a mask, and a mask on a later date",
            cure="Prepare a longer series with masks, or judge another side with --split.",
        )
    tallies, today = {method: ForecastTally(count, future) for method in METHODS}, ConfusionMatrix(count)
    squares = [(place, issues_here, square) for place, issues_here, square in _squares(issues, patch)]
    with (progress or Silent()).bar("evaluate", sum(len(here) for _, here, _ in squares), "forecasts") as bar:
        for place, here, square in squares:
            walk = _Walk(model, place, square)
            for issue in here:
                sight = walk.look(issue)
                today.update(sight.before, next(iter(sight.said["predicted"].values())).mask)
                for method, guesses in sight.said.items():
                    for horizon, guess in guesses.items():
                        tallies[method].update(
                            issue.name, horizon, sight.truth[horizon], sight.before, guess.mask, guess.chances
                        )
                bar.advance()
    ahead = {
        horizon: (min(days), max(days))
        for horizon in range(1, future + 1)
        if (days := [issue.ahead(horizon) for issue in issues if horizon in issue.horizons])
    }
    return Judged(model.classes, tuple(issues), tallies, ahead, today)


def look(model: Forecasting, issue: Issue, square: Window) -> Sight:
    """One forecast in a square of its place: for pictures."""
    return _Walk(model, issue.place, square).look(issue)


def window_of(place: Place) -> Window:
    """The part of its images that is meant by a place."""
    if place.window is not None:
        return place.window
    with open_image(place.frames[0].image) as reader:
        return reader.grid.window


def _squares(issues: Sequence[Issue], patch: int) -> Iterator[tuple[Place, list[Issue], Window]]:
    """Places with their forecasts in the order of dates, square by square."""
    by_place: dict[str, list[Issue]] = {}
    for issue in issues:
        by_place.setdefault(issue.place.name, []).append(issue)
    for here in by_place.values():
        for square in window_of(here[0].place).blocks(patch):
            yield here[0].place, here, square


@dataclass
class _Walk:
    """One square, date after date; what is still needed of earlier dates is kept."""

    model: Forecasting
    place: Place
    square: Window
    _wide: Window = field(init=False)
    _images: dict[int, Raster] = field(default_factory=dict)
    _masks: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    _climate: Climatology | None = None
    _next: int = 0

    def __post_init__(self) -> None:
        with open_image(self.place.frames[0].image) as reader:
            self._wide = self.square.padded(_HALO).intersect(reader.grid.window)

    def look(self, issue: Issue) -> Sight:
        """The forecast of an issue date; dates only ever go on."""
        settings, frames = self.model.settings, self.place.frames
        first = issue.at - settings.past + 1
        self._images = {at: one for at, one in self._images.items() if at >= first}
        self._masks = {at: one for at, one in self._masks.items() if at >= first}
        seen = [self._image(at) for at in range(first, issue.at + 1)]
        valid = np.stack([one.valid for one in seen])
        everywhere = valid.all(axis=0)
        coming: list[Frame | dt.date] = list(frames[issue.at + 1 : issue.at + 1 + settings.future])
        coming += days_beyond(self.place.frames, settings, settings.future - len(coming))
        days = days_of(frames[first : issue.at + 1], coming, settings)
        answer = self.model.answer(np.stack([one.pixels for one in seen]), valid, days)
        past = np.stack([self._mask(at) for at in range(first, issue.at + 1)])
        before = np.where(everywhere, past[-1], -1)
        truth = {horizon: self._mask(issue.at + horizon) for horizon in issue.horizons}
        said = self._said(issue, answer, past, days[: settings.past, 0])
        return self._cut(Sight(seen[-1], before, truth, said))

    def _cut(self, sight: Sight) -> Sight:
        """The square alone, of all that was seen with its halo."""
        row, col = self.square.row - self._wide.row, self.square.col - self._wide.col
        inner = Window(row, col, *self.square.shape)
        at = inner.slices

        def cut(guess: Guess) -> Guess:
            return Guess(guess.mask[at], None if guess.chances is None else guess.chances[:, *at])

        past = sight.past
        return Sight(
            Raster(past.pixels[:, *at], past.valid[at], past.grid.crop(inner), past.bands),
            sight.before[at],
            {horizon: mask[at] for horizon, mask in sight.truth.items()},
            {method: {step: cut(one) for step, one in guesses.items()} for method, guesses in sight.said.items()},
        )

    def _said(
        self, issue: Issue, answer: Answered, past: NDArray[np.int64], days: NDArray[np.float32]
    ) -> dict[Method, dict[int, Guess]]:
        """What each method says of each horizon."""
        climate = self._climate_until(issue.at).guess(past[-1])
        stays = persistence(past)
        mask = answer.now.argmax(axis=0)
        said: dict[Method, dict[int, Guess]] = {method: {} for method in METHODS}
        for horizon in issue.horizons:
            chances = answer.coming[horizon - 1]
            said["model"][horizon] = Guess(chances.argmax(axis=0), chances)
            said["predicted"][horizon] = Guess(mask, answer.persisting(horizon))
            said["persistence"][horizon] = stays
            said["linear"][horizon] = linear(past, days, issue.ahead(horizon), len(self.model.classes))
            said["climatology"][horizon] = climate
        return said

    def _climate_until(self, at: int) -> Climatology:
        if self._climate is None:
            self._climate = Climatology(len(self.model.classes), self._wide.shape)
        for number in range(self._next, at + 1):
            self._climate.add(self._mask(number))
        self._next = at + 1
        return self._climate

    def _image(self, at: int) -> Raster:
        if at not in self._images:
            with open_image(self.place.frames[at].image, bands=self.model.bands) as reader:
                self._images[at] = reader.read(self._wide)
        return self._images[at]

    def _mask(self, at: int) -> NDArray[np.int64]:
        """Indices of true classes; all unknown for a date without mask."""
        if at not in self._masks:
            mask = self.place.frames[at].mask
            if mask is None:
                return np.full(self._wide.shape, -1, np.int64)
            with open_image(mask, resampling="nearest") as reader:
                self._masks[at] = target_of(reader.read(self._wide), self.model.classes).astype(np.int64)
        return self._masks[at]
