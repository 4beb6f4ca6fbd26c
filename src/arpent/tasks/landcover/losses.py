"""What land-cover networks minimise: scores ``(B, classes, H, W)`` against class indices ``(B, H, W)``, -1 for none.

All are zero for a batch without truth, and their gradients are finite for every batch. A class of weight 0 is not
learnt: its pixels count no more than those without truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from arpent.core import ClassMap
from arpent.errors import InvalidSetting
from arpent.models import batch_total
from arpent.models.losses import cross_entropy, dice_loss, focal_loss, lovasz_loss
from arpent.tasks.landcover.settings import LandcoverSettings

__all__ = ["ClassLoss", "class_weights"]


class ClassLoss:
    """The loss that settings name, for a nomenclature.

    Args:
        config: names the loss, the weights of classes and the classes to be ignored.
        classes: the nomenclature.
    """

    def __init__(self, config: LandcoverSettings, classes: ClassMap) -> None:
        self._weights = class_weights(classes, config.weights, config.ignore)
        self._gamma = config.focal_gamma
        self._parts = [_LOSSES[name] for name in config.loss.split("+")]

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        """The sum of the losses named."""
        weights = self._weights.to(scores.device)
        learnt = torch.cat((weights, weights.new_zeros(1)))[target] > 0  # an index of -1 finds the last entry
        target = torch.where(learnt, target, -1)
        if not batch_total(learnt.sum()):
            return scores.sum() * 0.0  # a batch without truth teaches nothing, and its mean would be 0 ÷ 0
        scores = scores.float()
        total = scores.new_zeros(())
        for part in self._parts:
            total = total + part(scores, target, weights, self._gamma)
        return total


def class_weights(classes: ClassMap, given: Mapping[str, float], ignore: Iterable[str] = ()) -> Tensor:
    """The weight of each class ``(classes,)``, by index: 1 where nothing is said, 0 for inactive and ignored ones.

    Args:
        classes: the nomenclature.
        given: weights by name in either language, or by number in files.
        ignore: classes that are not learnt, likewise.

    Raises:
        UnknownName: no class is called so.
        InvalidSetting: a class is given twice, or none is left.
    """
    named = [classes.index_of(word) for word in given]
    if len(set(named)) < len(named):
        twice = next(index for index in named if named.count(index) > 1)
        raise InvalidSetting(
            f"the class '{classes.labels()[twice]}' has two weights",
            found=", ".join(f"{word}: {weight}" for word, weight in given.items()),
            cure="Name each class once, by its name or by its number.",
        )
    weights = torch.ones(len(classes))
    weights[named] = torch.tensor(list(given.values()), dtype=weights.dtype)
    weights[[*classes.inactive, *(classes.index_of(word) for word in ignore)]] = 0
    if not bool((weights > 0).any()):
        raise InvalidSetting(
            f"no class of '{classes.name}' is left to learn", cure="Give at least one class a weight above 0."
        )
    return weights


_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "cross-entropy": lambda scores, target, weights, _: cross_entropy(scores, target, weights),
    "dice": lambda scores, target, weights, _: dice_loss(scores, target, weights),
    "focal": focal_loss,
    "lovasz": lambda scores, target, weights, _: lovasz_loss(scores, target, weights),
}
