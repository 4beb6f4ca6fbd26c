"""What land-cover networks minimise: scores ``(B, classes, H, W)`` against class indices ``(B, H, W)``, -1 for none.

All are zero for a batch without truth, and their gradients are finite for every batch. A class of weight 0 is not
learnt: its pixels count no more than those without truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from arpent.core import ClassMap
from arpent.errors import InvalidSetting
from arpent.tasks.landcover.settings import LandcoverSettings

__all__ = ["ClassLoss", "class_weights", "cross_entropy", "dice_loss", "focal_loss", "lovasz_loss"]


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
        if not bool(learnt.any()):
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


def cross_entropy(scores: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of −log of the chance of the true class, each pixel counting as its class weighs."""
    return functional.cross_entropy(scores, target, weights, ignore_index=-1)


def dice_loss(scores: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 − mean Dice over the classes that the batch holds, each counting as it weighs.

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
    return _mean_over(1 - 2 * shared[present] / size[present], present, weights)


_LEAST_DOUBT = 1e-6
"""A network that is surer than this is not pushed further; the power of an exact 0 has no finite slope."""


def focal_loss(scores: Tensor, target: Tensor, weights: Tensor, gamma: float = 2.0) -> Tensor:
    """Cross-entropy in which pixels that are right already count little: each times (1 − chance) ** `gamma`.

    T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár, "Focal loss for dense object detection", ICCV 2017. The mean
    is over the weights of the pixels alone, so that a `gamma` of 0 gives the cross-entropy.
    """
    keep = target >= 0
    index = target.clamp(min=0)
    surprise = functional.nll_loss(functional.log_softmax(scores, dim=1), index, reduction="none")
    doubt = (1 - torch.exp(-surprise)).clamp(min=_LEAST_DOUBT)
    weight = weights[index] * keep
    return (weight * doubt**gamma * surprise).sum() / weight.sum()


def lovasz_loss(scores: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """The Lovász extension of 1 − IoU, mean over the classes that the batch holds, each counting as it weighs.

    M. Berman, A. R. Triki and M. B. Blaschko, "The Lovász-softmax loss", CVPR 2018: pixels are put in the order of
    their errors, and each error counts by how much the IoU falls when its pixel is added to the wrong ones.
    """
    keep = target >= 0
    truth = target[keep]
    chances = torch.softmax(scores, dim=1).permute(0, 2, 3, 1)[keep]
    present = torch.bincount(truth, minlength=scores.shape[1]) > 0
    losses = []
    for index in torch.nonzero(present).flatten():
        is_class = truth == index
        errors, order = torch.sort(torch.where(is_class, 1 - chances[:, index], chances[:, index]), descending=True)
        losses.append(errors @ _falls(is_class[order].to(errors.dtype)))
    return _mean_over(torch.stack(losses), present, weights)


def _falls(is_class: Tensor) -> Tensor:
    """By how much 1 − IoU grows with each pixel ``(n,)`` that is taken to be wrong, in the order given."""
    union = is_class.sum() + torch.cumsum(1 - is_class, 0)
    lost = 1 - (is_class.sum() - torch.cumsum(is_class, 0)) / union
    return torch.diff(lost, prepend=lost.new_zeros(1))


def _mean_over(losses: Tensor, present: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of the losses of the classes that are `present`."""
    if weights is None:
        return losses.mean()
    kept = weights[present]
    return (kept * losses).sum() / kept.sum()


_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "cross-entropy": lambda scores, target, weights, _: cross_entropy(scores, target, weights),
    "dice": lambda scores, target, weights, _: dice_loss(scores, target, weights),
    "focal": focal_loss,
    "lovasz": lambda scores, target, weights, _: lovasz_loss(scores, target, weights),
}
