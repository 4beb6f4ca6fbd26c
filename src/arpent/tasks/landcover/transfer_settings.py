"""What users can set of the transfer study and of label budgets. Opens without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from arpent.core import Language, Settings
from arpent.engine import FitSettings
from arpent.errors import InvalidSetting
from arpent.tasks.landcover.settings import StrategyName, TrainSettings

__all__ = ["BudgetSettings", "NormaliseName", "TransferSettings", "in_one_language"]

NormaliseName = Literal["norma-01", "norma-source", "norma-target"]
_PAPER: tuple[StrategyName, ...] = ("app-scratch", "ft-initialisation", "ft-freeze-encoder", "ft-finetune-head")
_NORMALISATIONS: tuple[NormaliseName, ...] = ("norma-01", "norma-source", "norma-target")


class TransferSettings(Settings):
    """The transfer study: one model, the images of another sensor, every way to bring the two together."""

    target: TrainSettings
    """Images of the new sensor with the sides train, val and test, and how each strategy is trained on them."""
    start: str = ""
    """Bundle of the source model, or the run that trained it; without one it is trained as 'source' says."""
    source: TrainSettings | None = None
    """Training of the source model; where 'start' is given, only its index is used, for the source's own row."""
    name: str = "transfer"
    """Name of the study."""
    normalisations: Annotated[tuple[NormaliseName, ...], Field(min_length=1)] = _NORMALISATIONS
    """Normalisations that direct inference is tried with."""
    strategies: tuple[StrategyName, ...] = _PAPER
    """Strategies that are trained; the four of the published study if not given."""
    tuned: tuple[NormaliseName, ...] | None = None
    """Normalisations that each strategy is trained with; those of direct inference if not given."""
    baseline: NormaliseName = "norma-target"
    """Direct inference that gains are counted from."""
    stem: Literal["zero", "copy", "mean", "spectral"] = "zero"
    """How bands begin that the source model has not seen."""
    fits: Mapping[StrategyName, FitSettings] = Field(default_factory=dict)
    """Training of single strategies, in place of 'target.fit'."""
    judged_patch: Annotated[int, Field(ge=8)] = 256
    """Side in pixels of the squares in which the test images are mapped."""
    examples: Annotated[int, Field(ge=0, le=12)] = 3
    """Places that the report shows."""
    language: Language = "en"
    """Language of the report, and of what its trainings say: en or fr."""

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        _refuse(self.target, "stem", self.stem, "'stem' of the study says how new bands begin")
        _refuse(self.target, "normalise", "norma-target", "'normalisations' and 'tuned' say what is tried")
        return self


class BudgetSettings(Settings):
    """Label-budget curves: how good a strategy gets with less and less annotated ground, beside training from scratch.

    The subsets are nested: each lies inside every larger one.
    """

    target: TrainSettings
    """Images of the new sensor with the sides train, val and test, and how each strategy is trained on them."""
    start: str
    """Bundle of the source model, or the run that trained it."""
    name: str = "budget"
    """Name of the run."""
    areas: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Annotated ground in km² to learn from, spread over all domains by blocks."""
    domains: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of whole domains to learn from."""
    block: Annotated[float, Field(gt=0)] = 100.0
    """Side in metres of the blocks that areas are made of."""
    strategies: Annotated[tuple[StrategyName, ...], Field(min_length=1)] = ("ft-initialisation", "app-scratch")
    """Strategies that are compared."""
    normalise: NormaliseName = "norma-target"
    """Normalisation of the target images."""
    stem: Literal["zero", "copy", "mean", "spectral"] = "zero"
    """How bands begin that the source model has not seen."""
    fits: Mapping[StrategyName, FitSettings] = Field(default_factory=dict)
    """Training of single strategies, in place of 'target.fit'."""
    judged_patch: Annotated[int, Field(ge=8)] = 256
    """Side in pixels of the squares in which the test images are mapped."""
    seed: int = 0
    """Of the order in which blocks and domains are given up."""
    language: Language = "en"
    """Language of the chart, and of what its trainings say: en or fr."""

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        _refuse(self.target, "stem", self.stem, "'stem' of the budget says how new bands begin")
        _refuse(self.target, "normalise", self.normalise, "'normalise' of the budget holds for all its trainings")
        return self


Whole = TypeVar("Whole", TransferSettings, BudgetSettings)


def in_one_language(settings: Whole) -> Whole:
    """The settings with trainings that speak the language of the whole."""
    spoken = {"language": settings.language}
    changes = {"target": settings.target.model_copy(update=spoken)}
    if isinstance(settings, TransferSettings) and settings.source is not None:
        changes["source"] = settings.source.model_copy(update=spoken)
    return settings.model_copy(update=changes)


def _refuse(target: TrainSettings, name: str, used: str, instead: str) -> None:
    """Refuses a setting of the trainings in place of which that of the whole is used."""
    given = getattr(target, name)
    if name in target.model_fields_set and given != used:
        raise InvalidSetting(
            f"'target.{name}' would be overruled", found=given, expected=used, cure=f"Take it out: {instead}."
        )
