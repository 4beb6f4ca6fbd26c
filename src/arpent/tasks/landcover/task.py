"""Land cover: an image in, one class per pixel out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from arpent.core import ClassMap, Language, nomenclature
from arpent.engine import Answer, Batch, Dense, Network, Product
from arpent.language import say
from arpent.metrics import ConfusionMatrix
from arpent.models import build
from arpent.pixels import highest
from arpent.tasks.landcover.settings import LandcoverSettings

__all__ = ["LandcoverTask", "dice_loss"]

_PERCENT_NODATA = 255


class LandcoverTask:
    """The land-cover task, as the engine knows it."""

    def __init__(self, config: LandcoverSettings, classes: ClassMap | None = None, language: Language = "en") -> None:
        self.config = config
        self.classes = classes or nomenclature(config.classes)
        self._language = language

    @property
    def network_settings(self) -> dict[str, Any]:
        """All settings of the network."""
        sizes = {"channels": len(self.config.bands), "classes": len(self.classes)}
        return {**self.config.network, **sizes}

    def build(self) -> nn.Module:
        """A new network."""
        return build(self.config.architecture, self.network_settings)

    def loss(self, out: Tensor, batch: Batch) -> Tensor:
        """Of scores ``(B, classes, H, W)`` against indices ``(B, H, W)``, -1 where there is no truth."""
        target = batch["target"]
        if not bool((target >= 0).any()):
            return out.sum() * 0.0  # a batch without truth teaches nothing, and its mean would be 0 ÷ 0
        total = functional.cross_entropy(out, target, ignore_index=-1)
        if self.config.loss == "cross-entropy+dice":
            total = total + dice_loss(out, target)
        return total

    def metrics(self) -> _Meter:
        """Accuracy and mIoU from one confusion matrix."""
        return _Meter(len(self.classes))

    def products(self) -> Sequence[Product]:
        """The class map and, if asked for, the probabilities."""
        count = len(self.classes)
        made = [
            Product(
                "classes",
                "scores",
                channels=count,
                bands=("class",),
                dtype="uint8",
                nodata=self.classes.nodata,
                finish=self._most_likely,
                classes=self.classes,
                overviews="mode",
                title=say("landcover.map", self._language),
            )
        ]
        if self.config.probabilities:
            made.append(
                Product(
                    "probabilities",
                    "scores",
                    channels=count,
                    bands=self.classes.labels(self._language),
                    dtype="uint8",
                    nodata=_PERCENT_NODATA,
                    finish=_percent,
                    unit="%",
                    title=say("landcover.probabilities", self._language),
                )
            )
        return made

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Scores, which are mixed between tiles before a class is chosen."""
        return {"scores": Dense(model(batch["image"]))}

    def _most_likely(self, scores: NDArray[np.float32]) -> NDArray[np.uint8]:
        return np.asarray(self.classes.ids[highest(scores)][None])


def _percent(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores ``(classes, h, w)`` to probabilities in percent."""
    powers = np.exp(scores - scores.max(axis=0, keepdims=True))
    return np.asarray(100 * powers / powers.sum(axis=0, keepdims=True), np.float32)


def dice_loss(scores: Tensor, target: Tensor) -> Tensor:
    """1 − mean Dice over the classes that the batch holds; ``(B, classes, H, W)`` against ``(B, H, W)``.

    Pixels with target -1 do not count. Classes absent from the batch are left out: their Dice would only say how
    often they were predicted, which the cross-entropy says better.
    """
    keep = (target >= 0).unsqueeze(1)
    chances = torch.softmax(scores.float(), dim=1) * keep
    truth = functional.one_hot(target.clamp(min=0), scores.shape[1]).permute(0, 3, 1, 2) * keep
    axes = (0, 2, 3)
    shared = (chances * truth).sum(axes)
    size = chances.sum(axes) + truth.sum(axes)
    present = truth.sum(axes) > 0
    return 1 - (2 * shared[present] / size[present]).mean()


class _Meter:
    """Scores of a validation set."""

    def __init__(self, classes: int) -> None:
        self._matrix = ConfusionMatrix(classes)

    def update(self, out: Tensor, batch: Batch) -> None:
        self._matrix.update(batch["target"], out.argmax(dim=1))

    def merge(self, other: _Meter) -> None:
        self._matrix.merge(other._matrix)

    def compute(self) -> dict[str, float]:
        scores = self._matrix.scores()
        return {"accuracy": scores.accuracy, "miou": scores.miou}
