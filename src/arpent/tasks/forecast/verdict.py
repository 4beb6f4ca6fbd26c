"""Whether a model knows more of the coming dates than that nothing changes, in figures and in plain words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from arpent.core import Language
from arpent.language import say, signed
from arpent.metrics import REGIMES, HorizonScores, Interval, Regime, jackknife, regime_of
from arpent.tasks.forecast.judging import Judged, Method

__all__ = ["HARMLESS", "Verdict", "plain_words", "regime_gains", "said_to_stay", "skill_of", "step_of", "verdicts"]

HARMLESS = 0.002
"""IoU that is as good as none: by which a model may stay below persistence on scenes of one regime before that is said,
and which it must be ahead by before it counts as better."""

_STILL: tuple[Method, ...] = ("predicted", "persistence")


@dataclass(frozen=True)
class Verdict:
    """A model against the stronger of the two persistences, at one horizon.

    Attributes:
        horizon: steps ahead.
        skill: IoU of the watched class that the model reaches.
        rival: the stronger persistence.
        still: the IoU that it reaches.
        places: how many were judged; blocks of one place are one, for they see the same storms.
        forecasts: how many of them, where they are a part of all.
        interval: of the gain, from place to place; None where there are too few of them.
    """

    horizon: int
    skill: float
    rival: Method
    still: float
    places: int = 0
    forecasts: int = 0
    interval: Interval | None = None

    @property
    def gain(self) -> float:
        """How much further the model gets."""
        return self.skill - self.still

    @property
    def beats(self) -> bool:
        """Whether it gets further by more than nothing, and more than places differ by chance."""
        return self.gain > HARMLESS and self.interval is not None and self.interval.low > 0

    @property
    def unsure(self) -> bool:
        """Whether it gets further where it was judged, on too few places to say that it would elsewhere."""
        return self.gain > HARMLESS and not self.beats


def skill_of(scores: HorizonScores) -> float:
    """The figure that a verdict goes by: IoU of the watched class, or of all where that is never there."""
    return scores.iou if math.isfinite(scores.iou) else scores.scores.miou


def verdicts(judged: Judged) -> tuple[Verdict, ...]:
    """One for each horizon."""
    scores = {method: tally.scores() for method, tally in judged.tallies.items()}
    found = (_verdict({method: ours[step] for method, ours in scores.items()}) for step in range(judged.horizons))
    return tuple(_weighed(one, judged) for one in found)


def _weighed(verdict: Verdict, judged: Judged) -> Verdict:
    """A verdict with what it rests on: how many places, and how far it would be another without each of them."""
    places: dict[str, set[str]] = {}
    for issue in judged.issues:
        if verdict.horizon in issue.horizons:
            whole = issue.place.name if issue.place.window is None else issue.place.name.rpartition("@")[0]
            places.setdefault(whole, set()).add(issue.name)
    every = set().union(*places.values())
    left_out = [_gain(verdict, judged, every - windows) for windows in places.values()]
    return replace(verdict, places=len(places), interval=jackknife(verdict.gain, left_out))


def _gain(verdict: Verdict, judged: Judged, windows: Collection[str]) -> float:
    """The gain over the same rival on some forecasts alone."""
    model, still = (judged.tallies[one].scores_of(windows, verdict.horizon) for one in ("model", verdict.rival))
    return math.nan if model is None or still is None else skill_of(model) - skill_of(still)


def _verdict(scores: Mapping[Method, HorizonScores]) -> Verdict:
    rival = max(_STILL, key=lambda method: skill_of(scores[method]))
    return Verdict(scores["model"].horizon, skill_of(scores["model"]), rival, skill_of(scores[rival]))


def regime_gains(judged: Judged) -> dict[Regime, tuple[Verdict | None, ...]]:
    """The same among the forecasts of each regime; None where there is none."""
    found = {method: tally.by_regime() for method, tally in judged.tallies.items()}
    gains: dict[Regime, tuple[Verdict | None, ...]] = {}
    for regime in REGIMES:
        row: list[Verdict | None] = []
        for step in range(judged.horizons):
            here = {method: own[regime][step] for method, own in found.items()}
            known = {method: one for method, one in here.items() if one is not None}
            row.append(_verdict(known) if "model" in known else None)
        gains[regime] = tuple(row)
    return gains


def said_to_stay(judged: Judged) -> tuple[Verdict | None, ...]:
    """The same among the forecasts that say themselves that the class stays; None where there is none.

    Which scenes are steady is known afterwards only, and of a forecast that is right on the whole those in which
    nothing happened after all are the ones where it was wrong. What it says is known on the issue date.
    """
    found: list[Verdict | None] = []
    for horizon in range(1, judged.horizons + 1):
        now, coming = (judged.tallies[method].shares(horizon) for method in ("predicted", "model"))
        windows = [name for name, one in coming.items() if regime_of(now[name].said, one.said) == "steady"]
        scores = {method: tally.scores_of(windows, horizon) for method, tally in judged.tallies.items()}
        known = {method: one for method, one in scores.items() if one is not None}
        found.append(replace(_verdict(known), forecasts=len(windows)) if "model" in known else None)
    return tuple(found)


def step_of(horizon: int, ahead: Mapping[int, tuple[int, int]], language: Language) -> str:
    """How people read a horizon: its number, and how many days ahead that is."""
    least, most = ahead.get(horizon, (0, 0))
    if not most:
        return f"t+{horizon}"
    key = "forecast_report.step" if least == most else "forecast_report.steps"
    return say(key, language, horizon=horizon, days=most, least=least)


def plain_words(judged: Judged, language: Language) -> list[str]:
    """What the figures say, sentence by sentence: first whether it is worth having at all."""
    found, name = verdicts(judged), judged.watched.label(language)
    winners, unsure = [one for one in found if one.beats], [one for one in found if one.unsure]
    losers = [one for one in found if not one.beats and not one.unsure]
    if not winners and not unsure:
        return [say("forecast_report.never_beats", language)]
    parts = []
    if winners:
        key = "sometimes_beats" if len(winners) < len(found) else "always_beats"
        listed = _listed(winners, judged, language)
        parts.append(say(f"forecast_report.{key}", language, yes=listed, places=winners[0].places))
    if unsure:
        listed, places = _listed(unsure, judged, language), min(one.places for one in unsure)
        parts.append(say("forecast_report.cannot_tell", language, where=listed, places=places))
    if losers:
        parts.append(say("forecast_report.does_not_beat", language, no=_listed(losers, judged, language)))
    said = [" ".join(parts)]
    for regime, row in regime_gains(judged).items():
        worse = [one for one in row if one is not None and one.gain < -HARMLESS]
        if worse:
            said.append(
                say(f"forecast_report.worse_{regime}", language, name=name, where=_listed(worse, judged, language))
            )
    return said


def _listed(found: Sequence[Verdict], judged: Judged, language: Language) -> str:
    """Horizons with what is gained there, and its interval: "t+1 (6 days) +0.023 (+0.011 to +0.035)"."""
    parts = []
    for one in found:
        told = f"{step_of(one.horizon, judged.ahead, language)} {signed(one.gain, language, 3)}"
        if one.interval is not None:
            low, high = (signed(end, language, 3) for end in (one.interval.low, one.interval.high))
            told += " " + say("forecast_report.interval", language, low=low, high=high)
        parts.append(told)
    return ", ".join(parts)
