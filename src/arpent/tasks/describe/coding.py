"""Numbers as vectors: the code in which an image's vectors carry what was measured.

Each number has a direction of its own among the words of the language model, drawn once; what lies along it is the
number. One direction more always carries the same: language models look at the directions of vectors and not at their
lengths, so that without it only ratios could be read. Means over cells stay means, so a parcel's mean index is the mean
of what its cells carry. A small language model learns to read the code before it sees any image; an adapter learns to
write it, which is far easier than to learn from words alone what they speak of.
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
_SEED = 20_150_623
_ALWAYS = 3.0
"""What lies along the direction that always carries the same; more than most numbers, so that lengths differ little."""


@dataclass(frozen=True)
class Code:
    """A direction for each number.

    Attributes:
        indices: names of the indices that texts state, in order; the shares of the ground follow them.
        matrix: (numbers, words); the last row is the direction that always carries the same.
    """

    indices: tuple[str, ...]
    matrix: Tensor

    @classmethod
    def of(cls, words: int, deviation: float, profile: Profile = "arpent") -> Code:
        """The code for a language model whose vectors have `words` numbers of this standard `deviation`."""
        indices = tuple(dict.fromkeys(axis.index for axis in axes_of(profile).values()))
        chance = torch.Generator().manual_seed(_SEED)
        drawn = torch.randn(len(indices) + len(_SHARES) + 1, words, generator=chance)
        return cls(indices, drawn * deviation)

    def numbers(self, measured: Measured) -> NDArray[np.float32]:
        """What was measured (numbers,), brought to about -2…2 and with what is always the same; NaN where not known."""
        indices = [measured.indices.get(name, math.nan) for name in self.indices]
        shares = [measured.shares.get(name, math.nan) for name in _SHARES]
        numbers = (np.array([*indices, *shares]) - _CENTRE) / _SPREAD
        return np.append(numbers, _ALWAYS).astype(np.float32)

    def scattered(
        self, measured: Measured, cells: int, rng: np.random.Generator, by: float = 0.3
    ) -> NDArray[np.float32]:
        """The numbers cell by cell (cells, numbers), around their mean as those of a real parcel are."""
        around = rng.normal(0, by, (cells, len(self.matrix))).astype(np.float32)
        around[:, -1] = 0
        numbers: NDArray[np.float32] = np.nan_to_num(self.numbers(measured)) + around - around.mean(axis=0)
        return numbers

    def error(self, vectors: Tensor, numbers: Tensor) -> Tensor:
        """Squared distance of vectors (B, words) from the code of numbers (B, numbers), as a share of its spread.

        Images of which a number is not known do not count.
        """
        known = torch.isfinite(numbers).all(dim=1)
        matrix = self.matrix.to(vectors.device)
        apart = (vectors - numbers.nan_to_num() @ matrix).square().mean(dim=1) / matrix.square().mean()
        return (apart * known).sum() / known.sum().clamp(min=1)
