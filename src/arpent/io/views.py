"""One file seen through the grid of a reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterWindow

from arpent.core import Window
from arpent.io.cache import ROWS_KEPT
from arpent.io.gdal import environment, is_remote, open_dataset, persevering, translated
from arpent.io.handles import Handles
from arpent.io.header import BandHeader, Header
from arpent.io.place import Placement, ResamplingName
from arpent.io.selection import select_bands

__all__ = ["Patch", "View"]


@dataclass(frozen=True)
class Patch:
    """What one file has of a window.

    Attributes:
        inside: the pixels of the reader's grid that it is about.
        values: ``(bands, height, width)``.
        valid: ``(height, width)`` of bool; None when all count.
    """

    inside: Window
    values: NDArray[np.generic]
    valid: NDArray[np.bool_] | None


class _Open:
    """A dataset, and its warped image where there is one."""

    def __init__(self, dataset: rasterio.DatasetReader, warped: WarpedVRT | None) -> None:
        self._dataset = dataset
        self._warped = warped

    @property
    def image(self) -> rasterio.DatasetReader | WarpedVRT:
        return self._warped or self._dataset

    def close(self) -> None:
        if self._warped is not None:
            self._warped.close()
        self._dataset.close()


class View:
    """Some bands of one file, on the grid of a reader. Safe to read from several threads.

    Args:
        header: the file.
        bands: those to read, in this order; all with the same no-data number.
        placement: how the file lies on the grid.
        resampling: how values between pixels are found, where the file must be warped.
        masked: whether the file's mask or alpha band says which pixels count.
    """

    def __init__(
        self,
        header: Header,
        bands: Sequence[BandHeader],
        placement: Placement,
        resampling: ResamplingName,
        *,
        masked: bool,
    ) -> None:
        self._header = header
        self._placement = placement
        self._resampling: ResamplingName = resampling
        self._masked = masked
        self._remote = is_remote(header.address)
        self._nodata = bands[0].nodata
        self._warps = placement.shift is None
        self._indexes = [band.index for band in bands]
        self._address = header.address
        alpha = [header.alpha] if masked and header.alpha else []
        if self._warps and [*self._indexes, *alpha] != [band.index for band in header.bands]:
            # GDAL warps every band that it sees: show it only those that are read, alpha last.
            self._address = select_bands(header, bands, alpha=bool(alpha), mask=masked and not alpha)
            self._indexes = list(range(1, len(bands) + 1))
        elif self._warps and header.called_alpha and not alpha:
            self._address = select_bands(header, bands, alpha=False, mask=masked)
        self._handles = Handles(self._open)

    @property
    def covered(self) -> Window:
        """The pixels of the reader's grid that the file may reach."""
        return self._placement.covered

    @property
    def working_set(self) -> int:
        """Bytes of decoded pixels that are worth keeping between one window and the next."""
        own = sum(band.dtype.itemsize for band in self._header.bands) * self._header.grid.width
        warped = len(self._indexes) * self._header.bands[0].dtype.itemsize * self._placement.grid.width
        return ROWS_KEPT * (own + (warped if self._warps else 0))

    @property
    def _adds_alpha(self) -> bool:
        """Whether the warped image needs a band that says which pixels count."""
        return (self._masked or self._nodata is None) and not (self._masked and self._header.alpha)

    def _open(self) -> _Open:
        dataset = open_dataset(self._address, self._header.source, remote=self._remote)
        if not self._warps:
            return _Open(dataset, None)
        nodata = None if self._masked else self._nodata
        with translated(self._header.source, remote=self._remote):
            warped = self._placement.warped(dataset, self._resampling, nodata, masked=self._adds_alpha)
        return _Open(dataset, warped)

    def read(self, window: Window) -> Patch | None:
        """What the file has of a window of the grid; None when nothing.

        Raises:
            UnreadableFile: the file is damaged.
            NetworkMissing: the address cannot be reached any more.
        """
        inside = window.intersect(self._placement.covered)
        if inside.size == 0:
            return None
        shift = self._placement.shift
        there = inside if shift is None else inside.relative_to(shift)
        area = RasterWindow(there.col, there.row, there.width, there.height)
        with (
            self._handles.borrow() as handle,
            translated(self._header.source, remote=self._remote),
            environment(remote=self._remote),
        ):
            return persevering(lambda: self._patch(handle.image, area, inside), remote=self._remote)

    def _patch(self, image: rasterio.DatasetReader | WarpedVRT, area: RasterWindow, inside: Window) -> Patch:
        values: NDArray[np.generic] = image.read(self._indexes, window=area)
        valid = _by_value(values, self._nodata)
        if self._warps and (self._masked or self._nodata is None):
            shown = image.read(image.count, window=area) > 0
        elif self._masked:
            shown = image.read_masks(self._indexes, window=area).all(axis=0)
        else:
            return Patch(inside, values, valid)
        return Patch(inside, values, shown if valid is None else valid & shown)

    def close(self) -> None:
        """Close the file."""
        self._handles.close()


def _by_value(values: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_] | None:
    """Which pixels ``(height, width)`` count by their own value in all bands; None when every one does."""
    valid: NDArray[np.bool_] | None = None
    number = values.dtype.type(nodata) if nodata is not None and math.isfinite(nodata) else None
    for band in values:
        for counts in (
            np.isfinite(band) if values.dtype.kind in "fc" else None,
            band != number if number is not None else None,
        ):
            if counts is not None:
                valid = counts if valid is None else valid & counts
    return valid
