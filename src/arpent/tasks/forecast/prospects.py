"""What a forecast will speak of, and what makes it doubtful, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from arpent.data import glance
from arpent.engine.caution import far_from_training
from arpent.io import open_image
from arpent.language import say
from arpent.models import Bundle
from arpent.models.recurrent import Forecaster, ForecasterSettings
from arpent.store import RunFolder, seen_in_training
from arpent.tasks.forecast.answering import unknown_covariates
from arpent.tasks.forecast.coming_table import read_coming, told_of_coming
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.foretold import Plan, place_named, plan_of, usual_step, whole_places
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.sides import sided
from arpent.tasks.forecast.stacked import Stack

__all__ = ["notes_of", "plans_of", "warn_of_doubts"]

_STEPS_APART = 1.5
"""Times by which the step of a series may differ from that of training before it is said."""


def plans_of(dataset: Dataset, model: nn.Module, settings: ForetellSettings) -> tuple[Plan, ...]:
    """The dates of each place, with what the user tells of the coming ones.

    Raises:
        DatasetError: there are too few dates, or the table of coming dates does not fit.
        InvalidSetting: no image is of the issue date, or the model is told nothing of coming dates.
        UnknownName: there is no such place.
    """
    forecaster = model.settings if isinstance(model, Forecaster) else None
    past, future = (forecaster.past, forecaster.future) if forecaster else (1, 0)
    everything = settings.observed == "all" or forecaster is None
    rows = read_coming(Path(settings.coming), forecaster.ahead if forecaster else ()) if settings.coming else ()
    places = whole_places(sided(dataset))
    plans = tuple(
        plan_of(
            one,
            past,
            future,
            step=settings.step or usual_step(one, dataset.facts.step_days),
            issue=settings.issue,
            everything=everything,
        )
        for one in place_named(places, settings.place)
    )
    return told_of_coming(plans, rows, Path(settings.coming or "").name, [one.name for one in places])


def warn_of_doubts(run: RunFolder, plan: Plan, bundle: Bundle, model: Path, settings: ForetellSettings) -> None:
    """Refuses images that do not fit, and warns of what makes a forecast doubtful; `model` is where the bundle lies."""
    contract, language = bundle.contract, settings.language
    with Stack(plan.observed, plan.place.name, contract, plan.place.sensor or None):
        pass
    rule = contract.normalisation
    assert rule is not None  # whoever opened the bundle has seen to it
    with open_image(plan.past[-1].image, bands=contract.band_names) as image:
        seen = glance(image, image.grid.window, rule)
    warning = None if seen is None else far_from_training(seen, rule, plan.past[-1].image, language)
    if warning is not None:
        run.warn(warning)
    _warn_of_learnt(run, plan, model, settings)
    if not isinstance(bundle.model, Forecaster):
        return
    learnt = bundle.model.settings.step
    if not 1 / _STEPS_APART <= plan.step / learnt <= _STEPS_APART:
        where = {"place": plan.place.name, "series": plan.step, "model": learnt}
        run.warn(say("forecast_product.step_differs", language, **where))
    _warn_of_covariates(run, plan, bundle.model.settings, settings)


def _warn_of_learnt(run: RunFolder, plan: Plan, model: Path, settings: ForetellSettings) -> None:
    """Says where maps are held against a truth that the model has learnt from, or may have."""
    seen_since = [one.frame for one in plan.coming[: settings.horizons] if one.frame is not None]
    judged = {one.image: one for one in (*plan.observed, *seen_since) if one.mask and one.split in ("train", None)}
    seen = seen_in_training(model, judged)
    days = [judged[image].date for image in (judged if seen is None else seen)]
    if days:
        key = "forecast_product.may_be_learnt" if seen is None else "forecast_product.learnt"
        words = {"place": plan.place.name, "count": len(days), "first": days[0], "last": days[-1]}
        run.warn(say(key, settings.language, **words))


def _warn_of_covariates(run: RunFolder, plan: Plan, model: ForecasterSettings, settings: ForetellSettings) -> None:
    """Says what the model has learnt to be told and is not, and where it is told the truth of what was to come."""
    language, place = settings.language, plan.place.name
    unknown = unknown_covariates(plan.past, model.covariates)
    if unknown:
        run.warn(say("forecast_product.untold", language, place=place, names=", ".join(unknown)))
    coming = plan.coming[: settings.horizons]
    if not coming:
        return
    missing = unknown_covariates(coming, model.ahead)
    if missing:
        run.warn(say("forecast_product.untold_ahead", language, place=place, names=", ".join(missing)))
    seen_since = [
        name
        for name in model.ahead
        if any(one.frame is not None and name in one.frame.covariates and name not in one.told for one in coming)
    ]
    if seen_since:
        run.warn(say("forecast_product.told_truth", language, place=place, names=", ".join(seen_since)))


def notes_of(plans: Sequence[Plan], settings: ForetellSettings) -> tuple[str, ...]:
    """From which dates each place is foretold, and how far."""
    return tuple(
        say(
            "forecast_product.looked",
            settings.language,
            place=plan.place.name,
            count=len(plan.past),
            issue=plan.issue,
            future=len(plan.coming),
            step=plan.step,
        )
        for plan in plans
        if plan.coming
    )
