"""Numbers as vectors: the code in which the vectors of an image carry what was measured.

Each cell of a parcel carries one number: a direction says which, and others say how much, the same for all numbers. So
a language model finds a number as it finds a word, by what it is called, and learns to read one in place of all. The
small language model learns the code before it sees any image; an adapter then learns to write it, which is far easier
than to learn from words alone what they speak of.
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
        names: (numbers, words), which number it is.
        amounts: (marks + 1, words), how much it is.
    """

    indices: tuple[str, ...]
    names: Tensor
    amounts: Tensor

    @classmethod
    def of(cls, words: int, deviation: float, profile: Profile = "arpent") -> Code:
        """The code for a language model whose vectors have `words` numbers of this standard `deviation`."""
        indices = tuple(dict.fromkeys(axis.index for axis in axes_of(profile).values()))
        chance = torch.Generator().manual_seed(_SEED)
        names = torch.randn(len(indices) + len(_SHARES), words, generator=chance)
        amounts = torch.randn(len(_MARKS) + 1, words, generator=chance) / math.sqrt(len(_MARKS) / 2)
        return cls(indices, names * deviation, amounts * deviation)

    def numbers(self, measured: Measured) -> NDArray[np.float32]:
        """What was measured (numbers,); NaN where it is not known."""
        indices = [measured.indices.get(name, math.nan) for name in self.indices]
        shares = [measured.shares.get(name, math.nan) for name in _SHARES]
        return np.array([*indices, *shares], dtype=np.float32)

    def vectors(self, numbers: Tensor, cells: int) -> Tensor:
        """Numbers (…, numbers) as vectors (…, cells, words): cell by cell, over and over; unknown ones are 0."""
        number = torch.arange(cells, device=numbers.device) % len(self.names)
        amounts = self.amounts.to(numbers.device)
        shown = numbers.nan_to_num()[..., number, None]
        marks = torch.tanh((shown - _MARKS.to(numbers.device)) / _SOFTNESS)
        features = torch.cat([2 * shown, marks], dim=-1)
        vectors: Tensor = self.names.to(numbers.device)[number] + features @ amounts
        return vectors

    def shown(self, measured: Measured, cells: int, rng: np.random.Generator, by: float = 0.02) -> NDArray[np.float32]:
        """The vectors (cells, words) of what was measured, each number a little off, as an adapter writes them."""
        numbers = torch.from_numpy(np.broadcast_to(self.numbers(measured), (cells, len(self.names))).copy())
        numbers += torch.from_numpy(rng.normal(0, by, numbers.shape).astype(np.float32))
        each = torch.arange(cells)
        vectors: NDArray[np.float32] = self.vectors(numbers, cells)[each, each].numpy()
        return vectors

    def error(self, vectors: Tensor, numbers: Tensor) -> Tensor:
        """Squared distance of vectors (B, cells, words) from the code of numbers (B, numbers), in parts of its spread.

        Cells whose number is not known do not count.
        """
        cells = vectors.shape[1]
        known = torch.isfinite(numbers)[:, torch.arange(cells, device=numbers.device) % len(self.names)]
        spread = self.amounts.square().mean()
        apart = (vectors - self.vectors(numbers, cells)).square().mean(dim=-1) / spread
        return (apart * known).sum() / known.sum().clamp(min=1)
