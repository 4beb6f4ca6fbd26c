"""Which pieces of the images a network sees, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Window, ground_sampling_distance
from arpent.data.footprints import located, with_grids
from arpent.data.index import SampleIndex
from arpent.data.mixture import Mix, apportioned, interleaved, members, shares_of
from arpent.data.sample import Sample
from arpent.errors import EmptySplit, GeoreferenceMissing, InvalidSetting

__all__ = ["GridPatches", "PatchPlan", "PatchRef", "RandomPatches", "rescaled"]

_SAME_SIZE = 0.01  # share by which pixels may differ in size and still be read as they are
_SLIVER = 0.01  # of a pixel that may lie outside


@dataclass(frozen=True, slots=True)
class PatchRef:
    """A piece of a sample that is still to be read; its window may reach outside the sample.

    Attributes:
        sample: what it is a piece of.
        window: in pixels `step` times as wide as those of the image, counted from the image's corner.
        step: width of a pixel, in pixels of the image.
    """

    sample: Sample
    window: Window
    step: float = 1.0

    @property
    def name(self) -> str:
        """The sample's name and the upper left corner, for messages."""
        size = "" if self.step == 1 else f"×{self.step:.3g}"
        return f"{self.sample.name}@{self.window.row},{self.window.col}{size}"


class PatchPlan(Protocol):
    """What `Batches` goes through."""

    def epoch(self, number: int) -> Sequence[PatchRef]:
        """The pieces of one epoch, in order: the same for the same number."""
        ...


class RandomPatches:
    """For training: squares anywhere inside the samples, all ground equally likely, in another order every epoch.

    Each epoch spreads its patches evenly over the area, at random within: with `count` at its default and samples
    of the patch's size, each sample comes exactly once. Whatever is drawn follows from the seed and the number of the
    epoch alone.

    Args:
        index: samples, or images cut into blocks.
        size: side of a patch in pixels.
        count: patches of an epoch; as many as would tile the samples if not given.
        seed: of places and order.
        mix: how sensors share the patches of an epoch.
        gsds: pixel sizes in metres to be read at, each drawn as often; as the images have it if there are none.
    """

    def __init__(
        self,
        index: SampleIndex,
        size: int,
        *,
        count: int | None = None,
        seed: int = 0,
        mix: Mix = "proportional",
        gsds: Sequence[float] = (),
    ) -> None:
        self._windows = _windows_of(index, size)
        self._samples = index.samples
        self._size = size
        self._seed = seed
        self._steps = [_steps_of(sample, grid, gsds) for sample, grid in with_grids(index)] if gsds else None
        self._gsds = len(gsds)
        areas = np.array([window.size for window in self._windows], np.float64)
        self.count = max(1, round(areas.sum() / size**2)) if count is None else count
        self._interleaved = mix != "proportional"
        groups = members(index, mix)
        shares = apportioned(self.count, shares_of(groups, mix))
        self._groups = [
            _Group(np.array(numbers), np.cumsum(areas[numbers]), share)
            for numbers, share in zip(groups.values(), shares, strict=True)
            if share
        ]

    def epoch(self, number: int) -> Sequence[PatchRef]:
        """The pieces of one epoch."""
        rng = np.random.Generator(np.random.Philox(key=[self._seed, 1], counter=[0, 0, number, 0]))
        chosen = np.concatenate([group.drawn(rng) for group in self._groups])
        places = rng.random((self.count, 2))
        order = rng.permutation(self.count)
        if self._interleaved:
            order = interleaved(order, [group.count for group in self._groups])
        sizes = self._sizes(number)
        return [self._ref(int(chosen[k]), places[k], sizes[k]) for k in order.tolist()]

    def _sizes(self, number: int) -> list[int]:
        """Which of the pixel sizes each piece of an epoch has."""
        if not self._gsds:
            return [0] * self.count
        # Numbers of its own, so that places and order stay as they are.
        rng = np.random.Generator(np.random.Philox(key=[self._seed, 2], counter=[0, 0, number, 0]))
        drawn: list[int] = rng.permutation(np.arange(self.count) % self._gsds).tolist()
        return drawn

    def _ref(self, number: int, place: NDArray[np.float64], size: int) -> PatchRef:
        step = 1.0 if self._steps is None else self._steps[number][size]
        window = rescaled(self._windows[number], step)
        row = window.row + int(place[0] * (max(window.height - self._size, 0) + 1))
        col = window.col + int(place[1] * (max(window.width - self._size, 0) + 1))
        return PatchRef(self._samples[number], Window(row, col, self._size, self._size), step)


@dataclass(frozen=True)
class _Group:
    """Samples that share a part of an epoch: their numbers, where the area of each ends, and how many patches."""

    numbers: NDArray[np.int64]
    ends: NDArray[np.float64]
    count: int

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of samples, in their order."""
        marks = (np.arange(self.count) + rng.random()) * (self.ends[-1] / self.count)
        # Rounding may put the last mark on the very end.
        places = np.minimum(np.searchsorted(self.ends, marks, side="right"), len(self.ends) - 1)
        return np.asarray(self.numbers[places])


def rescaled(window: Window, step: float) -> Window:
    """The pixels `step` times as wide that lie inside a window; one at least."""
    if step == 1:
        return window
    row, col = (math.ceil(start / step - _SLIVER) for start in (window.row, window.col))
    row_end, col_end = (math.floor(end / step + _SLIVER) for end in (window.row_end, window.col_end))
    return Window.between(row, col, max(row_end, row + 1), max(col_end, col + 1))


def _steps_of(sample: Sample, grid: Grid, gsds: Sequence[float]) -> list[float]:
    """Widths of pixels of these sizes in metres, in pixels of the sample's image, which lies on this grid."""
    own = ground_sampling_distance(grid)
    if own is None:
        raise GeoreferenceMissing(
            f"{sample.image} has no pixel size in metres that it could be resampled from",
            cure="Georeference it, or leave 'resample_gsd' out.",
        )
    steps = [gsd / own for gsd in gsds]
    return [1.0 if abs(step - 1) <= _SAME_SIZE else step for step in steps]


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
