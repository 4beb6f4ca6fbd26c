"""Read any window of any image as if it had always been on the grid that you want."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from os import PathLike
from typing import get_args

import numpy as np

from arpent import core
from arpent.core import Closing, Grid, Raster, Sensor, Window, band_count, ground_sampling_distance
from arpent.errors import BandMismatch, InvalidSetting, UnknownName, UnreadableFile
from arpent.io import cache
from arpent.io.bands import Layer, default_layers, pick
from arpent.io.header import BandHeader, Header
from arpent.io.place import ResamplingName, place
from arpent.io.sources import Scene, locate
from arpent.io.views import Patch, View

__all__ = ["ImageReader", "open_image"]


def open_image(
    source: str | PathLike[str],
    *,
    bands: Sequence[str] | None = None,
    absent: Collection[str] = (),
    sensor: Sensor | str | None = None,
    grid: Grid | None = None,
    resampling: ResamplingName = "bilinear",
) -> ImageReader:
    """Open an image for reading by windows.

    Args:
        source: a raster file, a folder with one file per band or with sheets that lie side by side, a STAC item or
            collection (file or address), ``https://…``, ``s3://…``, or an address of GDAL's own.
        bands: the bands wanted, by own name, common name or alias; all spectral bands when left out.
        absent: those of `bands` that the image is known to lack: they read as 0.
        sensor: whose image it is, where neither the file nor its name says so.
        grid: the grid to read on; that of the image (of its finest band) when left out.
        resampling: how values between pixels are found where the image lies on another grid. Quality layers
            always take the nearest pixel.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: not an image, or damaged.
        BandMismatch: the image has no such band.
        DatasetError: sheets that do not make one image.
        UnknownName: no sensor or no resampling of that name.
        GeoreferenceMissing: a grid is asked for and the image names no place on earth.
        NoOverlap: the image does not reach the grid.
        NetworkMissing: the address cannot be reached.
    """
    if resampling not in get_args(ResamplingName):
        raise UnknownName.among(resampling, get_args(ResamplingName), "resampling")
    scene = locate(source, core.sensor(sensor) if isinstance(sensor, str) else sensor)
    if bands is None:
        layers = default_layers(scene.layers)
        return ImageReader(scene, layers, tuple(layer.name for layer in layers), grid, resampling)
    there = iter(pick(scene.layers, [name for name in bands if name not in absent], scene.called))
    found = [None if name in absent else next(there) for name in bands]
    return ImageReader(scene, found, tuple(bands), grid, resampling)


class ImageReader(Closing):
    """An image on a grid, read by windows; made by `open_image`. Safe to read from several threads.

    A window read equals the same window cut from a read of the whole, also where the image is reprojected.

    Attributes:
        source: what the user pointed at.
        grid: the pixels that windows are counted in.
        bands: one name per band, as asked for.
        dtype: of the pixels; the smallest that holds every band where files differ.
        nodata: the number that fills pixels without data; None when the image has none, or several.
        scale: per band; physical value = number × scale + offset. Not applied.
        offset: per band, see `scale`.
        gsd: metres per pixel in the middle of the grid; None without georeference.
        sheets: the files that it is made of, where several lie side by side.
        sensor: name of the sensor that took it, where that is known.
        tags: metadata of its files, by name; of several files that know one, the first is heard.
        blocks: rows and columns of the blocks in which the pixels of its finest file are stored.
    """

    def __init__(
        self,
        scene: Scene,
        layers: Sequence[Layer | None],
        names: tuple[str, ...],
        grid: Grid | None,
        resampling: ResamplingName,
    ) -> None:
        there = [layer for layer in layers if layer is not None]
        headers = {address: scene.header(address) for address in dict.fromkeys(layer.address for layer in there)}
        found = [_band_of(headers[layer.address], layer) for layer in there]
        self.source = scene.source
        self.sheets = scene.sheets
        self.sensor = None if scene.sensor is None else scene.sensor.name
        self.bands = names
        finest = min(headers.values(), key=_fineness)
        self.grid, self.blocks = grid or finest.grid, finest.blocks
        self.gsd = ground_sampling_distance(self.grid)
        self.dtype: np.dtype[np.generic] = np.result_type(*(band.dtype for band in found))
        numbers = {repr(band.nodata): band.nodata for layer, band in zip(there, found, strict=True) if layer.default}
        numbers = numbers or {repr(band.nodata): band.nodata for band in found}
        self.nodata: float | None = next(iter(numbers.values())) if len(numbers) == 1 else None
        bands = [None if layer is None else _band_of(headers[layer.address], layer) for layer in layers]
        self.scale = tuple(1.0 if band is None else band.scale for band in bands)
        self.offset = tuple(0.0 if band is None else band.offset for band in bands)
        self.tags = {key: text for header in reversed(headers.values()) for key, text in header.tags.items()}
        self._fill = tuple(0 if band is None or band.nodata is None else band.nodata for band in bands)
        self._views = _views(layers, headers, self.grid, resampling)
        need = sum(view.working_set for view, _ in self._views)
        cache.reserve(need)
        self._release = weakref.finalize(self, cache.release, need)

    def read(self, window: Window) -> Raster:
        """The pixels of a window that lies inside the grid.

        Raises:
            InvalidSetting: the window is empty or reaches outside the grid.
            UnreadableFile: the file is damaged.
            NetworkMissing: the address cannot be reached any more.
        """
        if window.size == 0 or window not in self.grid.window:
            raise InvalidSetting(
                f"a window reaches outside {self.source}",
                found=f"rows {window.row}…{window.row_end}, columns {window.col}…{window.col_end}",
                expected=f"at least one pixel within {self.grid.height} rows and {self.grid.width} columns",
                cure="Intersect the window with the image's grid first.",
            )
        try:
            patches = [(view.read(window), places) for view, places in self._views]
        except UnreadableFile:
            self._check_sheets(window)  # GDAL does not tell which of them it was
            raise
        first, _ = patches[0]
        whole = len(patches) == 1 and len(patches[0][1]) == len(self.bands)
        if whole and first is not None and first.inside == window:  # the common case, without a copy
            valid = np.ones(window.shape, bool) if first.valid is None else first.valid
            return Raster(first.values, valid, self.grid.crop(window), self.bands)
        return self._assembled(window, patches)

    def _check_sheets(self, window: Window) -> None:
        """Raises the error of the sheet in a window that cannot be read."""
        for sheet in self.sheets:
            if self.grid.window_of(sheet.grid).intersect(window).size > 0:
                sheet.check()

    def _assembled(self, window: Window, patches: Sequence[tuple[Patch | None, Sequence[int]]]) -> Raster:
        """One raster from what each file has of the window."""
        pixels = np.empty((len(self.bands), *window.shape), self.dtype)
        for plane, number in zip(pixels, self._fill, strict=True):
            plane.fill(number)
        valid = np.ones(window.shape, bool)
        for patch, places in patches:
            seen = np.zeros(window.shape, bool)
            if patch is not None:
                at = patch.inside.relative_to(window).slices
                seen[at] = True if patch.valid is None else patch.valid
                for plane, values in zip(places, patch.values, strict=True):
                    pixels[plane][at] = values
            valid &= seen
        return Raster(pixels, valid, self.grid.crop(window), self.bands)

    @property
    def covered(self) -> Window:
        """The pixels of the grid that all of its files may reach; outside, nothing is valid."""
        return reduce(Window.intersect, (view.covered for view, _ in self._views))

    def close(self) -> None:
        """Close every file. Reading afterwards raises ValueError."""
        self._release()
        for view, _ in self._views:
            view.close()

    def __repr__(self) -> str:
        height, width = self.grid.shape
        return f"<ImageReader {self.source}: {width} × {height}, {', '.join(self.bands)}>"


def _band_of(header: Header, layer: Layer) -> BandHeader:
    if layer.index > len(header.bands):
        raise BandMismatch(
            f"{header.source} has no band number {layer.index}, which should be '{layer.name}'",
            found=band_count(len(header.bands)),
            cure="Check the item that describes it.",
        )
    return header.bands[layer.index - 1]


def _fineness(header: Header) -> float:
    """Metres per pixel, or units per pixel where there is no georeference."""
    return ground_sampling_distance(header.grid) or header.grid.pixel_width


def _views(
    layers: Sequence[Layer | None],
    headers: Mapping[str, Header],
    grid: Grid,
    resampling: ResamplingName,
) -> list[tuple[View, list[int]]]:
    """One view for the bands that can be read together, with their places among all bands."""
    groups: dict[tuple[str, str, bool, bool], list[int]] = {}
    for at, layer in enumerate(layers):
        if layer is None:
            continue
        header = headers[layer.address]
        band = _band_of(header, layer)
        masked = band.masked and (layer.alpha or header.alpha is None)
        groups.setdefault((layer.address, repr(band.nodata), layer.quality, masked), []).append(at)
    views = []
    for (address, _, quality, masked), places in groups.items():
        header = headers[address]
        bands = [_band_of(header, layer) for at in places if (layer := layers[at]) is not None]
        placement = place(header.grid, grid, header.source)
        method: ResamplingName = "nearest" if quality else resampling
        views.append((View(header, bands, placement, method, masked=masked), places))
    return views
