"""Batch norm made at home with other images, without any label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from arpent.core.progress import Progress, Silent
from arpent.engine.devices import placed
from arpent.engine.task import Batch, inputs_of
from arpent.errors import EmptySplit, InvalidSetting

__all__ = ["renew_statistics"]


def renew_statistics(
    model: nn.Module, batches: Iterable[Batch], device: torch.device, *, total: int, progress: Progress | None = None
) -> nn.Module:
    """Measures the running statistics of batch norm anew; no weight moves.

    Each layer's statistics become the means, over all batches, of those of a batch, which is normalised by its own
    on the way to the next layer (AdaBN; Li et al., 2016). Pixels without data count as mean ones.

    Args:
        model: changed in place, and left on the CPU, in evaluation mode.
        batches: of images; one pass.
        device: where to compute.
        total: number of batches, for the progress.
        progress: who is told how far it is.

    Raises:
        InvalidSetting: the network has no batch norm.
        EmptySplit: there is no batch.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not layers:
        raise InvalidSetting(
            "the network has no batch norm whose statistics could be measured anew",
            cure="Choose another strategy, such as ft-initialisation.",
        )
    if not total:
        raise EmptySplit("there is no image to measure batch norm on", cure="Check the index and its splits.")
    momenta = [layer.momentum for layer in layers]
    model.to(device).eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches instead of one that forgets
        layer.train()
    with (progress or Silent()).bar("batch norm", total, "batches") as bar, torch.no_grad():
        for batch in batches:
            model(*inputs_of(placed(batch, device)))
            bar.advance()
    _restore(layers, momenta)
    return model.to("cpu").eval()


def _restore(layers: Sequence[_BatchNorm], momenta: Sequence[float | None]) -> None:
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
