"""Forecast: a radar series of the commune's river, carried on three dates."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from arpent.data import SampleIndex
from arpent.demo.outcome import Figure, Outcome
from arpent.demo.recipes.forecast import PREPARED
from arpent.demo.stage import COMMUNE, FAMILY, Stage
from arpent.language import say
from arpent.tasks.forecast.evaluate_settings import EvaluateSettings
from arpent.tasks.forecast.evaluation import evaluate
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.predicting import foretell
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.preparing import prepare
from arpent.tasks.forecast.verdict import verdicts
from arpent.testing.simulation import RadarSimulation, simulate

__all__ = ["foretell_river"]

_AHEAD = 3
"""Dates that are foretold; the same are kept back, so that it is seen how right that was."""


def foretell_river(stage: Stage, model: Path) -> Outcome:
    """Maps the last dates before the issue date and the next three, and judges such forecasts on several rivers."""
    scale, language = stage.scale, stage.language
    asked = RadarSimulation(seed=COMMUNE, family=FAMILY, size=scale.river, dates=scale.dates, scenes=scale.rivers)
    seen = simulate(stage.images("river"), asked, force=True, progress=stage.progress)
    _set_apart(stage.images("river") / "index.csv")
    settings = PrepareSettings(patch=min(128, scale.river), language=language, **PREPARED)
    dataset = stage.images("river-dataset")
    prepare(stage.images("river"), dataset, settings, force=True, progress=stage.progress)
    judging = EvaluateSettings(split="test", patch=scale.river, language=language)
    judged = evaluate(dataset, model, stage.place("forecast-score"), judging, progress=stage.progress)
    chosen = ForetellSettings(place=seen[0].domain, issue=asked.days[-1 - _AHEAD], language=language)
    made = foretell(dataset, model, stage.place("forecast"), chosen, progress=stage.progress)
    found = verdicts(judged.judged)
    values = tuple((one.skill, one.still) for one in found)
    figure = Figure("iou_water", fmean(ours for ours, _ in values), "persistence", fmean(s for _, s in values), values)
    done = say("demo.done_forecast", language, dates=scale.dates - _AHEAD, ahead=_AHEAD, rivers=scale.rivers)
    facts = {"gains": [one.gain for one in found], "words": judged.words, "model": model}
    return Outcome(done, made.run.path / "preview.png", (made.run.path, judged.run.path), figure, facts=facts)


def _set_apart(index: Path) -> None:
    """Notes that all images judge: no model that comes with Arpent has learnt from this kind of landscape."""
    images = SampleIndex.read(index)
    images.with_splits(["test"] * len(images)).write(index)
