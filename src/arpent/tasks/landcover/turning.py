"""A tile seen in all eight ways that a square can lie: what the views agree on is more often right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from arpent.engine import Answer, Batch, Dense, Meter, Network, Product
from arpent.errors import InvalidSetting
from arpent.tasks.landcover.settings import LandcoverSettings
from arpent.tasks.landcover.task import LandcoverTask

__all__ = ["TurnedTask"]

_VIEWS = tuple((quarters, mirrored) for mirrored in (False, True) for quarters in range(4))


class TurnedTask:
    """A land-cover task that shows each tile to its network turned and mirrored, and averages the scores."""

    def __init__(self, task: LandcoverTask) -> None:
        self._task = task

    @property
    def config(self) -> LandcoverSettings:
        """That of the task."""
        return self._task.config

    def build(self) -> nn.Module:
        """A new network."""
        return self._task.build()

    def loss(self, out: Tensor, batch: Batch) -> Tensor:
        """The task's loss."""
        return self._task.loss(out, batch)

    def metrics(self) -> Meter:
        """The task's meter."""
        return self._task.metrics()

    def products(self) -> Sequence[Product]:
        """The task's products."""
        return self._task.products()

    def infer(self, model: Network, batch: Batch) -> Answer:
        """The mean of the scores of eight views, in the tile's own position."""
        total: dict[str, Tensor] = {}
        for quarters, mirrored in _VIEWS:
            seen = {**batch, **{name: _turned(batch[name], quarters, mirrored) for name in ("image", "valid")}}
            for name, entry in self._task.infer(model, seen).items():
                values = _turned_back(_scores(entry), quarters, mirrored)
                total[name] = values if name not in total else total[name] + values
        return _means(total)


def _scores(entry: object) -> Tensor:
    if not isinstance(entry, Dense) or entry.valid is not None:
        raise InvalidSetting(
            "only maps of scores can be averaged over views", found=type(entry).__name__, cure="Predict without --tta."
        )
    return torch.as_tensor(entry.values)


def _means(total: Mapping[str, Tensor]) -> Answer:
    return {name: Dense(values / len(_VIEWS)) for name, values in total.items()}


def _turned(pixels: Tensor, quarters: int, mirrored: bool) -> Tensor:
    """``(…, H, W)`` mirrored from left to right, then turned by so many quarters."""
    return torch.rot90(pixels.flip(-1) if mirrored else pixels, quarters, (-2, -1))


def _turned_back(pixels: Tensor, quarters: int, mirrored: bool) -> Tensor:
    back = torch.rot90(pixels, -quarters, (-2, -1))
    return back.flip(-1) if mirrored else back
