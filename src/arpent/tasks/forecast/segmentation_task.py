"""One radar image in, one class per pixel out: the task, as the engine knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import ClassMap, Language
from arpent.engine import Answer, Batch, Dense, Network, Product, class_map
from arpent.language import say
from arpent.metrics import ConfusionMatrix
from arpent.models import batch_total, build, cross_entropy, dice_loss
from arpent.tasks.forecast.mask_pictures import EXAMPLES, mask_table
from arpent.tasks.forecast.train_settings import EncoderName, SegmentationSettings

__all__ = ["SegmentationTask", "network_of", "segmentation_loss"]

ALL_EQUAL = 1.0


def network_of(encoder: EncoderName, widths: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """Architecture and settings of a segmentation network, by the name that users give its encoder."""
    if encoder == "unet":
        return "unet", {"widths": list(widths)}
    return "smp-unet", {"encoder": encoder}


class SegmentationTask:
    """Segmentation of single dates.

    Args:
        config: of the training.
        channels: bands of an image.
        classes: the nomenclature.
        language: of titles.
    """

    def __init__(
        self, config: SegmentationSettings, channels: int, classes: ClassMap, language: Language = "en"
    ) -> None:
        self.config = config
        self.classes = classes
        self.architecture, network = network_of(config.encoder, config.widths)
        self.network_settings = {**network, "channels": channels, "classes": len(classes)}
        self._language = language

    def build(self) -> nn.Module:
        """A new network."""
        return build(self.architecture, self.network_settings)

    def loss(self, out: Tensor, batch: Batch) -> Tensor:
        """Dice and cross-entropy of scores ``(B, classes, H, W)`` against indices ``(B, H, W)``."""
        return segmentation_loss(out, batch["target"])

    def metrics(self) -> _Meter:
        """Accuracy, mIoU and the IoU of each class, from one confusion matrix."""
        return _Meter(self.classes)

    def pictures(self, out: Tensor, batch: Batch) -> Mapping[str, NDArray[np.uint8]]:
        """The truth of a few samples, and below it what the model makes of them."""
        true, said = (masks[:EXAMPLES].cpu().numpy() for masks in (batch["target"], out.argmax(1)))
        return {"masks": mask_table([list(true), list(said)], self.classes)}

    def products(self) -> Sequence[Product]:
        """The class map."""
        return [class_map("classes", "scores", self.classes, say("landcover.map", self._language))]

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Scores, which are mixed between tiles before a class is chosen."""
        return {"scores": Dense(model(batch["image"]))}


def segmentation_loss(scores: Tensor, target: Tensor) -> Tensor:
    """Dice and cross-entropy together; 0 for a batch without truth."""
    if not batch_total((target >= 0).sum()):
        return scores.sum() * 0.0  # a mean over nothing would be no number
    scores = scores.float()
    weights = scores.new_full((scores.shape[1],), ALL_EQUAL)
    return cross_entropy(scores, target, weights) + dice_loss(scores, target)


class _Meter:
    """Scores of a validation set."""

    def __init__(self, classes: ClassMap) -> None:
        self._classes = classes
        self._matrix = ConfusionMatrix(classes)

    def update(self, out: Tensor, batch: Batch) -> None:
        self._matrix.update(batch["target"], out.argmax(dim=1))

    def merge(self, other: _Meter) -> None:
        self._matrix.merge(other._matrix)

    def compute(self) -> dict[str, float]:
        """The figures; of classes the truth lacks there is none."""
        scores = self._matrix.scores()
        classes = zip(self._classes.labels(), scores.iou_by_class, strict=True)
        by_class = {f"iou/{name}": float(value) for name, value in classes if np.isfinite(value)}
        return {"accuracy": scores.accuracy, "miou": scores.miou, **by_class}

    def figures(self) -> Sequence[str]:
        """The names of all figures that there can be."""
        return ("accuracy", "miou", *(f"iou/{name}" for name in self._classes.labels()))
