"""What is read and made in a pass over a mosaic, told in a way that another process understands."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Window
from arpent.io import ImageReader, open_image
from arpent.io.place import ResamplingName
from arpent.tasks.change.frames import MOST_FRAMES
from arpent.tasks.change.mosaic_choice import NOBODY, Choice, Exclusion
from arpent.tasks.change.mosaic_fill import Filling, Form, WinnerOf
from arpent.tasks.change.mosaic_layers import Layer
from arpent.tasks.change.mosaic_readers import Placed, Rasters
from arpent.tasks.change.mosaic_sweep import Make
from arpent.tasks.change.settings import Profile

__all__ = ["Choosing", "Copying", "Excluding", "Laid"]

_NODATA = -100.0


@dataclass(frozen=True)
class Laid:
    """Rasters on the grid of a mosaic, before they are opened; see `Rasters`."""

    placed: Mapping[int, Placed]
    grid: Grid
    resampling: ResamplingName
    limit: int

    def opened(self, stack: ExitStack) -> Rasters:
        """The same, to be read."""
        return stack.enter_context(Rasters(dict(self.placed), self.grid, self.resampling, limit=self.limit))


@dataclass(frozen=True)
class Excluding:
    """Pixels that may not win; see `Exclusion`."""

    quality: Laid
    names: tuple[str, ...]
    reach: Mapping[int, int]


@dataclass(frozen=True)
class Choosing:
    """The pass that finds out who wins; see `Choice`.

    Attributes:
        rasters: the leading layer of each pair.
        layer: which one.
        profile: of the rules.
        threshold: below which the ground has changed; None where the layer is no cosine.
        excluding: pixels that may not win.
        names: of the products, by what is found.
    """

    rasters: Laid
    layer: Layer
    profile: Profile
    threshold: float | None
    excluding: Excluding | None
    names: Mapping[str, str]

    def opened(self, stack: ExitStack) -> Make:
        """What makes a window."""
        exclusion = None
        if self.excluding is not None:
            quality = self.excluding.quality.opened(stack)
            exclusion = Exclusion(quality, self.excluding.names, self.excluding.reach)
        choice = Choice(
            self.rasters.opened(stack), self.layer, self.profile, threshold=self.threshold, exclusion=exclusion
        )

        def make(window: Window) -> dict[str, NDArray[np.generic]]:
            maps = dict(choice(window))
            value = maps.pop("value")
            maps["cosine_map"] = np.where(np.isnan(value), np.float32(_NODATA), value)
            return {name: maps[found] for found, name in self.names.items()}

        return make


@dataclass(frozen=True)
class Copying:
    """A pass that copies a layer, or images, from the winners; see `Filling`.

    Attributes:
        name: of the product.
        rasters: what is copied.
        form: of the product's pixels.
        winner: the map of who wins.
        days: by number of an image, the date at which it is copied; None where not images but layers are.
        dates: the mosaic's dates of that side, where it has them.
    """

    name: str
    rasters: Laid
    form: Form
    winner: Path
    days: Mapping[int, int | None] | None = None
    dates: Path | None = None

    def opened(self, stack: ExitStack) -> Make:
        """What makes a window."""
        winner = stack.enter_context(open_image(self.winner))
        numbers: WinnerOf = lambda window: _numbers(winner, window)  # noqa: E731 - one of two
        if self.days is not None:
            dates = None if self.dates is None else stack.enter_context(open_image(self.dates))
            numbers = _ImageNumbers(winner, dates, self.days)
        return Filling(self.name, self.rasters.opened(stack), numbers, self.form)


def _numbers(winner: ImageReader, window: Window) -> NDArray[np.int32]:
    return np.asarray(winner.read(window).pixels[0], np.int32)


class _ImageNumbers:
    """Which image is to be copied: that of the winning pair and, of two before, the one of the winning date.

    Args:
        winner: numbers of the pairs.
        dates: of that side; None where there are none.
        days: by number of the image, the date at which it is copied; None where it is its pair's only one.
    """

    def __init__(self, winner: ImageReader, dates: ImageReader | None, days: Mapping[int, int | None]) -> None:
        self._winner, self._dates, self._days = winner, dates, days

    def __call__(self, window: Window) -> NDArray[np.int32]:
        """Numbers ``(height, width)`` of a window; -1 where there is no image."""
        pairs = _numbers(self._winner, window)
        dated = self._dates.read(window) if self._dates is not None else None
        present = set(np.unique(pairs).tolist())
        images = np.full(window.shape, NOBODY, np.int32)
        for number, day in self._days.items():
            if number // MOST_FRAMES not in present:
                continue
            here = pairs == number // MOST_FRAMES
            if dated is not None:
                here &= dated.valid if day is None else dated.valid & (dated.pixels[0] == day)
            images[here] = number
        return images
