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
from arpent.models.recurrent import Forecaster
from arpent.store import RunFolder, seen_in_training
from arpent.tasks.forecast.answering import unknown_covariates
from arpent.tasks.forecast.coming_table import read_coming, told_of_coming
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.foretold import Coming, Plan, place_named, plan_of, usual_step, whole_places
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.sides import sided
from arpent.tasks.forecast.stacked import Stack
from arpent.tasks.forecast.telling import places_told, together

__all__ = ["notes_of", "plans_of", "warn_of_covariates", "warn_of_doubts"]

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


def warn_of_covariates(run: RunFolder, plans: Sequence[Plan], model: nn.Module, settings: ForetellSettings) -> None:
    """Says what the model has learnt to be told and is not, and where it is told the truth of what was to come."""
    if not isinstance(model, Forecaster):
        return
    found: dict[tuple[str, str], list[str]] = {}
    for plan in plans:
        coming = plan.coming[: settings.horizons]
        doubts = {
            "untold": unknown_covariates(plan.past, model.settings.covariates),
            "untold_ahead": unknown_covariates(coming, model.settings.ahead),
            "told_truth": tuple(name for name in model.settings.ahead if _is_truth(name, coming)),
        }
        for kind, names in doubts.items():
            if names and coming:
                found.setdefault((kind, ", ".join(names)), []).append(plan.place.name)
    for (kind, named), places in found.items():
        told = places_told(places, settings.language)
        run.warn(say(f"forecast_product.{kind}", settings.language, place=told, names=named))


def _is_truth(name: str, coming: Sequence[Coming]) -> bool:
    """Whether a covariate of a coming date is what the series has of it, and not what somebody foretold."""
    return any(one.frame is not None and name in one.frame.covariates and name not in one.told for one in coming)


def notes_of(plans: Sequence[Plan], settings: ForetellSettings) -> tuple[str, ...]:
    """From which dates each place is foretold, and how far."""
    notes = [
        say(
            "forecast_product.looked",
            settings.language,
            place=plan.place.name,
            count=len(plan.past),
            issue=plan.issue,
            future=len(plan.coming[: settings.horizons]),
            step=plan.step,
        )
        for plan in plans
        if plan.coming
    ]
    return together(notes, [plan.place.name for plan in plans], settings.language)
