"""What counts as change: the layer of a comparison that says so, and from which value on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arpent.core import Contract
from arpent.errors import UnknownName
from arpent.report.figures import Steps
from arpent.tasks.change.mosaic_style import cosine_steps, probability_steps
from arpent.tasks.change.polygons import OutlineSettings
from arpent.tasks.change.settings import COSINE, PROBABILITY, ChangeSettings

__all__ = ["COSINE", "PROBABILITY", "Judgement", "judge", "thresholds"]


@dataclass(frozen=True)
class Judgement:
    """Which layer says what has changed.

    Attributes:
        layer: "cosine_map" or "change_probability".
        threshold: cosine below which, or probability from which on, ground counts as changed.
    """

    layer: Literal["cosine_map", "change_probability"]
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
    known = [name for name in ("cosine_map", "change_probability") if name in layers]
    if settings.score not in ("auto", *known):
        raise UnknownName.among(settings.score, known, "layer of this model's comparisons")
    only_cosine = settings.threshold is not None and settings.probability is None
    chance = settings.score == "change_probability" or (
        settings.score == "auto" and "change_probability" in known and not only_cosine
    )
    limits = thresholds(contract, settings)
    if chance:
        return Judgement("change_probability", limits["change_probability"])
    return Judgement("cosine_map", limits["cosine_map"])


def thresholds(contract: Contract, settings: ChangeSettings) -> dict[str, float]:
    """From which value on each layer means change, whichever of them judges."""
    cosine, chance = settings.threshold, settings.probability
    return {
        "cosine_map": contract.metrics.get("cosine_threshold", COSINE) if cosine is None else cosine,
        "change_probability": contract.metrics.get("threshold", PROBABILITY) if chance is None else chance,
    }
