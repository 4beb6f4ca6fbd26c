"""An evaluation of forecasts as a run folder: all figures as JSON, and a page that says what they mean."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.core import Language, Progress, write_file
from arpent.errors import ArpentError
from arpent.language import say
from arpent.metrics import HorizonScores, reliability
from arpent.report.page import made_by
from arpent.store import Place, Run, RunFolder, bundle_in, seen_in_training
from arpent.tasks.forecast.answering import ForecastModel, check_dataset, open_forecaster, unknown_covariates
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.evaluate_settings import EvaluateSettings
from arpent.tasks.forecast.evaluation_page import About, write_evaluation_page
from arpent.tasks.forecast.evaluation_pictures import draw_evaluation
from arpent.tasks.forecast.grain import warn_of_filter
from arpent.tasks.forecast.judging import Issue, Judged, issues_of, judge
from arpent.tasks.forecast.sides import sided
from arpent.tasks.forecast.telling import places_told
from arpent.tasks.forecast.verdict import Verdict, plain_words, regime_gains, said_to_stay, verdicts

__all__ = ["ForecastEvaluation", "document_of", "evaluate"]


@dataclass(frozen=True)
class ForecastEvaluation:
    """A finished evaluation.

    Attributes:
        run: its run folder.
        judged: what was counted.
        side: of the data set's split.
        words: what the figures say, sentence by sentence.
    """

    run: Run
    judged: Judged
    side: str
    words: tuple[str, ...]


def evaluate(
    dataset: Path, model: Path, place: Place, settings: EvaluateSettings, *, progress: Progress | None = None
) -> ForecastEvaluation:
    """Judges a model by the dates of a DATASET, into a run folder of its own.

    Args:
        dataset: folder that ``arpent forecast prepare`` has made, with masks.
        model: the bundle, or the run that trained it.
        place: where the run goes.
        settings: how to do it.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the model is none of forecasts.
        ContractMismatch: the data set has other bands or classes.
        DatasetError: no forecast can be judged.
    """
    model = bundle_in(model, "forecast")
    data = sided(Dataset.read(dataset))
    forecaster = open_forecaster(model, runtime=settings.runtime, device=settings.device, precision=settings.precision)
    check_dataset(forecaster, data)
    side = _side(data, settings.split)
    kept = settings.model_dump(mode="json") | {"model": str(model), "data": str(dataset)}
    with place.begin(
        "forecast-evaluate", Path(dataset).resolve().name, kept, [model, dataset], language=settings.language
    ) as run:
        try:
            run.add_input(Path(dataset) / "index.csv", role="index")
            run.use_bundle(model)
            with run.timed("evaluate"):
                issues = issues_of(data.places, forecaster.settings, side)
                grain = warn_of_filter(run, data.facts, forecaster.bundle.contract, settings.language)
                _warn_of_untold(run, issues, forecaster, settings)
                doubts = _flattered(run, issues, model, settings.language)
                judged = judge(forecaster, issues, patch=settings.patch, progress=progress)
            return _concluded(
                run, judged, settings, side, forecaster, (*doubts, *grain, *_told(forecaster, settings.language))
            )
        except ArpentError:
            run.abandon()  # an evaluation is not gone on with: it begins anew
            raise


def _warn_of_untold(
    run: RunFolder, issues: Sequence[Issue], forecaster: ForecastModel, settings: EvaluateSettings
) -> None:
    """Says which covariates the model is not told of a date that it looks at, and which it is told of coming ones."""
    if forecaster.settings.ahead:
        names = ", ".join(forecaster.settings.ahead)
        run.warn(say("forecast_product.told_ahead", settings.language, names=names))
    unknown: dict[str, set[str]] = {}
    for issue in issues:
        past = issue.place.frames[issue.at + 1 - forecaster.past : issue.at + 1]
        unknown.setdefault(issue.place.name, set()).update(unknown_covariates(past, forecaster.settings.covariates))
    for names in sorted({", ".join(sorted(names)) for names in unknown.values() if names}):
        where = [place for place, own in unknown.items() if ", ".join(sorted(own)) == names]
        told = places_told(where, settings.language)
        run.warn(say("forecast_product.untold", settings.language, place=told, names=names))


def _flattered(run: RunFolder, issues: Sequence[Issue], model: Path, language: Language) -> list[str]:
    """Warns where forecasts are judged by dates that the model has learnt from, or may have; the sentence for the page.

    Dates that are set apart to judge by are not looked at: one image may serve both sides, by its blocks.
    """
    frames = (issue.place.frames[issue.at + horizon] for issue in issues for horizon in issue.horizons)
    images = list(dict.fromkeys(frame.image for frame in frames if frame.split not in ("val", "test")))
    seen = seen_in_training(model, images)
    if not images or seen == []:
        return []
    key, count = ("may_be_learnt", len(images)) if seen is None else ("learnt", len(seen))
    run.warn(say(f"forecast_product.judged_{key}", language, count=count, of=len(images)))
    return [say(f"forecast_report.{key}", language, count=count, of=len(images))]


def _side(data: Dataset, split: str) -> str:
    """The side of the split that is judged by."""
    if split != "auto":
        return split
    sides = {sample.split for sample in data.index}
    return next((side for side in ("test", "val") if side in sides), "all")


def document_of(judged: Judged) -> dict[str, Any]:
    """All figures, as JSON has them; what is not known is null."""
    methods = {}
    for method, tally in judged.tallies.items():
        regimes = {
            regime: [None if one is None else _figures(one, judged) for one in row]
            for regime, row in tally.by_regime().items()
        }
        methods[method] = {"horizons": [_figures(one, judged) for one in tally.scores()], "regimes": regimes}
    return {
        "watched": judged.watched.en,
        "forecasts": len(judged.issues),
        "days_ahead": {str(horizon): list(days) for horizon, days in judged.ahead.items()},
        "verdicts": [
            {
                "horizon": one.horizon,
                "gain": _finite(one.gain),
                "interval": None if one.interval is None else [one.interval.low, one.interval.high],
                "places": one.places,
                "rival": one.rival,
                "beats_persistence": one.beats,
                "too_few_to_tell": one.unsure,
            }
            for one in verdicts(judged)
        ],
        "gains_by_regime": {regime: [_gain(one) for one in row] for regime, row in regime_gains(judged).items()},
        "gains_where_said_to_stay": [_gain(one) for one in said_to_stay(judged)],
        "ece": [_ece(judged, horizon) for horizon in range(1, judged.horizons + 1)],
        "methods": methods,
    }


def _gain(verdict: Verdict | None) -> float | None:
    return None if verdict is None else _finite(verdict.gain)


def _figures(scores: HorizonScores, judged: Judged) -> dict[str, Any]:
    names = [one.en for one in judged.classes.classes]
    by_class = zip(names, scores.scores.iou_by_class, scores.fraction_rmse, strict=True)
    return {
        "horizon": scores.horizon,
        "forecasts": scores.windows,
        "pixels": scores.pixels,
        "changed_pixels": scores.changed,
        **{name: _finite(value) for name, value in scores.summary(judged.classes.index_of(judged.watched.id)).items()},
        "classes": {name: {"iou": _finite(iou), "fraction_rmse": _finite(rmse)} for name, iou, rmse in by_class},
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _ece(judged: Judged, horizon: int) -> float | None:
    histogram = judged.tallies["model"].histogram(horizon)
    return None if histogram is None else reliability(histogram).expected_error


def _metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """The figures that the manifest keeps: of the model, and what it gains."""
    found: dict[str, float] = {}
    for one in document["methods"]["model"]["horizons"]:
        for name in ("iou", "miou", "f1", "accuracy", "changed_accuracy", "brier", "fraction_rmse"):
            if one[name] is not None:
                found[f"{name}/t+{one['horizon']}"] = one[name]
    for one in document["verdicts"]:
        if one["gain"] is not None:
            found[f"gain/t+{one['horizon']}"] = one["gain"]
    return found


def _told(forecaster: ForecastModel, language: Language) -> list[str]:
    """What a reader of the figures must know of what the model is told."""
    names = ", ".join(forecaster.settings.ahead)
    return [say("forecast_report.told_ahead", language, names=names)] if names else []


def _concluded(
    run: RunFolder,
    judged: Judged,
    settings: EvaluateSettings,
    side: str,
    forecaster: ForecastModel,
    doubts: Sequence[str],
) -> ForecastEvaluation:
    """Figures, pictures and the page of a run; `doubts` are what a reader of the figures must know besides."""
    language = settings.language
    document = document_of(judged)
    words = tuple(plain_words(judged, language))
    run.add_metrics(_metrics(document))
    text = json.dumps({**document, "side": side, "words": words}, ensure_ascii=False, indent=1, allow_nan=False)
    run.publish(write_file(run.scratch / "scores.json", f"{text}\n"), kind="text", name="scores")
    with run.timed("pictures"):
        drawn = draw_evaluation(forecaster, judged, run.scratch, settings)
    page = write_evaluation_page(
        run.scratch / "report.html",
        judged,
        drawn,
        about=About(Path(run.bundle.source).name if run.bundle else "", run.name, side, (*words, *doubts)),
        language=language,
        footer=made_by(language),
    )
    run.publish(page, kind="page")
    for picture in drawn.files:
        run.publish(picture, kind="picture")
    return ForecastEvaluation(run.finish(), judged, side, words)
