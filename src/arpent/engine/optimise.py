"""Optimisers and learning-rate schedules, by name."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from arpent.engine.settings import OptimiserSettings, ScheduleName
from arpent.engine.tuning import Tuning

__all__ = ["Schedule", "make_optimiser", "share_of_peak"]

_FIRST, _LAST = 1 / 25, 1e-4
"""Where the one-cycle schedule begins and ends, as shares of the peak (Smith and Topin, 2018)."""
_COOLDOWN = 4
_LEAST_RATE = 1e-7


def make_optimiser(settings: OptimiserSettings, model: nn.Module, tuning: Tuning | None = None) -> Optimizer:
    """The optimiser for those parameters of a model that are trained, each part at its own rate."""
    trained = (tuning or Tuning()).groups(model, settings.rate)
    if settings.name == "sgd":
        return SGD(trained, lr=settings.rate, momentum=0.9, weight_decay=settings.weight_decay)
    return AdamW(trained, lr=settings.rate, weight_decay=settings.weight_decay)


def share_of_peak(schedule: ScheduleName, progress: float, warm_up: float) -> float:
    """The learning rate as a share of its peak, when `progress` (0 to 1) of the steps are done."""
    if schedule == "cosine":
        return _between(1.0, 0.0, progress)
    if schedule == "one-cycle":
        if progress < warm_up:
            return _between(_FIRST, 1.0, progress / warm_up)
        return _between(1.0, _LAST, (progress - warm_up) / (1 - warm_up))
    return 1.0


def _between(first: float, last: float, progress: float) -> float:
    """Half a cosine wave from `first` to `last`."""
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


class Schedule:
    """Sets the learning rate of an optimiser after each step and epoch.

    Args:
        settings: which schedule.
        optimiser: its groups keep their own peak, the rate they were made with.
        steps: of the optimiser in the whole training.
    """

    def __init__(self, settings: OptimiserSettings, optimiser: Optimizer, steps: int) -> None:
        self._settings = settings
        self._optimiser = optimiser
        self._steps = max(steps, 1)
        self._peaks = [group["lr"] for group in optimiser.param_groups]
        self._step, self._halvings, self._stalled, self._rest = 0, 0, 0, 0
        self._lowest = math.inf
        self._apply()

    def _apply(self) -> None:
        share = share_of_peak(self._settings.schedule, self._step / self._steps, self._settings.warm_up)
        for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
            least = min(peak, _LEAST_RATE)
            group["lr"] = max(peak * share * 0.5**self._halvings, least)

    def after_step(self) -> None:
        """A step of the optimiser is done."""
        self._step += 1
        self._apply()

    def after_epoch(self, loss: float) -> None:
        """An epoch is done; `loss` is the one on the validation set."""
        if self._settings.schedule != "plateau":
            return
        if loss < self._lowest:
            self._lowest, self._stalled = loss, 0
        elif self._rest > 0:
            self._rest -= 1
        else:
            self._stalled += 1
        if self._stalled >= self._settings.patience:
            self._halvings, self._stalled, self._rest = self._halvings + 1, 0, _COOLDOWN
            self._apply()

    def state(self) -> dict[str, float]:
        """What is needed to go on."""
        return {
            "step": self._step,
            "halvings": self._halvings,
            "stalled": self._stalled,
            "rest": self._rest,
            "lowest": self._lowest,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Goes on from a state."""
        self._step, self._halvings = int(state["step"]), int(state["halvings"])
        self._stalled, self._rest = int(state["stalled"]), int(state["rest"])
        self._lowest = state["lowest"]
        self._apply()
