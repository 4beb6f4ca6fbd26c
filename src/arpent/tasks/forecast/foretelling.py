"""The maps of a forecast, as the engine knows them: one product for each date, with its issue date and its horizon."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import ClassMap
from arpent.engine import Answer, Batch, Dense, Meter, Network, Product, class_map, probability_map
from arpent.errors import InvalidSetting
from arpent.language import say
from arpent.models.recurrent import Forecast
from arpent.tasks.forecast.foretold import Coming, Plan
from arpent.tasks.forecast.predict_settings import ForetellSettings

__all__ = ["ForetellTask", "SegmentTask", "coming_name", "facts_of", "moment", "observed_name"]


def observed_name(kind: str, date: dt.date, suffix: str) -> str:
    """Name of a product of an observed date."""
    return f"{kind}_{date.isoformat()}{suffix}"


def coming_name(kind: str, date: dt.date, horizon: int, suffix: str) -> str:
    """Name of a product of a date that is foretold."""
    return f"{kind}_{date.isoformat()}_t{horizon}{suffix}"


def moment(date: dt.date) -> dt.datetime:
    """Midnight of a day, UTC."""
    return dt.datetime.combine(date, dt.time(), dt.UTC)


def facts_of(plan: Plan, one: Coming) -> Mapping[str, Any]:
    """What STAC items say of a date that is foretold, in the words of STAC's forecast extension."""
    return {
        "forecast:reference_datetime": moment(plan.issue).isoformat().replace("+00:00", "Z"),
        "forecast:horizon": f"P{(one.date - plan.issue).days}D",
        "arpent:horizon": one.horizon,
        "arpent:step_days": plan.step,
        "arpent:acquired": False,
    }


@dataclass(frozen=True)
class _Maps:
    """Makes the products of one date.

    Attributes:
        classes: what masks name.
        settings: whether probabilities are wanted, and the language.
    """

    classes: ClassMap
    settings: ForetellSettings

    def of(self, source: str, name: str, chances: str, title: str, **facts: Any) -> list[Product]:  # noqa: ANN401 - the fields of a product
        """The map of classes and, if asked for, the probabilities, which say the same of themselves."""
        language = self.settings.language
        made = [class_map(name, source, self.classes, title, **facts)]
        if self.settings.probabilities:
            told = f"{say('landcover.probabilities', language)}. {title}"
            made.append(probability_map(chances, source, self.classes, told, language, **facts))
        return made


class _Untaught:
    """What tasks that learn nothing answer to who would teach them."""

    def build(self) -> nn.Module:
        """Never asked: the network is a trained one."""
        raise self._error

    def loss(self, out: Any, batch: Batch) -> Tensor:  # noqa: ANN401 - the seam's signature
        """Never asked."""
        raise self._error

    def metrics(self) -> Meter:
        """Never asked."""
        raise self._error

    @property
    def _error(self) -> InvalidSetting:
        return InvalidSetting("a forecast is not learnt here", cure="Use 'arpent forecast train'.")


class ForetellTask(_Untaught):
    """The coming dates of a place.

    Args:
        settings: what is wanted.
        classes: what masks name.
        plan: the dates.
        days: what the network is told of them (`answering.days_of`).
        suffix: behind each name.
    """

    def __init__(
        self, settings: ForetellSettings, classes: ClassMap, plan: Plan, days: NDArray[np.float32], suffix: str = ""
    ) -> None:
        self.config, self.plan, self._suffix = settings, plan, suffix
        self._maps, self._days = _Maps(classes, settings), torch.from_numpy(days)

    def products(self) -> Sequence[Product]:
        """A map for each coming date, and its probabilities."""
        made, language = [], self.config.language
        for one in self.plan.coming:
            ahead = (one.date - self.plan.issue).days
            title = say(
                "forecast_product.coming",
                language,
                valid=one.date,
                issue=self.plan.issue,
                horizon=one.horizon,
                days=ahead,
                step=self.plan.step,
            )
            facts = {"moment": moment(one.date), "facts": facts_of(self.plan, one)}
            names = [coming_name(kind, one.date, one.horizon, self._suffix) for kind in ("classes", "probabilities")]
            made += self._maps.of(f"t{one.horizon}", names[0], names[1], title, **facts)
        return made

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Scores of each coming date, which are mixed between tiles before a class is chosen."""
        image: Tensor = batch["image"]
        said = Forecast(*model(image, self._days.expand(len(image), *self._days.shape)))
        return {f"t{one.horizon}": Dense(said.masks[:, one.horizon - 1]) for one in self.plan.coming}


class SegmentTask(_Untaught):
    """One observed date of a place.

    Args:
        settings: what is wanted.
        classes: what masks name.
        date: of the image.
        suffix: behind each name.
    """

    def __init__(self, settings: ForetellSettings, classes: ClassMap, date: dt.date, suffix: str = "") -> None:
        self.config, self._date, self._suffix = settings, date, suffix
        self._maps = _Maps(classes, settings)

    def products(self) -> Sequence[Product]:
        """The map, and its probabilities."""
        title = say("forecast_product.observed", self.config.language, valid=self._date)
        names = [observed_name(kind, self._date, self._suffix) for kind in ("classes", "probabilities")]
        return self._maps.of("now", names[0], names[1], title, moment=moment(self._date))

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Scores of the date."""
        return {"now": Dense(model(batch["image"]))}
