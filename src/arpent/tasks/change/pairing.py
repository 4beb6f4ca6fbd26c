"""Several dates as one image, so that the engine reads a pair as it reads anything else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Contract, Language, Raster, Window, ground_sampling_distance
from arpent.core.boxes import window_in_box
from arpent.errors import InvalidSetting, NoOverlap
from arpent.language import say
from arpent.models import MISSING
from arpent.pixels import Quality, usable
from arpent.tasks.change.frame_reading import FrameReader, open_first, open_other
from arpent.tasks.change.frames import Pair
from arpent.tasks.change.quality_layers import open_quality
from arpent.tasks.change.settings import ChangeSettings
from arpent.tiling import pad_by_reflection

__all__ = ["PairImage"]


class PairImage(Closing):
    """All dates of a pair on the grid of the first one, read by windows; safe to read from several threads.

    A window has the bands of each date after one another, normalised, `MISSING` where a date has no data; then, where
    quality is known, one band of `Quality` codes for each date. Its mask says where all dates have data.

    Attributes:
        pair: what it shows.
        source: its name, for people.
        grid: the part of the first date's grid that is compared: where all dates may have data, in the box of the
            settings. With the profile "planaura", whose tiles are counted from the first image's corner, all of it.
        frames: the dates, open.
        sensor: whose images they are, where the settings say so.
        channels: bands of each date.
        codes: how many bands of quality codes there are: one for each date, or none.
        bands: one name per band.
        gsd: metres per pixel.
        dtype: of what is read.
    """

    def __init__(self, pair: Pair, contract: Contract, settings: ChangeSettings) -> None:
        self.pair = pair
        self.source = pair.name
        self.sensor = settings.sensor
        self.channels = len(contract.bands)
        self._least_valid, self._exclude = settings.least_valid, settings.exclude
        with ExitStack() as opened:
            first = open_first(pair.frames[0], contract, settings.sensor)
            opened.callback(first.close)
            frames = [first]
            for frame in pair.frames[1:]:
                frames.append(open_other(frame, contract, settings.sensor, first))
                opened.callback(frames[-1].close)
            self.frames: tuple[FrameReader, ...] = tuple(frames)
            self._part = _part(frames, settings)
            self._quality = open_quality(pair.frames, first.grid, settings)
            for layer in self._quality:
                opened.callback(layer.close)
            self._opened = opened.pop_all()
        self.grid = first.grid.crop(self._part)
        self.codes = len(self._quality)
        self.gsd = ground_sampling_distance(self.grid)
        self.dtype: np.dtype[np.generic] = np.dtype(np.float32)
        dates = range(len(frames))
        names = [f"{name}@{date}" for date in dates for name in contract.band_names]
        self.bands = (*names, *(f"quality@{date}" for date in range(self.codes)))

    def read(self, window: Window) -> Raster:
        """The dates in a window of the grid; a window that holds too little of one of them counts as empty."""
        there = Window(window.row + self._part.row, window.col + self._part.col, window.height, window.width)
        pixels = np.empty((len(self.bands), *window.shape), np.float32)
        valid = np.ones(window.shape, bool)
        emptiest = 0.0
        for number, frame in enumerate(self.frames):
            seen = frame.read(there)
            pixels[number * self.channels : (number + 1) * self.channels] = seen.values
            valid &= ~seen.missing.any(axis=0)
            emptiest = max(emptiest, float(seen.missing.mean(axis=(1, 2)).max()))
        for layer, plane in zip(self._quality, pixels[len(self.frames) * self.channels :], strict=True):
            plane[...] = layer.read(there)
        if emptiest > 1 - self._least_valid:
            valid[:] = False
        return Raster(pixels, valid, self.grid.crop(window), self.bands)

    def warnings(self, language: Language, model: str = "") -> list[str]:
        """What to say of dates whose radiometry is far from that of training, in one sentence each.

        Args:
            language: of the sentences.
            model: its name; empty for what its statistics are called.
        """
        told = [
            frame.warning(self._part, partial(self._clear, number), model, language)
            for number, frame in enumerate(self.frames)
        ]
        return [warning for warning in told if warning is not None]

    def _clear(self, number: int, window: Window) -> NDArray[np.bool_]:
        """Where the quality of a date is none of those excluded, in a window of the first date."""
        if not self._quality or not self._exclude:
            return np.ones(window.shape, np.bool_)
        return usable(self._quality[number].read(window), self._exclude)

    def clippings(self, language: Language) -> list[str]:
        """What to say of dates of which numbers were brought to the range of training, as far as read."""
        return [say("drift.clipped", language, source=frame.frame.image) for frame in self.frames if frame.clipped]

    def noticed(self) -> tuple[bool, ...]:
        """Of which dates numbers were clipped, as far as read."""
        return tuple(frame.clipped for frame in self.frames)

    def notice(self, seen: tuple[bool, ...]) -> None:
        """Of which dates they were where the same pair was read in another process."""
        for frame, clipped in zip(self.frames, seen, strict=True):
            frame.clipped = frame.clipped or clipped

    def mirrored(self, pixels: NDArray[np.float32], inside: Window, window: Window) -> NDArray[np.float32]:
        """`pixels` grown to a whole tile by mirroring. A hole is not mirrored: the mean of the band takes its place."""
        grown = pad_by_reflection(pixels, inside, window)
        height, width = inside.shape
        for beyond in (grown[:, height:], grown[:, :height, width:]):
            beyond[beyond == np.float32(MISSING)] = 0.0
        return grown

    def filled(self, pixels: NDArray[np.float32], inside: Window, window: Window) -> NDArray[np.float32]:
        """`pixels` grown to a whole tile by no-data."""
        grown = np.full((len(pixels), *window.shape), MISSING, np.float32)
        grown[len(self.frames) * self.channels :] = Quality.FILL
        grown[:, : inside.height, : inside.width] = pixels
        return grown

    def close(self) -> None:
        """Close every file."""
        self._opened.close()


def _part(frames: Sequence[FrameReader], settings: ChangeSettings) -> Window:
    """The window of the first date that is compared."""
    grid, source = frames[0].grid, frames[0].frame.image
    part = grid.window
    if settings.profile == "arpent":
        # Patches then begin where the shared ground does, which is used to its last pixel.
        part = reduce(Window.intersect, (frame.covered for frame in frames))
        if not part.size:
            raise NoOverlap(
                f"the images of {source} and its later dates share no ground",
                cure="Check that all of them show the same place.",
            )
    if settings.box is not None:
        part = window_in_box(grid, settings.box, settings.box_crs, source).intersect(part)
        if not part.size:
            raise NoOverlap(
                f"in the box asked for, {source} and its later dates share no ground",
                expected=", ".join(map(str, settings.box)),
                cure="Check the box, and name its reference system with --box-crs.",
            )
    if settings.shift:
        part = Window.between(part.row + settings.shift, part.col + settings.shift, part.row_end, part.col_end)
        if min(part.shape) < 1:
            raise InvalidSetting(
                f"nothing of {source} is left when the first tile begins further down and to the right",
                found=f"a shift of {settings.shift} px",
                cure="Take a smaller one.",
            )
    return part
