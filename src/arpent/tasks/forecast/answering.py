"""A forecasting bundle made ready to answer: linear power and days in, probabilities of each coming date out."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from arpent.core import ClassMap
from arpent.data import Normaliser
from arpent.engine import Network, start_network
from arpent.engine.settings import Precision, RuntimeName
from arpent.errors import BundleInvalid, ContractMismatch
from arpent.models import Bundle, load_bundle, tile_needs
from arpent.models.recurrent import Forecast, Forecaster, ForecasterSettings
from arpent.tasks.forecast.dataset import Dataset, Frame

__all__ = [
    "Answered",
    "ForecastModel",
    "chances_of",
    "check_dataset",
    "days_beyond",
    "days_of",
    "open_forecaster",
    "unknown_covariates",
]


class Told(Protocol):
    """A date of which something is known beside its pixels; `Frame` is one."""

    @property
    def date(self) -> dt.date:
        """The day."""
        ...

    @property
    def covariates(self) -> Mapping[str, float]:
        """Numbers by name; what is not known is not there."""
        ...


@dataclass(frozen=True)
class Answered:
    """What a model says of one window of a series.

    Attributes:
        now: ``(classes, H, W)`` probabilities at the issue date.
        coming: ``(future, classes, H, W)`` probabilities at each horizon.
        kept: ``(future, classes, H, W)`` those of the issue date as a forecast of each horizon, as cautious as
            `coming`; None where they are `now` as it is.
    """

    now: NDArray[np.float32]
    coming: NDArray[np.float32]
    kept: NDArray[np.float32] | None = None

    def persisting(self, horizon: int) -> NDArray[np.float32]:
        """``(classes, H, W)`` probabilities of a horizon, from 1 on, for one who holds that nothing changes."""
        return self.now if self.kept is None else self.kept[horizon - 1]


@dataclass(frozen=True)
class ForecastModel:
    """A forecaster on a runtime.

    Attributes:
        bundle: the model and its contract.
        settings: of the network.
        classes: what its masks name.
        network: the model as it runs.
    """

    bundle: Bundle
    settings: ForecasterSettings
    classes: ClassMap
    network: Network

    @property
    def past(self) -> int:
        """Dates that it looks at."""
        return self.settings.past

    @property
    def future(self) -> int:
        """Dates that it answers for."""
        return self.settings.future

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of each date."""
        return self.bundle.contract.band_names

    def answer(self, frames: NDArray[np.floating], valid: NDArray[np.bool_], days: NDArray[np.float32]) -> Answered:
        """The masks of today and of the coming dates.

        Args:
            frames: ``(past, bands, H, W)`` linear power.
            valid: ``(past, H, W)``; where each date has data.
            days: see `days_of`.
        """
        height, width = valid.shape[1:]
        rule = self.bundle.contract.normalisation
        assert rule is not None  # `open_forecaster` has seen to it
        normaliser = Normaliser(rule)
        pixels = np.stack([normaliser(one, seen) for one, seen in zip(frames, valid, strict=True)])
        stride = tile_needs(self.bundle.contract.architecture, self.bundle.contract.settings).stride
        image = _padded(torch.from_numpy(pixels.reshape(-1, height, width)), stride)
        said = Forecast(*self.network(image[None], torch.from_numpy(days)[None]))
        coming = said.masks[0, :, :, :height, :width].float()
        now = said.now[0, :, :height, :width].float()
        kept = said.kept[0, :, :height, :width].cpu() / self._temperatures().view(-1, 1, 1, 1)
        return Answered(chances_of(now, 0), chances_of(coming, 1), chances_of(kept, 1))

    def _temperatures(self) -> Tensor:
        """``(future,)``; what the scores of each horizon were divided by, so that they are calibrated."""
        assert isinstance(self.bundle.model, Forecaster)  # `open_forecaster` has seen to it
        return self.bundle.model.head.get_buffer("temperatures").float().cpu()


def chances_of(scores: Tensor, axis: int) -> NDArray[np.float32]:
    """Scores as probabilities over the classes, which lie along `axis`."""
    return np.asarray(functional.softmax(scores, dim=axis).cpu().numpy(), np.float32)


def _padded(image: Tensor, stride: int) -> Tensor:
    """An image ``(channels, H, W)`` grown to whole strides by repeating its last row and column."""
    height, width = image.shape[-2:]
    return functional.pad(image[None], (0, -width % stride, 0, -height % stride), mode="replicate")[0]


def days_of(
    seen: Sequence[Frame], coming: Sequence[Told | dt.date], settings: ForecasterSettings
) -> NDArray[np.float32]:
    """What a network is told of each date beside its pixels, ``(past + future, 1 + covariates)``.

    Days since the issue date, and the covariates of the past dates; of the coming ones those alone that the network
    learnt to know ahead. NaN where one is not known.

    Args:
        seen: the past dates; the last is the issue date.
        coming: the dates to come, as far as something is known of them; of others the day.
        settings: of the network.
    """
    issue = seen[-1].date
    told = np.full((len(seen) + len(coming), 1 + len(settings.covariates)), np.nan, np.float32)
    for row, one in enumerate((*seen, *coming)):
        day = one if isinstance(one, dt.date) else one.date
        told[row, 0] = (day - issue).days
        if isinstance(one, dt.date):
            continue
        for column, name in enumerate(settings.covariates, 1):
            if row < len(seen) or name in settings.ahead:
                told[row, column] = one.covariates.get(name, np.nan)
    return told


def days_beyond(frames: Sequence[Frame], settings: ForecasterSettings, missing: int) -> list[dt.date]:
    """Days for the horizons after the last date of a series, a step each."""
    last = frames[-1].date
    return [last + dt.timedelta(days=round(settings.step * step)) for step in range(1, missing + 1)]


def unknown_covariates(dates: Sequence[Told], names: Iterable[str]) -> tuple[str, ...]:
    """Those of some covariates that one of these dates does not tell."""
    return tuple(name for name in names if not all(math.isfinite(one.covariates.get(name, np.nan)) for one in dates))


def open_forecaster(
    path: Path, *, runtime: RuntimeName = "torch", device: str = "auto", precision: Precision = "f32"
) -> ForecastModel:
    """The forecasting bundle at a path, ready to answer.

    Raises:
        BundleInvalid: it is of another kind.
    """
    bundle = load_bundle(path)
    contract = bundle.contract
    if not isinstance(bundle.model, Forecaster) or contract.classes is None or contract.normalisation is None:
        raise BundleInvalid(
            f"{path} is no forecasting model",
            found=f"a model for '{contract.task}'",
            cure="Give one that 'arpent forecast train' has made.",
        )
    network = start_network(bundle.model, runtime, device, precision)
    return ForecastModel(bundle, bundle.model.settings, contract.classes, network)


def check_dataset(model: ForecastModel, dataset: Dataset) -> None:
    """Refuses a data set that a model cannot read or be judged by.

    Raises:
        ContractMismatch: its bands or classes are other ones.
    """
    reasons = model.bundle.contract.differences(dataset.bands, None, "float32")
    if reasons:
        raise ContractMismatch(
            f"{dataset.folder} does not fit the model: {'; '.join(reasons)}",
            cure="Prepare the series with these bands, or train a model on those it has.",
        )
    known = dataset.facts.classes
    if known is not None and known.ids.tolist() != model.classes.ids.tolist():
        raise ContractMismatch(
            f"the model and {dataset.folder} name different classes",
            found=", ".join(model.classes.labels()),
            expected=", ".join(known.labels()),
            cure="Train the model on masks of this nomenclature.",
        )
