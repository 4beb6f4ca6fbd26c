"""What a forecast runs on its dates, here or in another process: which network, on which image."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import Contract
from arpent.engine import Opener, PredictSettings, TileWork, start_network
from arpent.errors import InvalidSetting
from arpent.models import Origin, tile_needs
from arpent.models.recurrent import Forecast, Forecaster
from arpent.tasks.forecast.dataset import Frame
from arpent.tasks.forecast.foretelling import ForetellTask, SegmentTask
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.stacked import Stack, normalised

__all__ = ["DatesElsewhere"]


class _Segmenter(nn.Module):
    """The part of a forecaster that sees single dates."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(N, classes, H, W)`` of images ``(N, channels, H, W)``."""
        return self.model.explained(images).scores


class _Today(nn.Module):
    """What a forecaster makes of the issue date by all dates that a forecast starts from.

    Args:
        model: the forecaster.
        days: what it is told of the dates (`answering.days_of`).
    """

    def __init__(self, model: Forecaster, days: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("days", days)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(N, classes, H, W)`` of past dates ``(N, past · channels, H, W)``."""
        days = self.get_buffer("days")
        forecast: Forecast = self.model(images, days.expand(len(images), *days.shape))
        return forecast.now


@dataclass(frozen=True)
class DatesElsewhere:
    """A pass over the dates of a place, as it is told to a worker.

    Attributes:
        frames: the dates.
        name: of the place.
        sensor: whose images they are.
        task: what is made of them.
        days: what the network is told of them, where it maps the issue date by all of them.
        origin: of the model; None for one that was read from no file.
        sha256: of its file.
        settings: how to do it.
    """

    frames: tuple[Frame, ...]
    name: str
    sensor: str | None
    task: ForetellTask | SegmentTask
    days: NDArray[np.float32] | None
    origin: Origin | None
    sha256: str
    settings: ForetellSettings

    def stack(self, contract: Contract) -> Stack:
        """The dates as one image."""
        last = isinstance(self.task, SegmentTask)
        return Stack(self.frames, self.name, contract, self.sensor, last_counts=last)

    def network(self, model: nn.Module) -> nn.Module:
        """What of a model sees them."""
        if not isinstance(model, Forecaster) or isinstance(self.task, ForetellTask):
            return model
        return _Segmenter(model) if self.days is None else _Today(model, torch.from_numpy(self.days))

    def openers(self, there: PredictSettings) -> Opener:
        """How they are opened with the runtime and the device of the workers."""
        own = self.settings.model_copy(update={"runtime": there.runtime, "device": there.device})
        return replace(self, settings=own).opened

    def opened(self, stack: ExitStack) -> TileWork:
        """The same in a worker."""
        if self.origin is None:
            raise InvalidSetting("a model without a file cannot be shared", cure="Give the bundle.")
        bundle, settings = self.origin.again(self.sha256), self.settings
        contract = bundle.contract
        image = stack.enter_context(self.stack(contract))
        fixed = settings.shape(tile_needs(contract.architecture, contract.settings).stride).fixed
        network = start_network(
            self.network(bundle.model), settings.runtime, settings.device, settings.precision, fixed=fixed
        )
        return TileWork(self.task, network, image, normalised(contract, len(self.frames)))
