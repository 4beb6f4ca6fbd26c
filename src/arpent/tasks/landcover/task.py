"""Land cover: an image in, one class per pixel out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from arpent.core import ClassMap, Language, nomenclature
from arpent.engine import Answer, Batch, Dense, Network, Product, class_map, probability_map
from arpent.errors import BundleInvalid
from arpent.language import say
from arpent.metrics import ConfusionMatrix
from arpent.models import Bundle, build
from arpent.tasks.landcover.losses import ClassLoss
from arpent.tasks.landcover.settings import LandcoverSettings

__all__ = ["LandcoverTask", "classes_of", "most_likely"]


def classes_of(bundle: Bundle, source: Path) -> ClassMap:
    """The classes that a model of land cover tells apart.

    Raises:
        BundleInvalid: the bundle, which comes from `source`, is of another task.
    """
    task, classes = bundle.contract.task, bundle.contract.classes
    if task != "landcover" or classes is None:
        raise BundleInvalid(
            f"{source} is no land-cover model", found=f"a model for '{task}'", cure="Give another bundle."
        )
    return classes


class LandcoverTask:
    """The land-cover task, as the engine knows it."""

    def __init__(self, config: LandcoverSettings, classes: ClassMap | None = None, language: Language = "en") -> None:
        self.config = config
        self.classes = classes or nomenclature(config.classes)
        self._loss = ClassLoss(config, self.classes)
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
        return self._loss(out, batch["target"])

    def metrics(self) -> _Meter:
        """Accuracy, mIoU and the IoU of each class, from one confusion matrix."""
        return _Meter(self.classes, [self.classes.index_of(word) for word in self.config.ignore])

    def products(self) -> Sequence[Product]:
        """The class map and, if asked for, the probabilities."""
        language = self._language
        made = [class_map("classes", "scores", self.classes, say("landcover.map", language))]
        if self.config.probabilities:
            title = say("landcover.probabilities", language)
            made.append(probability_map("probabilities", "scores", self.classes, title, language))
        return made

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Scores, which are mixed between tiles before a class is chosen."""
        return {"scores": Dense(model(batch["image"]))}


def most_likely(scores: Tensor, classes: ClassMap) -> Tensor:
    """Scores ``(B, classes, H, W)`` to indices ``(B, H, W)`` of the classes that are ever predicted."""
    if classes.inactive:
        scores = scores.clone()
        scores[:, list(classes.inactive)] = -torch.inf
    return scores.argmax(dim=1)


class _Meter:
    """Scores of a validation set."""

    def __init__(self, classes: ClassMap, ignore: Sequence[int] = ()) -> None:
        self._classes = classes
        self._left_out = tuple(sorted({*ignore, *classes.inactive}))
        self._matrix = ConfusionMatrix(classes)

    def update(self, out: Tensor, batch: Batch) -> None:
        self._matrix.update(batch["target"], most_likely(out, self._classes))

    def merge(self, other: _Meter) -> None:
        self._matrix.merge(other._matrix)

    def compute(self) -> dict[str, float]:
        """The figures; of classes the truth lacks there is none."""
        scores = self._matrix.scores(leave_out=self._left_out)
        classes = zip(self._classes.labels(), scores.iou_by_class, strict=True)
        by_class = {f"iou/{name}": float(value) for name, value in classes if np.isfinite(value)}
        return {"accuracy": scores.accuracy, "miou": scores.miou, **by_class}

    def figures(self) -> Sequence[str]:
        """The names of all figures that there can be."""
        return ("accuracy", "miou", *(f"iou/{name}" for name in self._classes.labels()))
