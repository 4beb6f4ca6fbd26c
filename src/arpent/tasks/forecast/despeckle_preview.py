"""Before, after, and what was taken away: a detail of an image pixel by pixel, since overviews hide speckle."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Language, Raster, Window
from arpent.language import say
from arpent.pixels import SpeckleCard, linear_to_decibels
from arpent.report import figures
from arpent.tasks.forecast.radar_pictures import ends_of, levels_of, toned

__all__ = ["Detail", "draw_detail"]

_SIDE: Final = 320
_RATIO_DB: Final = (-7.0, 5.0)  # almost all of a Gamma distribution of 4.4 looks
_COLOURS: Final = ("red", "green", "blue")

Power = NDArray[np.float32]


@dataclass
class Detail:
    """The middle of an image, gathered from strips.

    Attributes:
        grid: of the whole image.
        window: of the detail.
    """

    grid: Grid
    window: Window
    _before: list[Power] = field(default_factory=list)
    _after: list[Power] = field(default_factory=list)

    @classmethod
    def of(cls, grid: Grid) -> Detail:
        """The middle of an image on that grid, at most 320 pixels wide and high."""
        height, width = (min(side, _SIDE) for side in grid.shape)
        return cls(grid, Window((grid.height - height) // 2, (grid.width - width) // 2, height, width))

    def add(self, row: int, before: Power, after: Power) -> None:
        """Takes what a strip ``(bands, rows, width)`` that begins at `row` has of it."""
        strip = Window(row, 0, before.shape[1], before.shape[2])
        shared = self.window.intersect(strip)
        if shared.size:
            rows, cols = shared.relative_to(strip).slices
            self._before.append(before[:, rows, cols].copy())
            self._after.append(after[:, rows, cols].copy())

    @property
    def before(self) -> Power:
        """``(bands, height, width)`` of power."""
        return np.concatenate(self._before, axis=1)

    @property
    def after(self) -> Power:
        """The same, filtered."""
        return np.concatenate(self._after, axis=1)


def draw_detail(detail: Detail, card: SpeckleCard, path: Path, title: str, language: Language) -> Path:
    """Three panels in the same colours: the image, the filtered image, and their ratio, grey where it is speckle.

    Two polarisations make a picture as is usual for Sentinel-1: VV red, VH green, and VV over VH blue. One is grey.
    """
    grid = detail.grid.crop(detail.window)
    before, after = detail.before, detail.after
    valid = np.asarray(np.isfinite(after).all(axis=0), bool)
    shown_after = levels_of(after)
    ends = ends_of([shown_after])
    ratio = linear_to_decibels(np.divide(before[0], after[0], out=np.ones_like(after[0]), where=after[0] > 0))
    panels = [
        (say("despeckle.before", language, looks=card.looks_before), toned(levels_of(before), ends)),
        (say("despeckle.after", language, looks=card.looks_after), toned(shown_after, ends)),
        (
            say("despeckle.ratio_seen", language, looks=card.ratio_looks),
            toned(ratio[None], np.array(_RATIO_DB)[:, None]),
        ),
    ]
    shown = [figures.Panel(Raster(pixels, valid, grid, _COLOURS), name, toned=True) for name, pixels in panels]
    return figures.panels(shown, path, title=title, language=language)
