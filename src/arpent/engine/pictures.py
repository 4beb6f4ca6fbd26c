"""Pictures of a training's progress, for tasks that can draw what their model answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from arpent.engine.devices import placed
from arpent.engine.task import Batch, Batches, inputs_of

__all__ = ["Pictured", "example_pictures"]


@runtime_checkable
class Pictured(Protocol):
    """A task whose trainings show example images."""

    def pictures(self, out: Any, batch: Batch) -> Mapping[str, NDArray[np.uint8]]:  # noqa: ANN401 - whatever the task's model gives
        """Colours ``(3, height, width)`` by name, of what the model makes of a batch."""
        ...


def example_pictures(
    task: object, model: nn.Module, validation: Batches, device: torch.device
) -> Mapping[str, NDArray[np.uint8]]:
    """What a model makes of the first validation batch, always the same one; nothing where the task cannot draw."""
    if not isinstance(task, Pictured):
        return {}
    model.eval()
    with torch.inference_mode():
        for batch in validation.epoch(0, 0, 1):
            here = placed(batch, device)
            return task.pictures(model(*inputs_of(here)), here)
    return {}
