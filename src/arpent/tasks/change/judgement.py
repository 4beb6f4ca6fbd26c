"""What counts as change: the layer of a comparison that says so, and from which value on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arpent.core import Contract
from arpent.errors import UnknownName
from arpent.report.figures import Steps
from arpent.tasks.change.mosaic_style import cosine_steps, probability_steps
from arpent.tasks.change.outline_settings import OutlineSettings
from arpent.tasks.change.settings import COSINE, PROBABILITY, ChangeSettings, Score

__all__ = [
    "COSINE",
    "PROBABILITY",
    "Judgement",
    "Layer",
    "deciding",
    "judge",
    "noted_thresholds",
    "threshold_name",
    "thresholds",
]

Layer = Literal["cosine_map", "change_probability"]

_LAYERS: tuple[Layer, ...] = ("change_probability", "cosine_map")
"""What can say what has changed, the better one first."""


@dataclass(frozen=True)
class Judgement:
    """Which layer says what has changed.

    Attributes:
        layer: "cosine_map" or "change_probability".
        threshold: cosine below which, or probability from which on, ground counts as changed.
    """

    layer: Layer
    threshold: float

    def changed(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which values of the layer mean change."""
        limit = np.float32(self.threshold)
        return np.asarray(values < limit if self.layer == "cosine_map" else values >= limit, bool)

    def strength(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """How far beyond the threshold values are, 0 to 1; 0 too where nothing has changed."""
        steps = self.steps
        away = self.threshold - values if self.layer == "cosine_map" else values - self.threshold
        most = self.threshold - steps.ends[0] if self.layer == "cosine_map" else steps.ends[-1] - self.threshold
        return np.asarray(np.clip(away / max(most, 1e-6), 0, 1), np.float64)

    @property
    def steps(self) -> Steps:
        """The colours of the layer in pictures."""
        steps_of = cosine_steps if self.layer == "cosine_map" else probability_steps
        return steps_of(self.threshold)

    def outlines(self, form: Literal["geoparquet", "gpkg"], min_area: float) -> OutlineSettings:
        """How change is outlined by this judgement."""
        named = "threshold" if self.layer == "cosine_map" else "probability"
        return OutlineSettings(score=self.layer, form=form, min_area=min_area).model_copy(
            update={named: self.threshold}
        )


def deciding(
    present: Collection[str],
    score: Score,
    threshold: float | None = None,
    probability: float | None = None,
    *,
    what: str,
) -> Layer:
    """The layer that says what has changed: the one asked for, else the probability where there is one.

    Who gives a threshold of cosines and none of probabilities means the cosines.

    Args:
        present: names of the layers that there are.
        score: layer that is asked for, or "auto".
        threshold: of cosines, where one is asked for.
        probability: threshold of probabilities, where one is asked for.
        what: these layers are, for the error.

    Raises:
        UnknownName: the one asked for is missing, or both are.
    """
    known = [layer for layer in _LAYERS if layer in present]
    if score == "auto" and known:
        return "cosine_map" if "cosine_map" in known and threshold is not None and probability is None else known[0]
    if score == "auto" or score not in known:
        raise UnknownName.among(score, known, what)
    return score


def threshold_name(layer: str) -> str:
    """What the threshold of a layer is called among the metrics of a run."""
    return f"threshold/{layer}"


def noted_thresholds(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """The thresholds among the metrics of a run, by layer."""
    found = {layer: metrics.get(threshold_name(layer)) for layer in _LAYERS}
    return {layer: limit for layer, limit in found.items() if limit is not None}


def judge(layers: Collection[str], contract: Contract, settings: ChangeSettings) -> Judgement | None:
    """The judgement that the settings ask for; None where nothing was compared.

    What the settings leave open is the model's own choice, made when it was trained: ``threshold`` and
    ``cosine_threshold`` among the metrics of its contract.

    Args:
        layers: names of the products.
        contract: of the model.
        settings: what people have asked for.

    Raises:
        UnknownName: probabilities shall judge, and the model has no change head.
    """
    if "cosine_map" not in layers:
        return None
    what = "layer of this model's comparisons"
    layer = deciding(layers, settings.score, settings.threshold, settings.probability, what=what)
    return Judgement(layer, thresholds(contract, settings)[layer])


def thresholds(contract: Contract, settings: ChangeSettings) -> dict[str, float]:
    """From which value on each layer means change, whichever of them judges."""
    cosine, chance = settings.threshold, settings.probability
    return {
        "cosine_map": contract.metrics.get("cosine_threshold", COSINE) if cosine is None else cosine,
        "change_probability": contract.metrics.get("threshold", PROBABILITY) if chance is None else chance,
    }
