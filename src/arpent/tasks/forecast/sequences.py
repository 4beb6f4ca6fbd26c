"""Series as they are learnt from: squares of the past dates, the truth of the last one and of those that came.

A sample of `data.SampleIndex` has one image. Here it stands for a forecast: ``image`` and ``mask`` are those of the
issue date, on whose grid all others lie; the attribute ``issue`` names the dates before and after.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Closing, Window
from arpent.data import Normaliser, Opening, Patch, PatchRef, ReaderPool, Sample, SampleIndex, target_of
from arpent.errors import DatasetError
from arpent.models import ForecasterSettings
from arpent.tasks.forecast.answering import days_beyond, days_of
from arpent.tasks.forecast.dataset import Dataset, Frame
from arpent.tasks.forecast.features import Features
from arpent.tasks.forecast.judging import Issue, issues_of

Pixels = TypeVar("Pixels", bound=NDArray[Any])

__all__ = ["SequenceLoader", "Source", "sequences_of"]


def sequences_of(dataset: Dataset, settings: ForecasterSettings, side: str) -> SampleIndex:
    """The forecasts of one side that have a truth, each as a sample.

    Raises:
        DatasetError: there is none.
    """
    found = [
        Sample(
            issue.place.frames[issue.at].image,
            issue.place.frames[issue.at].mask,
            name=issue.name,
            domain=issue.place.name,
            sensor=issue.place.sensor,
            date=issue.date,
            window=issue.place.window,
            attributes={"issue": issue},
        )
        for issue in issues_of(dataset.places, settings, side)
    ]
    if not found:
        dates = max((len(place.frames) for place in dataset.places), default=0)
        raise DatasetError(
            f"{dataset.folder} has no forecast to learn from on the side '{side}'",
            found=f"{dates} dates of the longest series",
            expected=f"{settings.past} dates in a row, the last with a mask, and a mask on a later date",
            cure="Prepare longer series with masks, or shorter pasts (--past).",
        )
    return SampleIndex(found, f"{dataset.folder} ({side})")


@dataclass(frozen=True)
class Source:
    """Where a loader takes the past dates from.

    Attributes:
        normaliser: of images.
        bands: of images.
        features: what a segmentation network has made of all of them; images themselves are read if not given.
    """

    normaliser: Normaliser
    bands: tuple[str, ...]
    features: Features | None = None


class SequenceLoader(Closing):
    """Reads all dates of a square at once, for `data.Batches`.

    Args:
        source: of the past dates.
        settings: of the network.
        classes: what the numbers of the masks mean.
        capacity: files that stay open.
    """

    def __init__(self, source: Source, settings: ForecasterSettings, classes: ClassMap, capacity: int = 256) -> None:
        self._source = source
        self._settings = settings
        self._classes = classes
        self._pool = ReaderPool(capacity)

    def close(self) -> None:
        """Closes the files."""
        self._pool.close()

    def __call__(self, ref: PatchRef) -> Patch:
        """The square.

        ``image`` is ``(past · bands, H, W)``; where features are made already, scores and pixels date by date,
        ``(past · (classes + bands), H, W)``, with ``features`` ``(past · width, h, w)``, and the square begins with a
        cell. ``target`` is ``(1 + future, H, W)``, the issue date first; -1 where the truth is not known or not of
        the side that was asked for, and where a past date has no data. ``metadata`` is what `days_of` tells.
        """
        issue: Issue = ref.sample.attributes["issue"]
        settings, frames = self._settings, issue.place.frames
        seen = frames[issue.at - settings.past + 1 : issue.at + 1]
        coming = frames[issue.at + 1 : issue.at + 1 + settings.future]
        window = self._aligned(ref)
        with self._pool.borrow(Opening(ref.sample.image, self._source.bands)) as reader:
            inside = window.intersect(ref.sample.window or reader.grid.window)
        if self._source.features is None:
            image, valid = self._pixels(seen, inside)
            features = None
        else:
            image, valid, features = self._explained(self._source.features, seen, inside, window)
        target = np.full((1 + settings.future, *window.shape), -1, np.int16)
        rows, cols = inside.relative_to(window).slices
        # A date that is foretold may lie on another side of the split: its truth is not this side's to see.
        known = {0: seen[-1]} | {horizon: coming[horizon - 1] for horizon in issue.horizons}
        for place, frame in known.items():
            target[place, rows, cols] = self._truth(frame, inside, valid)
        days: list[Frame | dt.date] = [*coming, *days_beyond(frames, settings, settings.future - len(coming))]
        told = days_of(seen, days, settings)
        return Patch(_padded(image, inside, window), _padded(valid, inside, window), target, told, features)

    def _aligned(self, ref: PatchRef) -> Window:
        """The window; where features are made already, moved up and left to the corner of a cell."""
        window = ref.window
        if self._source.features is None:
            return window
        cell = self._source.features.cell
        return Window(window.row - window.row % cell, window.col - window.col % cell, window.height, window.width)

    def _pixels(self, seen: Sequence[Frame], inside: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        images, valid = [], np.ones(inside.shape, bool)
        for frame in seen:
            with self._pool.borrow(Opening(frame.image, self._source.bands)) as reader:
                raster = reader.read(inside)
            images.append(self._source.normaliser(raster.pixels, raster.valid))
            valid &= raster.valid
        return np.concatenate(images), valid

    def _explained(
        self, made: Features, seen: Sequence[Frame], inside: Window, window: Window
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        """Scores and pixels, where all dates have data, and features of the cells of the whole window."""
        rows, cols = inside.slices
        cell = made.cell
        high, wide = window.row // cell, window.col // cell
        height, width = window.height // cell, window.width // cell
        valid, parts, features = np.ones(inside.shape, bool), [], []
        for frame in seen:
            pixels = made.of(frame.image, "pixels")[:, rows, cols]
            valid &= ~np.isnan(pixels).any(0)
            parts += [made.of(frame.image, "scores")[:, rows, cols], pixels]
            cells = made.of(frame.image, "features")[:, high : high + height, wide : wide + width]
            whole = np.zeros((len(cells), height, width), np.float32)
            whole[:, : cells.shape[1], : cells.shape[2]] = np.nan_to_num(cells)
            features.append(whole)
        image = np.nan_to_num(np.concatenate(parts).astype(np.float32))
        return image, valid, np.concatenate(features)

    def _truth(self, frame: Frame, inside: Window, valid: NDArray[np.bool_]) -> NDArray[np.int16]:
        if frame.mask is None:
            return np.full(inside.shape, -1, np.int16)
        with self._pool.borrow(Opening(frame.mask, resampling="nearest")) as reader:
            target = target_of(reader.read(inside), self._classes)
        target[~valid] = -1
        return target


def _padded(array: Pixels, inside: Window, window: Window) -> Pixels:
    """An array ``(…, h, w)`` of the size of `window`; 0 outside."""
    if inside == window:
        return array
    rows, cols = inside.relative_to(window).slices
    whole = np.zeros((*array.shape[:-2], *window.shape), array.dtype)
    whole[..., rows, cols] = array
    return cast(Pixels, whole)
