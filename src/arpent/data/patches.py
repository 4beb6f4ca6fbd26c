"""Which pieces of the images a network sees, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from arpent.core import Window
from arpent.data.footprints import located
from arpent.data.index import SampleIndex
from arpent.data.sample import Sample
from arpent.errors import EmptySplit, InvalidSetting

__all__ = ["GridPatches", "PatchPlan", "PatchRef", "RandomPatches"]


@dataclass(frozen=True, slots=True)
class PatchRef:
    """A piece of a sample that is still to be read; its window may reach outside the sample."""

    sample: Sample
    window: Window

    @property
    def name(self) -> str:
        """The sample's name and the upper left corner, for messages."""
        return f"{self.sample.name}@{self.window.row},{self.window.col}"


class PatchPlan(Protocol):
    """What `Batches` goes through."""

    def epoch(self, number: int) -> Sequence[PatchRef]:
        """The pieces of one epoch, in order: the same for the same number."""
        ...


class RandomPatches:
    """For training: squares anywhere inside the samples, all ground equally likely, in another order every epoch.

    Each epoch spreads its patches evenly over the area, at random within: with `count` at its default and samples
    of the patch's size, each sample comes exactly once.

    Args:
        index: samples, or images cut into blocks.
        size: side of a patch in pixels.
        count: patches of an epoch; as many as would tile the samples if not given.
        seed: of places and order.
    """

    def __init__(self, index: SampleIndex, size: int, *, count: int | None = None, seed: int = 0) -> None:
        self._windows = _windows_of(index, size)
        self._samples = index.samples
        self._size = size
        self._seed = seed
        areas = np.array([window.size for window in self._windows], np.float64)
        self._ends = np.cumsum(areas)
        self.count = max(1, round(self._ends[-1] / size**2)) if count is None else count

    def epoch(self, number: int) -> Sequence[PatchRef]:
        """The pieces of one epoch."""
        rng = np.random.Generator(np.random.Philox(key=[self._seed, 1], counter=[0, 0, number, 0]))
        marks = (np.arange(self.count) + rng.random()) * (self._ends[-1] / self.count)
        # Rounding may put the last mark on the very end.
        chosen = np.minimum(np.searchsorted(self._ends, marks, side="right"), len(self._windows) - 1)
        places = rng.random((self.count, 2))
        return [self._ref(int(chosen[k]), places[k, 0], places[k, 1]) for k in rng.permutation(self.count)]

    def _ref(self, number: int, down: float, right: float) -> PatchRef:
        window = self._windows[number]
        row = window.row + int(down * (max(window.height - self._size, 0) + 1))
        col = window.col + int(right * (max(window.width - self._size, 0) + 1))
        return PatchRef(self._samples[number], Window(row, col, self._size, self._size))


class GridPatches:
    """For validation: squares side by side that cover each sample, the same in every epoch.

    The last ones of a row or column reach outside; what is outside has no data and no truth, so that every pixel
    counts exactly once.

    Args:
        index: samples, or images cut into blocks.
        size: side of a patch in pixels.
    """

    def __init__(self, index: SampleIndex, size: int) -> None:
        self._refs = tuple(
            PatchRef(sample, Window(row, col, size, size))
            for sample, window in zip(index, _windows_of(index, size), strict=True)
            for row in range(window.row, window.row_end, size)
            for col in range(window.col, window.col_end, size)
        )
        self.count = len(self._refs)

    def epoch(self, number: int) -> Sequence[PatchRef]:
        """The pieces, whatever the number of the epoch."""
        del number
        return self._refs


def _windows_of(index: Iterable[Sample], size: int) -> tuple[Window, ...]:
    if size < 1:
        raise InvalidSetting("a patch needs at least one pixel", found=size, cure="Give its side in pixels.")
    whole = index if isinstance(index, SampleIndex) else SampleIndex(index)
    windows = tuple(sample.window for sample in located(whole) if sample.window is not None)
    if not windows:
        raise EmptySplit("there is no sample to cut patches from", cure="Check the index and its column 'split'.")
    return windows
