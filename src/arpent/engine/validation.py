"""How good a model is on batches that it has not learnt from: the same in one process and in several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from arpent.engine.devices import placed
from arpent.engine.processes import Processes
from arpent.engine.task import Batches, Meter, Task, inputs_of
from arpent.errors import UnknownName

__all__ = ["require_figure", "validate"]


def require_figure(task: Task, figure: str) -> None:
    """Refuses to pick the best epoch by a figure that no validation can give, before anything is computed.

    Raises:
        UnknownName: it is none of the task's.
    """
    known = ("loss", *task.metrics().figures())
    if figure not in known:
        raise UnknownName.among(figure, known, "figure to pick the best epoch by ('fit.best')")


@dataclass(frozen=True)
class _Validated:
    """What one process found on its part of the validation set: a loss per batch, and what its meter counted."""

    losses: Sequence[float]
    meter: Meter


def validate(task: Task, model: nn.Module, batches: Batches, processes: Processes) -> dict[str, float]:
    """Loss and metrics: the same in all processes, and as one of them would find alone.

    Args:
        task: gives the loss and the meter.
        model: where the processes compute; left in evaluation mode.
        batches: with their truth.
        processes: that share the work.
    """
    processes.align(model)
    model.eval()
    # Each takes a run of whole batches, so that their losses are those of one process to the last bit.
    steps, rank, world = batches.steps(), processes.rank, processes.world
    start, stop = steps * rank // world, steps * (rank + 1) // world
    meter, losses = task.metrics(), []
    with torch.inference_mode():
        for batch in batches.epoch(0, start, stop):
            here = placed(batch, processes.device)
            out = model(*inputs_of(here))
            losses.append(float(task.loss(out, here)))
            meter.update(out, here)
    first, *others = processes.gathered(_Validated(losses, meter))
    for other in others:
        first.meter.merge(other.meter)
    total = sum(loss for part in (first, *others) for loss in part.losses)
    return {"loss": total / steps, **first.meter.compute()}
