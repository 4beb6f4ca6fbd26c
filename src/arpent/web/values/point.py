"""The value of a layer at a place: of the nearest pixel of each of its frames."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.windows import Window as RasterWindow

from arpent.core import Grid
from arpent.errors import InvalidSetting
from arpent.io.header import header_of
from arpent.web.layers import PAINTED, Entry, Layer, Legend
from arpent.web.tiles.colours import palette_of
from arpent.web.tiles.open_files import OpenFiles
from arpent.web.values.places import positions

__all__ = ["PointValue", "values_at"]


@dataclass(frozen=True, slots=True)
class PointValue:
    """What a frame holds at a place.

    Attributes:
        frame: its place among the frames of the layer, from 0 on.
        date: of the frame.
        value: of the band asked for; None outside the raster and where it has no data.
        entry: what the value means, where the legend says so.
        colour: "#rrggbb" of it on the map; None where it has none.
        numbers: of all bands, in their order; empty where `value` is None.
    """

    frame: int
    date: dt.date | None
    value: float | None
    entry: Entry | None
    colour: str | None
    numbers: tuple[float | None, ...] = ()


def values_at(files: OpenFiles, layer: Layer, lon: float, lat: float, band: int = 1) -> list[PointValue]:
    """The values of a raster layer at a place, frame by frame.

    Args:
        files: open rasters.
        layer: with pixels.
        lon: degrees east.
        lat: degrees north.
        band: the one whose value is wanted, where there are several.

    Raises:
        InvalidSetting: there is no such place, or no such band.
        FileMissing, UnreadableFile: a file is gone or damaged.
    """
    if not (math.isfinite(lon) and abs(lon) <= 3600 and -90 <= lat <= 90):
        raise InvalidSetting(
            "there is no such place on earth", found=f"{lat}, {lon}", cure="Give a latitude and a longitude in degrees."
        )
    if layer.source == "vector":
        return []
    found = []
    for number, frame in enumerate(layer.frames):
        with files.borrow(frame.file) as dataset:
            numbers = _numbers(dataset, lon, lat, str(frame.file))
        at = max(band, frame.band) - 1
        if numbers and at >= len(numbers):
            raise InvalidSetting(
                f"{layer.name} has no band {band}", expected=f"1 to {len(numbers)}", cure="Ask for another band."
            )
        value = numbers[at] if numbers else None
        entry = None if value is None else layer.legend.entry_of(value)
        colour = None if layer.kind in PAINTED else _colour(layer.legend, value, entry)
        found.append(PointValue(number, frame.date, value, entry, colour, numbers if value is not None else ()))
    return found


def _numbers(dataset: rasterio.DatasetReader, lon: float, lat: float, source: str) -> tuple[float | None, ...]:
    """The pixel at a place, band by band; nothing outside the raster."""
    header = header_of(dataset, source, source)
    grid: Grid = header.grid
    (place,) = positions(grid, [lon], [lat])
    if not np.isfinite(place).all():
        return ()
    col, row = (math.floor(number) for number in place)
    if not (0 <= row < grid.height and 0 <= col < grid.width):
        return ()
    window = RasterWindow(col, row, 1, 1)
    pixel = dataset.read(window=window)[:, 0, 0]
    seen = dataset.read_masks(window=window)[:, 0, 0]
    colours = [place for place, one in enumerate(header.bands) if one.index != header.alpha]
    return tuple(_plain(pixel[place]) if seen[place] else None for place in colours)


def _plain(number: np.generic) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


def _colour(legend: Legend, value: float | None, entry: Entry | None) -> str | None:
    """The colour of a value on the map."""
    if entry is not None:
        return entry.colour
    if value is None or legend.entries or legend.low is None or legend.high is None:
        return None
    share = (value - legend.low) / max(legend.high - legend.low, 1e-12)
    byte = 1 + round(254 * min(max(share, 0.0), 1.0))
    return "#" + bytes(palette_of(legend).colours[byte, :3]).hex()
