"""Numbers as vectors: the code in which the vectors of an image carry what was measured.

Every cell of a parcel carries all numbers, each along a direction of its own, so that a model may look at the cells as
a whole. Besides, each cell carries one number in full: a direction says which, and where the number lies on a few
circles is written along others, the same for all numbers. Numbers that are near each other lie near each other there,
however often the circle is gone round others are told apart, and the likeness of two places falls with the distance of
the numbers. Words that are numbers begin at the same places (`point`), so that to read a number is to find its cell and
to hand on what stands there. The small language model learns the code before it sees any image; an adapter then learns
to write it, which is far easier than to learn from words alone what they speak of.
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
from arpent.models import batch_total

__all__ = ["Code"]

_SHARES = ("soil", "vegetation", "water")
_CENTRE, _SPREAD = 0.2, 0.35
"""What brings indices and shares of land to about -2…2."""
_ROUNDS = (1, 3)
"""How many quarters of a circle a number of one is away from nought, circle by circle."""
_ALONG, _POINT = 0.3, 2.0
"""How long the directions of all numbers, and the places on the circles, are beside the names."""
_NEAR = 0.01
"""A distance below which it counts by its square, where it would have no slope."""
_SEED = 20_150_623


@dataclass(frozen=True)
class Code:
    """Directions for the numbers of texts.

    Attributes:
        indices: names of the indices that texts state, in order; the shares of the ground follow them.
        along: (numbers, words), the direction of each number in all cells.
        names: (numbers, words), which number a cell carries in full.
        circles: (circles, 2, words), the axes of each circle.
    """

    indices: tuple[str, ...]
    along: Tensor
    names: Tensor
    circles: Tensor

    @classmethod
    def of(cls, words: int, deviation: float, profile: Profile = "arpent") -> Code:
        """The code for a language model whose vectors have `words` numbers of this standard `deviation`."""
        indices = tuple(dict.fromkeys(axis.index for axis in axes_of(profile).values()))
        chance = torch.Generator().manual_seed(_SEED)
        numbers = len(indices) + len(_SHARES)
        along, names = torch.randn(2, numbers, words, generator=chance) * deviation
        circles = torch.randn(len(_ROUNDS), 2, words, generator=chance) * deviation
        return cls(indices, along * _ALONG, names, circles)

    def numbers(self, measured: Measured) -> NDArray[np.float32]:
        """What was measured (numbers,); NaN where it is not known."""
        indices = [measured.indices.get(name, math.nan) for name in self.indices]
        shares = [measured.shares.get(name, math.nan) for name in _SHARES]
        return np.array([*indices, *shares], dtype=np.float32)

    def vectors(self, numbers: Tensor, cells: int) -> Tensor:
        """Numbers (…, numbers) as vectors (…, cells, words): cell by cell; each cell has its own number."""
        known = numbers.nan_to_num(_CENTRE)
        number = torch.arange(cells, device=numbers.device) % len(self.names)
        return self._carried(known[..., None, :], number, known[..., number])

    def _carried(self, every: Tensor, number: Tensor, own: Tensor) -> Tensor:
        """Vectors of cells that carry `every` number, and in full their `own`, which has this `number`."""
        along = ((every - _CENTRE) / _SPREAD) @ self.along.to(every.device)
        vectors: Tensor = along + self.names.to(every.device)[number] + _POINT * self.point(own)
        return vectors

    def point(self, numbers: Tensor) -> Tensor:
        """Where numbers (…) lie on the circles (…, words)."""
        angles = numbers[..., None] * torch.tensor(_ROUNDS, device=numbers.device) * (math.pi / 2)
        both = torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1)
        return both.flatten(-2) @ self.circles.to(numbers.device).flatten(0, 1)

    def shown(self, measured: Measured, cells: int, rng: np.random.Generator, by: float = 0.02) -> NDArray[np.float32]:
        """The vectors (cells, words) of what was measured, each number a little off, as an adapter writes them."""
        numbers = torch.from_numpy(
            self.numbers(measured) + rng.normal(0, by, (cells, len(self.names))).astype(np.float32)
        ).nan_to_num(_CENTRE)
        number = torch.arange(cells) % len(self.names)
        own = numbers[torch.arange(cells), number]
        vectors: NDArray[np.float32] = self._carried(numbers, number, own).numpy()
        return vectors

    def error(self, vectors: Tensor, numbers: Tensor) -> Tensor:
        """Distance of vectors (B, cells, words) from the code of numbers (B, numbers), in parts of a name's length.

        The distance itself and not its square, so that the few parcels that no adapter can read, of which half is open
        water, do not decide for all others. Images of which a number is not known do not count.
        """
        known = torch.isfinite(numbers).all(dim=1)
        apart = (vectors - self.vectors(numbers, vectors.shape[1])).square().mean(dim=(1, 2))
        distance = (apart / self.names.square().mean() + _NEAR**2).sqrt() - _NEAR
        return batch_total((distance * known).sum()) / batch_total(known.sum()).clamp(min=1)
