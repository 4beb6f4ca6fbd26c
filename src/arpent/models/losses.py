"""What dense networks minimise: scores ``(B, classes, H, W)`` against class indices ``(B, H, W)``, -1 for none.

The gradients of all are finite for every batch that has a truth; what is done with one that has none is the task's
affair. A class of weight 0 is not learnt. Where several processes share a batch (`one_batch`), all are those of the
whole of it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from arpent.models.one_batch import batch_rows, batch_total

__all__ = ["cross_entropy", "dice_loss", "focal_loss", "lovasz_loss"]


def cross_entropy(scores: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of −log of the chance of the true class, each pixel counting as its class weighs."""
    total = functional.cross_entropy(scores, target, weights, ignore_index=-1, reduction="sum")
    return batch_total(total) / batch_total((weights[target.clamp(min=0)] * (target >= 0)).sum())


def dice_loss(scores: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 − mean Dice over the classes that the batch holds, each counting as it weighs.

    Pixels with target -1 do not count. Classes absent from the batch are left out: their Dice would only say how
    often they were predicted, which the cross-entropy says better.
    """
    keep = (target >= 0).unsqueeze(1)
    chances = torch.softmax(scores.float(), dim=1) * keep
    truth = functional.one_hot(target.clamp(min=0), scores.shape[1]).permute(0, 3, 1, 2) * keep
    axes = (0, 2, 3)
    true = truth.sum(axes).to(chances.dtype)
    shared, size, true = batch_total(torch.stack(((chances * truth).sum(axes), chances.sum(axes) + true, true)))
    present = true > 0
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
    return batch_total((weight * doubt**gamma * surprise).sum()) / batch_total(weight.sum())


def lovasz_loss(scores: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """The Lovász extension of 1 − IoU, mean over the classes that the batch holds, each counting as it weighs.

    M. Berman, A. R. Triki and M. B. Blaschko, "The Lovász-softmax loss", CVPR 2018: pixels are put in the order of
    their errors, and each error counts by how much the IoU falls when its pixel is added to the wrong ones.
    """
    keep = target >= 0
    truth = batch_rows(target[keep])
    chances = batch_rows(torch.softmax(scores, dim=1).permute(0, 2, 3, 1)[keep])
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
