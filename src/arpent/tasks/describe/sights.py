"""The adapter's own lesson: to write the numbers of an image in the code, before any word is learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from arpent.core import Settings
from arpent.engine import Answer, Batch, Network, NoFigures, Product
from arpent.errors import InvalidSetting
from arpent.models.describer import VisionAdapter
from arpent.tasks.describe.coding import Code
from arpent.tasks.describe.examples import Example
from arpent.tasks.describe.lessons import Lesson, Lessons
from arpent.tasks.describe.sequences import Dialogue

__all__ = ["Sighted", "WritingTask", "sights"]

_BATCH = 64


class Sighted(nn.Module):
    """An adapter by itself.

    Args:
        adapter: that learns.
    """

    def __init__(self, adapter: VisionAdapter) -> None:
        super().__init__()
        self.adapter = adapter

    def forward(self, image: Tensor, *words: Tensor) -> Tensor:
        """Vectors (B, cells, words) of images (B, cells, width); words are not looked at."""
        vectors: Tensor = self.adapter(image)
        return vectors


class WritingTask:
    """Numbers, written in the code.

    Args:
        config: of the training.
        adapter: that learns.
        code: to be written.
    """

    def __init__(self, config: Settings, adapter: VisionAdapter, code: Code) -> None:
        self.config = config
        self._adapter, self._code = adapter, code

    def build(self) -> Sighted:
        """The adapter."""
        return Sighted(self._adapter)

    def loss(self, out: Tensor, batch: Batch) -> Tensor:
        """How far the vectors are from the code."""
        return self._code.error(out.float(), batch["measured"])

    def metrics(self) -> NoFigures:
        """The loss says all there is to say."""
        return NoFigures()

    def products(self) -> Sequence[Product]:
        """None."""
        return ()

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Not what it is made for."""
        raise InvalidSetting("an adapter by itself says nothing", cure="Use 'arpent describe generate'.")


def sights(examples: Sequence[Example], code: Code, count: int, seed: int) -> Lessons:
    """Images with their numbers, `count` of them in an order of their own."""
    order = np.random.default_rng(seed).integers(len(examples), size=count)

    def make(epoch: int, place: int) -> Lesson:
        example = examples[int(order[place])]
        return Lesson(example.key.parcel, Dialogue((0,), (0,)), example.visual, code.numbers(example.measured))

    return Lessons(count, make, batch_size=_BATCH, pad=0)
