"""Numbers as vectors: the code in which the vectors of an image carry what was measured.

Each number has a direction of its own, and every cell of a parcel carries all of them along these, so that a model
may look at the cells as a whole. Besides, each cell carries one number in full: a direction says which, and others, the
same for all numbers, which marks it lies above; there a model can look a number up as it looks up a word. The small
language model learns the code before it sees any image; an adapter then learns to write it, which is far easier than to
learn from words alone what they speak of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.language import Measured
from arpent.language.axes import Profile, axes_of

__all__ = ["Code"]

_SHARES = ("soil", "vegetation", "water")
_CENTRE, _SPREAD = 0.2, 0.35
"""What brings indices and shares of land to about -2…2."""
_MARKS = torch.arange(-0.95, 1, 0.1)
"""Values beside which a number is told to be above or below."""
_SOFTNESS = 0.07
"""How far from a mark the answer is clear."""
_SEED = 20_150_623


@dataclass(frozen=True)
class Code:
    """Directions for the numbers of texts.

    Attributes:
        indices: names of the indices that texts state, in order; the shares of the ground follow them.
        along: (numbers, words), the direction of each number in all cells.
        names: (numbers, words), which number a cell carries in full.
        marks: (marks, words), above which marks that number lies.
    """

    indices: tuple[str, ...]
    along: Tensor
    names: Tensor
    marks: Tensor

    @classmethod
    def of(cls, words: int, deviation: float, profile: Profile = "arpent") -> Code:
        """The code for a language model whose vectors have `words` numbers of this standard `deviation`."""
        indices = tuple(dict.fromkeys(axis.index for axis in axes_of(profile).values()))
        chance = torch.Generator().manual_seed(_SEED)
        numbers = len(indices) + len(_SHARES)
        along, names = torch.randn(2, numbers, words, generator=chance)
        marks = torch.randn(len(_MARKS), words, generator=chance) / math.sqrt(len(_MARKS))
        return cls(indices, along * deviation, names * deviation, marks * deviation)

    def numbers(self, measured: Measured) -> NDArray[np.float32]:
        """What was measured (numbers,); NaN where it is not known."""
        indices = [measured.indices.get(name, math.nan) for name in self.indices]
        shares = [measured.shares.get(name, math.nan) for name in _SHARES]
        return np.array([*indices, *shares], dtype=np.float32)

    def vectors(self, numbers: Tensor, cells: int) -> Tensor:
        """Numbers (…, numbers) as vectors (…, cells, words): cell by cell; each cell has its own number."""
        known = numbers.nan_to_num(_CENTRE)
        number = torch.arange(cells, device=numbers.device) % len(self.names)
        marks = torch.tanh((known[..., number, None] - _MARKS.to(numbers.device)) / _SOFTNESS)
        every = ((known - _CENTRE) / _SPREAD) @ self.along.to(numbers.device)
        vectors: Tensor = (
            every[..., None, :] + self.names.to(numbers.device)[number] + marks @ self.marks.to(numbers.device)
        )
        return vectors

    def shown(self, measured: Measured, cells: int, rng: np.random.Generator, by: float = 0.02) -> NDArray[np.float32]:
        """The vectors (cells, words) of what was measured, each number a little off, as an adapter writes them."""
        numbers = torch.from_numpy(
            self.numbers(measured) + rng.normal(0, by, (cells, len(self.names))).astype(np.float32)
        )
        each = torch.arange(cells)
        vectors: NDArray[np.float32] = self.vectors(numbers, cells)[each, each].numpy()
        return vectors

    def error(self, vectors: Tensor, numbers: Tensor) -> Tensor:
        """Squared distance of vectors (B, cells, words) from the code of numbers (B, numbers), in parts of its spread.

        Images of which a number is not known do not count.
        """
        known = torch.isfinite(numbers).all(dim=1)
        spread = self.along.square().mean() * len(self.along)
        apart = (vectors - self.vectors(numbers, vectors.shape[1])).square().mean(dim=(1, 2)) / spread
        return (apart * known).sum() / known.sum().clamp(min=1)
