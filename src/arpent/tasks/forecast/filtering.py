"""Speckle taken away strip by strip: memory grows neither with the height of images nor with the number of dates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Window, writing
from arpent.pixels import GrainMean, SpeckleFilter, local_mean
from arpent.tasks.forecast.echoes import Echoes, Powered

__all__ = ["Cleaner", "Grain", "Piece", "grain_of", "strips_of"]

Power = NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """Some rows of an image: ``(bands, rows, width)`` of power before and after.

    Attributes:
        row: the first of them.
        before: power; NaN where there is no data.
        after: the same without speckle.
        below: values of these rows that are no data because they are below 0.
    """

    row: int
    before: Power
    after: Power
    below: int

    @property
    def ratio(self) -> Power:
        """Image over filtered image; 1 where there is no echo at all."""
        out = np.where(np.isfinite(self.after), np.float32(1), np.float32(np.nan))
        return np.divide(self.before, self.after, out=out, where=self.after > 0)


@dataclass(frozen=True)
class Grain:
    """The mean speckle of several dates ``(bands, height, width)``, on the disk.

    It is read by strips: a mapped file would fill the memory it can get.
    """

    path: Path
    grid: Grid

    def offset(self, band: int, strip: Window) -> int:
        """Where the strip of a band begins in the file, in bytes."""
        return 4 * (band * self.grid.height + strip.row) * self.grid.width

    def read(self, band: int, strip: Window) -> Power:
        """The strip of a band."""
        values = np.fromfile(self.path, np.float32, strip.size, offset=self.offset(band, strip))
        return values.reshape(strip.shape)


@dataclass(frozen=True)
class Cleaner:
    """Takes the speckle away from images.

    Attributes:
        name: of the filter; "none" leaves the speckle where it is.
        window: its side in pixels.
        looks: equivalent number of looks by band, in the order of bands; empty for filters that need none.
        damping: see `SpeckleFilter`.
        grain: the mean speckle of all dates, for quegan_yu alone.
    """

    name: str
    window: int
    looks: Mapping[str, float] = field(default_factory=dict)
    damping: float | None = None
    grain: Grain | None = None

    @property
    def tags(self) -> dict[str, str]:
        """What an image says of its filter."""
        if self.name == "none":
            return {}
        tags = {"SPECKLE_FILTER": self.name, "SPECKLE_WINDOW": str(self.window)}
        return tags | {f"SPECKLE_LOOKS_{band.upper()}": f"{looks:.4g}" for band, looks in self.looks.items()}

    def piece(self, image: Powered, strip: Window) -> Piece:
        """A strip of an image, filtered."""
        seen, rows = _with_halo(image, strip, 0 if self.name == "none" else self.window // 2)
        planes = [self._filtered(plane, band, rows, strip) for band, plane in enumerate(seen.power)]
        return Piece(strip.row, seen.power[:, rows], np.stack(planes), int(np.count_nonzero(seen.below[:, rows])))

    def _filtered(self, power: Power, band: int, rows: slice, strip: Window) -> Power:
        if self.name == "none":
            return power
        if self.grain is not None:
            return np.asarray(local_mean(power, None, self.window, rows) * self.grain.read(band, strip), np.float32)
        return self._filters[band](power, None, rows)

    @cached_property
    def _filters(self) -> list[SpeckleFilter]:
        return [SpeckleFilter(self.name, self.window, looks, self.damping) for looks in self.looks.values()]


@contextmanager
def grain_of(
    path: Path,
    dates: Sequence[Callable[[], AbstractContextManager[Powered]]],
    bands: int,
    strips: Iterable[Window],
    window: int,
    advance: Callable[[int], None] = lambda pixels: None,
) -> Iterator[Grain]:
    """The mean over the dates of power by local mean, on the disk for as long as it is needed.

    Args:
        path: of the file.
        dates: each opens one, on a common grid; no more than one is asked for at a time.
        bands: how many each date gives.
        strips: of that grid, from top to bottom.
        window: side of the local mean in pixels.
        advance: told about the pixels of each strip.
    """
    with dates[0]() as first:
        grain = Grain(path, first.grid)
    try:
        with writing(path), path.open("wb") as stream:
            for strip in strips:
                sums = [GrainMean(strip.shape) for _ in range(bands)]
                for opened in dates:
                    with opened() as date:
                        seen, rows = _with_halo(date, strip, window // 2)
                    for total, plane in zip(sums, seen.power, strict=True):
                        total.add(plane[rows], local_mean(plane, None, window, rows))
                for band, total in enumerate(sums):
                    stream.seek(grain.offset(band, strip))
                    stream.write(total.mean.tobytes())
                advance(strip.size)
        yield grain
    finally:
        path.unlink(missing_ok=True)


def strips_of(grid: Grid, planes: int, most_bytes: int, step: int = 1) -> Iterator[Window]:
    """A grid from top to bottom, in strips of about so many bytes.

    Args:
        grid: to be gone through.
        planes: of float32 that each strip takes.
        most_bytes: of one strip, as far as whole steps allow it.
        step: rows that stay together.
    """
    row = 4 * planes * grid.width
    return grid.window.strips(step * max(1, most_bytes // row // step))


def _with_halo(image: Powered, strip: Window, reach: int) -> tuple[Echoes, slice]:
    """The power of a strip with the rows around it that its own depend on, and where its own begin and end."""
    wide = strip.padded(reach).intersect(image.grid.window)
    first = strip.row - wide.row
    return image.power(wide), slice(first, first + strip.height)
