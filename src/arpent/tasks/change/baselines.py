"""What change looks like without any model: the difference of two images, band by band and as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Language, Raster, Window, band_count
from arpent.errors import DatasetError
from arpent.io import ImageReader, open_image
from arpent.language import say

__all__ = ["VECTOR", "ImageDifference", "open_like", "title_of"]

VECTOR = "change vector"
"""Name of change-vector analysis (Malila, 1980): the length of the difference of two spectra."""
_BAND = "band "


class ImageDifference:
    """Two images on one grid, as scores of change that need no training.

    Args:
        before: the earlier image.
        after: the later one.
        grid: to compare them on.
        bands: by name; all spectral bands if not given.
        sensor: whose images they are, where they do not say so.
    """

    def __init__(
        self, before: str, after: str, grid: Grid, bands: Sequence[str] | None = None, sensor: str | None = None
    ) -> None:
        with ExitStack() as opened:
            pair = [open_like(image, grid, bands, sensor) for image in (before, after)]
            for reader in pair:
                opened.callback(reader.close)
            if len(pair[0].bands) != len(pair[1].bands):
                raise DatasetError(
                    f"{before} and {after} cannot be subtracted",
                    found=f"{len(pair[0].bands)} and {band_count(len(pair[1].bands))}",
                    cure="Name the bands to compare, or leave the baselines out (--no-baselines).",
                )
            self._opened = opened.pop_all()
        self._pair = pair
        self.names = (VECTOR, *(f"{_BAND}{name}" for name in pair[0].bands))

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Scores ``(names, height, width)`` in the order of `names`, and where both images have data."""
        before, after = (reader.read(window) for reader in self._pair)
        away = np.abs(_numbers(after) - _numbers(before))
        length = np.sqrt((away.astype(np.float64) ** 2).sum(axis=0)).astype(np.float32)
        valid = before.valid & after.valid & np.isfinite(length)
        return np.concatenate([length[None], away]), valid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()


def title_of(name: str, language: Language) -> str:
    """What a layer that is judged, or a plain difference, is called in tables and charts."""
    if name.startswith(_BAND):
        return say("change.band", language, name=name.removeprefix(_BAND))
    return say("change.change_vector" if name == VECTOR else f"change.{name}", language)


def _numbers(raster: Raster) -> NDArray[np.float32]:
    return raster.pixels.astype(np.float32)


def open_like(
    source: str, grid: Grid, bands: Sequence[str] | None = None, sensor: str | None = None, *, nearest: bool = False
) -> ImageReader:
    """An image on a grid; one of no place must have its size.

    Raises:
        DatasetError: the image cannot be laid over the grid.
        NoOverlap: it lies elsewhere.
    """
    plain = open_image(source, bands=bands, sensor=sensor, resampling="nearest" if nearest else "bilinear")
    own = plain.grid
    if own == grid or (own.shape == grid.shape and not (own.georeferenced and grid.georeferenced)):
        return plain
    plain.close()
    if not (own.georeferenced and grid.georeferenced):
        raise DatasetError(
            f"{source} cannot be laid over the map, since they differ in size and one names no place on earth",
            found=f"{own.width} × {own.height}",
            expected=f"{grid.width} × {grid.height}",
            cure="Give one of the map's size, or georeference both.",
        )
    return open_image(source, bands=bands, sensor=sensor, grid=grid, resampling="nearest" if nearest else "bilinear")
