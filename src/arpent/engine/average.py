"""A moving average of weights, which often generalises better than the last ones."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["MovingAverage"]


class MovingAverage:
    """Keeps ``average ← decay · average + (1 − decay) · weights`` in a model of its own.

    Running statistics of batch norm are averaged like weights; counters are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Takes the weights after a step."""
        average = self.model.state_dict()
        for name, value in model.state_dict().items():
            kept = average[name]
            if kept.is_floating_point():
                kept.lerp_(value, 1 - self._decay)
            else:
                kept.copy_(value)
