"""The dates of a place without their speckle, in strips: memory grows neither with the height nor with the dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Strip, Window
from arpent.pixels import GrainMean, SpeckleFilter, local_mean
from arpent.tasks.forecast.finding import Found
from arpent.tasks.forecast.power import FrameReader
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.survey import Surveyed

__all__ = ["Cleaner", "cleaner_of"]

_STRIP_BYTES = 64 << 20
_FEWEST_ROWS = 64


@dataclass(frozen=True)
class Cleaner:
    """Takes the speckle away from the dates of one place.

    Attributes:
        settings: which filter.
        bands: polarisations to read.
        grid: of the place.
        looks: equivalent number of looks by band; empty where no filter needs it.
        grain: the mean speckle of all dates ``(bands, height, width)``, for quegan_yu alone.
    """

    settings: PrepareSettings
    bands: tuple[str, ...]
    grid: Grid
    looks: Mapping[str, float]
    grain: NDArray[np.float32] | None = None

    @property
    def tags(self) -> dict[str, str]:
        """What an image says of its filter."""
        if self.settings.filter == "none":
            return {}
        tags = {"SPECKLE_FILTER": self.settings.filter, "SPECKLE_WINDOW": str(self.settings.window)}
        return tags | {f"SPECKLE_LOOKS_{band.upper()}": f"{looks:.4g}" for band, looks in self.looks.items()}

    def strips(self, reader: FrameReader) -> Iterator[Strip]:
        """One date, filtered, from top to bottom."""
        for window in self.grid.window.strips(_rows(self.grid, len(self.bands))):
            yield Strip(window.row, self._filtered(reader, window))

    def _filtered(self, reader: FrameReader, window: Window) -> NDArray[np.float32]:
        name, side = self.settings.filter, self.settings.window
        if name == "none":
            return reader.read(window, self.bands)
        power, rows = _with_halo(reader, window, self.bands, side // 2)
        if self.grain is not None:
            means = np.stack([local_mean(plane, None, side, rows) for plane in power])
            return np.asarray(means * self.grain[:, window.row : window.row_end], np.float32)
        return np.stack(
            [
                SpeckleFilter(name, side, self.looks[band], self.settings.damping)(plane, None, rows)
                for band, plane in zip(self.bands, power, strict=True)
            ]
        )


@contextmanager
def cleaner_of(
    place: Surveyed, looks: Mapping[str, float], settings: PrepareSettings, folder: Path
) -> Iterator[Cleaner]:
    """A cleaner for the dates of a place.

    Args:
        place: with its dates, on its grid.
        looks: equivalent number of looks by band; empty where no filter needs it.
        settings: which filter.
        folder: for what does not fit into memory.
    """
    bands, grid = place.bands, place.grid
    if settings.filter == "quegan_yu":
        path = folder / ".grain.partial"
        try:
            yield Cleaner(settings, bands, grid, {}, _grain(place.dates, bands, grid, settings, path))
        finally:
            path.unlink(missing_ok=True)
    else:
        yield Cleaner(settings, bands, grid, looks)


def _grain(
    dates: Sequence[Found], bands: tuple[str, ...], grid: Grid, settings: PrepareSettings, path: Path
) -> NDArray[np.float32]:
    """The mean over the dates of power by local mean, on the disk."""
    grain = np.memmap(path, np.float32, "w+", shape=(len(bands), *grid.shape))
    for window in grid.window.strips(_rows(grid, 3 * len(bands))):
        sums = [GrainMean(window.shape) for _ in bands]
        for date in dates:
            with FrameReader(date, settings, grid) as reader:
                power, rows = _with_halo(reader, window, bands, settings.window // 2)
            for total, plane in zip(sums, power, strict=True):
                total.add(plane[rows], local_mean(plane, None, settings.window, rows))
        grain[:, window.row : window.row_end] = [total.mean for total in sums]
    return grain


def _with_halo(
    reader: FrameReader, window: Window, bands: tuple[str, ...], halo: int
) -> tuple[NDArray[np.float32], slice]:
    """The power of a strip with the rows around it that its own depend on, and where its own begin and end."""
    wide = window.padded(halo).intersect(reader.grid.window)
    first = window.row - wide.row
    return reader.read(wide, bands), slice(first, first + window.height)


def _rows(grid: Grid, planes: int) -> int:
    return max(_FEWEST_ROWS, _STRIP_BYTES // (4 * planes * grid.width))
