"""The coming dates: the task, as the engine knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import ClassMap
from arpent.engine import Answer, Batch, Dense, Network, Product
from arpent.metrics import ConfusionMatrix
from arpent.models import Forecast, Forecaster, ForecasterSettings, ForecastHead, build
from arpent.tasks.forecast.mask_pictures import EXAMPLES, mask_table
from arpent.tasks.forecast.segmentation_task import segmentation_loss
from arpent.tasks.forecast.train_settings import ForecastSettings

__all__ = ["CovariateScale", "ForecastTask", "OnFeatures"]


class CovariateScale:
    """Means and deviations of covariates over the training dates.

    Args:
        values: of each covariate, by name; NaN where it is not known.
    """

    def __init__(self, values: Mapping[str, Sequence[float]]) -> None:
        known = [np.array([one for one in numbers if np.isfinite(one)]) for numbers in values.values()]
        self.mean = torch.tensor([float(one.mean()) if one.size else 0.0 for one in known])
        self.std = torch.tensor([float(one.std()) or 1.0 if one.size else 1.0 for one in known])


class OnFeatures(nn.Module):
    """The head of a forecaster, for batches of what its segmentation network has made of the dates.

    Args:
        head: to be trained.
    """

    def __init__(self, head: ForecastHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, image: Tensor, features: Tensor, days: Tensor) -> Forecast:
        """Scores and pixels ``(B, past · (classes + channels), H, W)``, features ``(B, past · width, h, w)``."""
        past, classes = self.head.settings.past, self.head.settings.classes
        seen = image.reshape(len(image), past, -1, *image.shape[2:])
        cells = features.reshape(len(features), past, -1, *features.shape[2:])
        forecast: Forecast = self.head(seen[:, :, :classes], seen[:, :, classes:], cells, days)
        return forecast


class ForecastTask:
    """Forecasts of all horizons at once.

    Args:
        config: of the training.
        network: settings of the network.
        classes: the nomenclature.
        scale: of the covariates.
        start: the network with its segmentation network, where that has been trained.
    """

    def __init__(
        self,
        config: ForecastSettings,
        network: ForecasterSettings,
        classes: ClassMap,
        scale: CovariateScale,
        start: Forecaster | None = None,
    ) -> None:
        self.config = config
        self.network = network
        self.classes = classes
        self._scale = scale
        self._start = start

    def whole(self) -> Forecaster:
        """The whole network: a new head and, where there is one to start from, a trained segmentation network."""
        model = build("forecaster", self.network)
        assert isinstance(model, Forecaster)
        if self._start is not None:
            model.segmenter.load_state_dict(self._start.segmenter.state_dict())
        model.head.get_buffer("covariate_mean").copy_(self._scale.mean)
        model.head.get_buffer("covariate_std").copy_(self._scale.std)
        return model

    def build(self) -> nn.Module:
        """What is trained: the whole network or, on features that are made already, its head."""
        model = self.whole()
        return model if self.config.joint else OnFeatures(model.head)

    def loss(self, out: Forecast, batch: Batch) -> Tensor:
        """Dice and cross-entropy, mean over the horizons, and as much again for the issue date."""
        target = batch["target"]
        total = torch.stack(
            [segmentation_loss(out.masks[:, step], target[:, 1 + step]) for step in range(self.network.future)]
        ).mean()
        return total + segmentation_loss(out.now, target[:, 0])

    def metrics(self) -> _Meter:
        """IoU of each class at each horizon, and what is gained over staying with what is seen."""
        return _Meter(self.classes, self.network.future)

    def pictures(self, out: Forecast, batch: Batch) -> Mapping[str, NDArray[np.uint8]]:
        """Of a few samples, one column for each date from the issue date on: the truth, and below it the answer."""
        rows = []
        for true, now, coming in zip(batch["target"][:EXAMPLES], out.now, out.masks, strict=False):
            rows.append(list(true.cpu().numpy()))
            rows.append([now.argmax(0).cpu().numpy(), *coming.argmax(1).cpu().numpy()])
        return {"masks": mask_table(rows, self.classes)}

    def products(self) -> Sequence[Product]:
        """None: `tasks.forecast.predict` knows days and dates, which products carry."""
        return ()

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Scores of all horizons in one."""
        forecast = Forecast(*model(batch["image"], batch["metadata"]))
        return {"scores": Dense(forecast.masks.flatten(1, 2)), "now": Dense(forecast.now)}


class _Meter:
    """Scores of a validation set, horizon by horizon."""

    def __init__(self, classes: ClassMap, future: int) -> None:
        self._classes = classes
        self._coming = [ConfusionMatrix(classes) for _ in range(future)]
        self._stays = [ConfusionMatrix(classes) for _ in range(future)]

    def update(self, out: Forecast, batch: Batch) -> None:
        target, now = batch["target"], out.now.argmax(1)
        for step, (coming, stays) in enumerate(zip(self._coming, self._stays, strict=True)):
            coming.update(target[:, 1 + step], out.masks[:, step].argmax(1))
            stays.update(target[:, 1 + step], now)

    def merge(self, other: _Meter) -> None:
        both = zip((*self._coming, *self._stays), (*other._coming, *other._stays), strict=True)
        for mine, theirs in both:
            mine.merge(theirs)

    def compute(self) -> dict[str, float]:
        """The figures; of classes and horizons without truth there is none. The first class is the one watched."""
        found: dict[str, list[float]] = {"miou": [], "iou": [], "gain": []}
        by_class = {}
        for step, (coming, stays) in enumerate(zip(self._coming, self._stays, strict=True), 1):
            scores, before = coming.scores(), stays.scores()
            for name, value in zip(self._classes.labels(), scores.iou_by_class, strict=True):
                if np.isfinite(value):
                    by_class[f"iou/t+{step}/{name}"] = float(value)
            found["miou"].append(scores.miou)
            found["iou"].append(float(scores.iou_by_class[0]))
            found["gain"].append(float(scores.iou_by_class[0] - before.iou_by_class[0]))
        means = {name: float(np.mean(known)) for name, values in found.items() if (known := _finite(values))}
        return means | by_class

    def figures(self) -> Sequence[str]:
        """The names of all figures that there can be."""
        horizons = range(1, len(self._coming) + 1)
        return ("gain", "iou", "miou", *(f"iou/t+{h}/{name}" for h in horizons for name in self._classes.labels()))


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]
