"""Whether a model knows more of the coming dates than that nothing changes, in figures and in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arpent.core import Language
from arpent.language import number, say
from arpent.metrics import REGIMES, HorizonScores, Regime
from arpent.tasks.forecast.judging import Judged, Method

__all__ = ["HARMLESS", "Verdict", "plain_words", "regime_gains", "skill_of", "step_of", "verdicts"]

HARMLESS = 0.002
"""IoU by which a model may stay below persistence on scenes of one regime before that is said."""

_STILL: tuple[Method, ...] = ("predicted", "persistence")


@dataclass(frozen=True)
class Verdict:
    """A model against the stronger of the two persistences, at one horizon.

    Attributes:
        horizon: steps ahead.
        skill: IoU of the watched class that the model reaches.
        rival: the stronger persistence.
        still: the IoU that it reaches.
    """

    horizon: int
    skill: float
    rival: Method
    still: float

    @property
    def gain(self) -> float:
        """How much further the model gets."""
        return self.skill - self.still

    @property
    def beats(self) -> bool:
        """Whether it gets further at all."""
        return self.gain > 0


def skill_of(scores: HorizonScores) -> float:
    """The figure that a verdict goes by: IoU of the watched class, or of all where that is never there."""
    return scores.iou if math.isfinite(scores.iou) else scores.scores.miou


def verdicts(judged: Judged) -> tuple[Verdict, ...]:
    """One for each horizon."""
    scores = {method: tally.scores() for method, tally in judged.tallies.items()}
    return tuple(_verdict({method: ours[step] for method, ours in scores.items()}) for step in range(judged.horizons))


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
    winners, losers = [one for one in found if one.beats], [one for one in found if not one.beats]
    said = []
    if not winners:
        return [say("forecast_report.never_beats", language)]
    if not losers:
        said.append(say("forecast_report.always_beats", language))
    else:
        said.append(
            say("forecast_report.sometimes_beats", language, yes=_listed(winners, judged, language))
            + " "
            + say("forecast_report.does_not_beat", language, no=_listed(losers, judged, language))
        )
    for regime, row in regime_gains(judged).items():
        worse = [one for one in row if one is not None and one.gain < -HARMLESS]
        if worse:
            said.append(
                say(f"forecast_report.worse_{regime}", language, name=name, where=_listed(worse, judged, language))
            )
    return said


def _listed(found: Sequence[Verdict], judged: Judged, language: Language) -> str:
    """Horizons with what is gained there: "t+1 (6 days) +0.023"."""
    parts = []
    for one in found:
        sign = "+" if one.gain > 0 else ""
        parts.append(f"{step_of(one.horizon, judged.ahead, language)} {sign}{number(one.gain, language, 3)}")
    return ", ".join(parts)
