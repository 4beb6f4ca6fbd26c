"""Whether images went through the speckle filter that a model has learnt from: it knows no other grain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arpent.core import Contract, Language
from arpent.language import say
from arpent.store import RunFolder
from arpent.tasks.forecast.dataset import DatasetFacts

__all__ = ["warn_of_filter"]


def warn_of_filter(run: RunFolder, facts: DatasetFacts, contract: Contract, language: Language) -> list[str]:
    """Warns of a data set that was prepared with another filter than that of training, where the model knows which.

    Returns:
        the sentence for a page, if there is something to say.
    """
    learnt = contract.recipe.get("filter")
    if not isinstance(learnt, str):
        return []
    how = contract.recipe.get("filter_settings")
    theirs = _options(learnt, how if isinstance(how, Mapping) else {})
    ours = _options(facts.filter, facts.filter_settings)
    if ours == theirs:
        return []
    run.warn(say("forecast_product.filter_differs", language, series=ours, model=theirs))
    return [say("forecast_report.filter_differs", language, series=ours, model=theirs)]


def _options(name: str, how: Mapping[str, Any]) -> str:
    """As they are given to ``arpent forecast prepare``."""
    return f"--filter {name} --window {how['window']}" if how.get("window") else f"--filter {name}"
