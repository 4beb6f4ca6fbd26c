"""Labels, as the engine learns them: the loss, and the figures by which the best epoch is picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from arpent.core import Settings
from arpent.engine import Answer, Batch, Network, Product
from arpent.metrics import Labelled
from arpent.models import Labelling, batch_mean

__all__ = ["LabelTask"]


class LabelTask:
    """Satisfies `engine.Task`.

    Args:
        config: of the training.
        make: the network to begin with.
        branches: whether the branches of a fusion learn along: then each is also asked for the labels by itself.
    """

    def __init__(self, config: Settings, make: Callable[[], nn.Module], *, branches: bool = False) -> None:
        self.config = config
        self._make = make
        self._branches = branches

    def build(self) -> nn.Module:
        """The network to begin with."""
        return self._make()

    def loss(self, out: Labelling, batch: Batch) -> Tensor:
        """Binary cross-entropy, mean over samples and labels."""
        target = batch["target"]
        total = batch_mean(_surprise(out.logits, target))
        if not self._branches or out.image is None or out.text is None:
            return total
        for at, scores in enumerate((out.image, out.text)):
            there = batch["present"][:, at]
            total = total + batch_mean(_surprise(scores, target) * there)
        return total

    def metrics(self) -> _Meter:
        """mAP, and F1 of all labels at a chance of a half."""
        return _Meter()

    def products(self) -> Sequence[Product]:
        """None: `classify predict` knows pictures, which products speak of."""
        return ()

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Nothing, for the same reason."""
        return {}


def _surprise(scores: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each sample ``(B,)``, mean over its labels."""
    return functional.binary_cross_entropy_with_logits(scores, target, reduction="none").mean(1)


class _Meter:
    """Keeps all chances: a validation set of pictures is small, and a ranking needs them all."""

    def __init__(self) -> None:
        self._chances: list[NDArray[np.float32]] = []
        self._truth: list[NDArray[np.bool_]] = []

    def update(self, out: Labelling, batch: Batch) -> None:
        self._chances.append(torch.sigmoid(out.logits).float().cpu().numpy())
        self._truth.append(batch["target"].cpu().numpy() > 0)

    def merge(self, other: _Meter) -> None:
        self._chances += other._chances
        self._truth += other._truth

    def compute(self) -> dict[str, float]:
        """The figures; no mAP where no label is borne."""
        judged = Labelled(np.concatenate(self._chances), np.concatenate(self._truth))
        found = {"map": judged.mean_average_precision(), "micro_f1": judged.micro_f1()}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def figures(self) -> Sequence[str]:
        """Their names."""
        return ("map", "micro_f1")
