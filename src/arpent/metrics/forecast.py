"""How good forecasts of class masks are, horizon by horizon and regime by regime, from counts that add up.

A *window* is one forecast: a place at an issue date. Its pixels may come in any number of parts, and counts of parts,
of processes or of machines merge in any order. Regimes follow from the truth of whole windows, so they are told only
when everything is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from arpent.errors import DatasetError, InvalidSetting
from arpent.metrics.curves import ScoreHistogram
from arpent.metrics.dense import ConfusionMatrix, DenseScores

__all__ = ["REGIMES", "ForecastTally", "HorizonScores", "Regime", "Shares", "regime_of"]

Regime = Literal["rising", "falling", "steady"]
REGIMES: tuple[Regime, ...] = get_args(Regime)
"""What the watched class truly did between the issue date and the horizon."""

_STEADY = 0.05
"""Share of its own ground by which a class may grow or shrink and still count as steady."""


@dataclass(frozen=True)
class HorizonScores:
    """How good the forecasts of one horizon are.

    Attributes:
        horizon: steps after the issue date, from 1 on.
        windows: forecasts that were judged.
        pixels: of them together.
        scores: IoU, F1 and accuracy, overall and by class.
        iou: of the watched class; NaN where neither truth nor forecast has any of it.
        changed_accuracy: share that is right of the pixels whose true class is another than at the issue date.
        changed: how many such pixels there are.
        brier: mean over pixels of the squared distance between probabilities and truth, summed over the classes
            (Brier 1950): 0 is perfect, 2 the worst. A mask without probabilities is taken at its word.
        fraction_rmse: ``(classes,)``; root mean square over the windows of the error of each class's share of ground.
    """

    horizon: int
    windows: int
    pixels: int
    scores: DenseScores
    iou: float
    changed_accuracy: float
    changed: int
    brier: float
    fraction_rmse: NDArray[np.float64]

    def summary(self, watched: int = 0) -> dict[str, float]:
        """The figures by name, as they go into manifests and tables."""
        return {
            "iou": self.iou,
            "miou": self.scores.miou,
            "f1": float(self.scores.f_score),
            "accuracy": self.scores.accuracy,
            "changed_accuracy": self.changed_accuracy,
            "brier": self.brier,
            "fraction_rmse": float(self.fraction_rmse[watched]),
        }


@dataclass(frozen=True)
class Shares:
    """What the watched class covers of one window, as shares of its ground.

    Attributes:
        before: truly, at the issue date.
        true: truly, at the horizon.
        said: by the forecast.
        regime: what it truly did.
    """

    before: float
    true: float
    said: float
    regime: Regime


@dataclass
class _Counts:
    """What is counted of one window at one horizon."""

    matrix: ConfusionMatrix
    before: NDArray[np.int64]  # pixels by their true class at the issue date
    changed: int = 0
    changed_right: int = 0
    squares: float = 0.0

    def merge(self, other: _Counts) -> _Counts:
        self.matrix.merge(other.matrix)
        self.before += other.before
        self.changed += other.changed
        self.changed_right += other.changed_right
        self.squares += other.squares
        return self


class ForecastTally:
    """Counts of forecasts against what came true.

    Args:
        classes: how many there are.
        horizons: how many steps ahead forecasts go.
        watched: index of the class that regimes and the headline IoU speak of; the first one is water in Arpent's
            tables of radar classes.
    """

    def __init__(self, classes: int, horizons: int, watched: int = 0) -> None:
        if classes < 1 or horizons < 1 or not 0 <= watched < classes:
            raise InvalidSetting(
                "a tally of forecasts needs classes, horizons, and a class to watch",
                found=f"{classes} classes, {horizons} horizons, class {watched} watched",
                cure="Give one of each at least.",
            )
        self.classes, self.horizons, self.watched = classes, horizons, watched
        self._counts: dict[tuple[str, int], _Counts] = {}
        self._histograms: dict[int, ScoreHistogram] = {}

    def update(
        self,
        window: str,
        horizon: int,
        truth: NDArray[np.integer],
        before: NDArray[np.integer],
        guess: NDArray[np.integer],
        chances: NDArray[np.floating] | None = None,
    ) -> None:
        """Adds pixels of a window; only those count whose true class is known at the horizon and at the issue date.

        Args:
            window: which forecast they belong to ("river 2021-05-07").
            horizon: steps after the issue date, from 1 on.
            truth: ``(…)`` indices of the true classes at the horizon, -1 where unknown.
            before: the same at the issue date.
            guess: the same as forecast; -1 counts as unknown too.
            chances: ``(classes, …)`` probabilities of the forecast, where it has them.
        """
        if not 1 <= horizon <= self.horizons:
            raise InvalidSetting(
                "a forecast of a horizon that is not judged",
                found=horizon,
                expected=f"1 to {self.horizons}",
                cure="Make the tally for all horizons.",
            )
        if not truth.shape == before.shape == guess.shape or (
            chances is not None and chances.shape != (self.classes, *truth.shape)
        ):
            raise InvalidSetting(
                "a forecast and its truth differ in size",
                found=f"{guess.shape} and {truth.shape}",
                cure="Judge forecasts on the grid of the truth.",
            )
        known = (truth >= 0) & (before >= 0) & (guess >= 0)
        true, was, said = truth[known], before[known], guess[known]
        counts = self._of(window, horizon)
        counts.matrix.update(true, said)
        counts.before += np.bincount(was, minlength=self.classes)[: self.classes]
        moved = true != was
        counts.changed += int(moved.sum())
        counts.changed_right += int((moved & (said == true)).sum())
        if chances is None:
            counts.squares += 2.0 * int((said != true).sum())
            return
        given = chances[:, known].astype(np.float64)
        counts.squares += float((given**2).sum() + true.size - 2 * given[true, np.arange(true.size)].sum())
        histogram = self._histograms.setdefault(horizon, ScoreHistogram())
        histogram.update(np.clip(given[self.watched], 0, 1), (true == self.watched).astype(np.uint8))

    def _of(self, window: str, horizon: int) -> _Counts:
        blank = _Counts(ConfusionMatrix(self.classes), np.zeros(self.classes, np.int64))
        return self._counts.setdefault((window, horizon), blank)

    def merge(self, other: ForecastTally) -> ForecastTally:
        """Adds what another tally of the same kind has counted to this one, which is returned."""
        if (other.classes, other.horizons, other.watched) != (self.classes, self.horizons, self.watched):
            raise InvalidSetting(
                "tallies of different kinds of forecasts cannot be merged",
                found=f"{other.classes} classes, {other.horizons} horizons",
                expected=f"{self.classes} classes, {self.horizons} horizons",
                cure="Merge tallies of one model.",
            )
        for (window, horizon), counts in other._counts.items():
            self._of(window, horizon).merge(counts)
        for horizon, histogram in other._histograms.items():
            self._histograms.setdefault(horizon, ScoreHistogram()).merge(histogram)
        return self

    def scores(self) -> tuple[HorizonScores, ...]:
        """One for each horizon, over all windows.

        Raises:
            DatasetError: no pixel was counted at some horizon.
        """
        found = []
        for horizon in range(1, self.horizons + 1):
            one = self._score(horizon, self._windows(horizon))
            if one is None:
                raise DatasetError(
                    f"no forecast {horizon} {'step' if horizon == 1 else 'steps'} ahead has a known truth",
                    cure="Give masks for dates after the issue dates.",
                )
            found.append(one)
        return tuple(found)

    def scores_of(self, windows: Collection[str], horizon: int) -> HorizonScores | None:
        """The scores of some windows at one horizon; None where none of them was judged there."""
        kept = [counts for (name, step), counts in self._counts.items() if step == horizon and name in windows]
        return self._score(horizon, [counts for counts in kept if counts.matrix.total])

    def by_regime(self) -> Mapping[Regime, tuple[HorizonScores | None, ...]]:
        """The scores of the windows in which the watched class truly rose, fell, or stayed, horizon by horizon.

        None where there is no such window.
        """
        found: dict[Regime, list[HorizonScores | None]] = {regime: [] for regime in REGIMES}
        for horizon in range(1, self.horizons + 1):
            groups: dict[Regime, list[_Counts]] = {regime: [] for regime in REGIMES}
            for counts in self._windows(horizon):
                after = int(counts.matrix.counts[self.watched].sum())
                groups[regime_of(int(counts.before[self.watched]), after)].append(counts)
            for regime, group in groups.items():
                found[regime].append(self._score(horizon, group))
        return {regime: tuple(scores) for regime, scores in found.items()}

    def histogram(self, horizon: int) -> ScoreHistogram | None:
        """Probabilities of the watched class beside what came true, for `metrics.reliability`; None without any."""
        return self._histograms.get(horizon)

    def shares(self, horizon: int) -> Mapping[str, Shares]:
        """What the watched class covers in each window, by the window's name."""
        found = {}
        for (window, step), counts in sorted(self._counts.items()):
            if step == horizon and counts.matrix.total:
                matrix, w, total = counts.matrix.counts, self.watched, counts.matrix.total
                was, true, said = int(counts.before[w]), int(matrix[w].sum()), int(matrix[:, w].sum())
                found[window] = Shares(was / total, true / total, said / total, regime_of(was, true))
        return found

    def _windows(self, horizon: int) -> list[_Counts]:
        return [counts for (_, step), counts in self._counts.items() if step == horizon and counts.matrix.total]

    def _score(self, horizon: int, windows: Iterable[_Counts]) -> HorizonScores | None:
        all_of_them, errors = list(windows), []
        if not all_of_them:
            return None
        whole = _Counts(ConfusionMatrix(self.classes), np.zeros(self.classes, np.int64))
        for counts in all_of_them:
            whole.merge(counts)
            shares = counts.matrix.counts / counts.matrix.total
            errors.append(shares.sum(axis=0) - shares.sum(axis=1))
        matrix, watched = whole.matrix.counts, self.watched
        either = int(matrix[watched].sum() + matrix[:, watched].sum() - matrix[watched, watched])
        return HorizonScores(
            horizon=horizon,
            windows=len(all_of_them),
            pixels=whole.matrix.total,
            scores=whole.matrix.scores(),
            iou=int(matrix[watched, watched]) / either if either else float("nan"),
            changed_accuracy=whole.changed_right / whole.changed if whole.changed else float("nan"),
            changed=whole.changed,
            brier=whole.squares / whole.matrix.total,
            fraction_rmse=np.sqrt(np.mean(np.square(errors), axis=0)),
        )


def regime_of(before: float, after: float) -> Regime:
    """What a class did that covered `before` and then `after`, pixels or shares: within a twentieth, it stayed."""
    if abs(after - before) <= _STEADY * max(before, after):
        return "steady"
    return "rising" if after > before else "falling"
