"""A map of change and what is known of the truth, read together strip by strip."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arpent.core import Window, band_count
from arpent.errors import BandMismatch, InvalidSetting
from arpent.io import ImageReader, open_image
from arpent.pixels import Quality, usable
from arpent.tasks.change.baselines import ImageDifference, open_like
from arpent.tasks.change.polygons import ChangeLayers

__all__ = ["Evidence", "Piece", "Tally"]

_STRIP_PIXELS = 1 << 21


@dataclass
class Tally:
    """Pixels that do not count, and why; each in the first of the reasons that holds.

    Attributes:
        pixels: of the map.
        unscored: the map says nothing there.
        unknown: the truth says nothing there.
        excluded: of a quality that is left out, or without data in an image that the baselines need.
    """

    pixels: int = 0
    unscored: int = 0
    unknown: int = 0
    excluded: int = 0

    @property
    def counted(self) -> int:
        """Pixels that count."""
        return self.pixels - self.unscored - self.unknown - self.excluded


@dataclass(frozen=True)
class Piece:
    """A strip of the map.

    Attributes:
        window: of the map.
        score: (h, w), higher where change is likelier; not negative.
        truth: (h, w), 0 for no change, else its kind.
        counted: (h, w), pixels with a score and a truth that are not left out.
        baselines: (names, h, w), scores of the image difference; empty without one.
    """

    window: Window
    score: NDArray[np.float32]
    truth: NDArray[np.uint8]
    counted: NDArray[np.bool_]
    baselines: NDArray[np.float32]


class Evidence:
    """All files of an evaluation, open.

    The score is the probability of change, or 1 − cosine.

    Args:
        layers: of one comparison.
        layer: that is judged; one of the two.
        truth: mask of change on any grid; 0 for none, any other number for a kind of change.
        exclude: qualities that are left out.

    Attributes:
        layer: the file that is judged.
        tally: of the pixels that the last pass over `pieces` left out.
    """

    def __init__(self, layers: ChangeLayers, layer: Path, truth: str, exclude: Collection[str]) -> None:
        self._exclude = tuple(exclude)
        self.layer = layer
        self.is_probability = layer == layers.probability
        if self._exclude and layers.quality is None:
            raise InvalidSetting(
                f"there is no quality layer to exclude {', '.join(self._exclude)} by",
                cure="Compare the images with their quality layers, or exclude nothing (--exclude '').",
            )
        self.tally = Tally()
        with ExitStack() as opened:
            self._score = opened.enter_context(open_image(layer))
            self.grid = self._score.grid
            self._truth = opened.enter_context(open_like(truth, self.grid, nearest=True))
            if len(self._truth.bands) != 1 or not np.issubdtype(self._truth.dtype, np.integer):
                raise BandMismatch(
                    f"{truth} is no mask of change",
                    found=f"{band_count(len(self._truth.bands))} of {self._truth.dtype}",
                    expected="one band of integers: 0 for no change",
                    cure="Give another file.",
                )
            self._quality: ImageReader | None = None
            if self._exclude and layers.quality is not None:
                self._quality = opened.enter_context(open_like(str(layers.quality), self.grid, nearest=True))
            self._opened = opened.pop_all()

    def pieces(self, difference: ImageDifference | None = None) -> Iterator[Piece]:
        """Strips from top to bottom, few enough rows of each to fit into memory; counts the `tally` anew."""
        self.tally = Tally()
        for window in self.grid.window.strips(max(1, _STRIP_PIXELS // self.grid.width)):
            yield self._piece(window, difference)

    def _piece(self, window: Window, difference: ImageDifference | None) -> Piece:
        raster, true = self._score.read(window), self._truth.read(window)
        values = raster.pixels[0].astype(np.float32)
        scored = raster.valid & np.isfinite(values)
        score = np.where(scored, values if self.is_probability else 1 - values, 0).clip(min=0).astype(np.float32)
        known = scored & true.valid
        kept = known.copy()
        if self._quality is not None:
            seen = self._quality.read(window)
            codes = np.where(seen.valid, seen.pixels[0], Quality.FILL).astype(np.uint8)
            kept &= usable(codes, self._exclude)
        baselines = np.empty((0, *window.shape), np.float32)
        if difference is not None:
            baselines, both = difference.read(window)
            kept &= both
        self.tally.pixels += window.size
        self.tally.unscored += int((~scored).sum())
        self.tally.unknown += int((scored & ~true.valid).sum())
        self.tally.excluded += int((known & ~kept).sum())
        return Piece(window, score, np.clip(true.pixels[0], 0, 255).astype(np.uint8), kept, baselines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
