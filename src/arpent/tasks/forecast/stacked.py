"""The past dates of a series as one image, so that the engine reads them as it reads anything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Contract, Grid, Raster, Window, ground_sampling_distance
from arpent.data import Normaliser
from arpent.engine.job import check_contract
from arpent.errors import DatasetError
from arpent.io import open_image
from arpent.tasks.forecast.dataset import Frame

__all__ = ["Stack", "normalised"]


class Stack(Closing):
    """Dates on one grid, read by windows; safe to read from several threads.

    A window has the bands of each date after one another, in linear power. It is valid where all dates are; or, where
    earlier dates are there but to help, where the last one is, which then stands in where these have no data.

    Attributes:
        frames: the dates.
        source: its name, for people.
        grid: of all dates.
        bands: one name per band and date.
        gsd: metres per pixel.
        dtype: of the pixels.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        name: str,
        contract: Contract,
        sensor: str | None = None,
        *,
        last_counts: bool = False,
    ) -> None:
        self.frames, self.source, self._last_counts = tuple(frames), name, last_counts
        names = contract.band_names
        with ExitStack() as opened:
            readers = []
            for frame in self.frames:
                readers.append(open_image(frame.image, bands=names, sensor=sensor))
                opened.callback(readers[-1].close)
                check_contract(contract, readers[-1])
            first = readers[0]
            for reader, frame in zip(readers, self.frames, strict=True):
                if not reader.grid.matches(first.grid):
                    raise DatasetError(
                        f"{frame.image} does not lie on the grid of the dates before it",
                        found=f"{reader.grid.width} × {reader.grid.height} pixels at {reader.grid.bounds}",
                        expected=f"{first.grid.width} × {first.grid.height} pixels at {first.grid.bounds}",
                        cure="Bring the dates to one grid with 'arpent forecast prepare'.",
                    )
            self._readers = tuple(readers)
            self._opened = opened.pop_all()
        self.grid: Grid = first.grid
        self.gsd = ground_sampling_distance(self.grid)
        self.dtype: np.dtype[np.generic] = np.dtype(np.float32)
        self.bands = tuple(f"{name}@{at}" for at in range(len(self.frames)) for name in names)

    def read(self, window: Window) -> Raster:
        """All dates in a window of the grid."""
        seen = [reader.read(window) for reader in self._readers]
        if self._last_counts:
            valid, last = seen[-1].valid, seen[-1].pixels
            parts = [np.where(one.valid, one.pixels, last) for one in seen]
        else:
            valid = np.logical_and.reduce([one.valid for one in seen])
            parts = [one.pixels for one in seen]
        pixels = np.concatenate(parts).astype(np.float32, copy=False)
        return Raster(pixels, valid, self.grid.crop(window), self.bands)

    def close(self) -> None:
        """Close every file."""
        self._opened.close()


def normalised(
    contract: Contract, dates: int
) -> Callable[[NDArray[np.generic], NDArray[np.bool_]], NDArray[np.float32]]:
    """What makes network input of the pixels of that many dates, each as the contract says."""
    assert contract.normalisation is not None  # whoever opened the model has seen to it
    normaliser = Normaliser(contract.normalisation)

    def prepare(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        return np.concatenate([normaliser(one, valid) for one in np.split(pixels, dates)])

    return prepare
