"""What is seen of a layer, cut out of its analytic raster as a GeoTIFF of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from arpent.core import ClassMap, LandClass, Strip, Window
from arpent.errors import InvalidSetting
from arpent.io import CogWriter, ImageReader, RasterSpec, open_image
from arpent.web.layers import CODED, Bounds, Layer
from arpent.web.tiles.sources import check_raster
from arpent.web.values.places import positions, window_around

__all__ = ["MOST_BYTES", "clipped"]

MOST_BYTES: Final = 512 << 20
"""Bytes of pixels that are handed out in one file."""

_POINTS = 33  # along each side of what is seen, whose straight sides bend elsewhere
_STRIP_BYTES = 32 << 20


def clipped(layer: Layer, frame: int, bounds: Bounds, to: Path) -> Path:
    """Writes the pixels of a frame that lie in a box, in the raster's own reference system.

    Args:
        layer: with pixels.
        frame: place among its frames, from 0 on.
        bounds: of the box; its west is greater than its east where it crosses the antimeridian.
        to: the file to be written, whole or not at all.

    Raises:
        NoOverlap: nothing of the frame lies there.
        InvalidSetting: there is no such frame, or too much of it lies there.
        FileMissing, UnreadableFile: its file is gone or damaged.
    """
    if layer.source == "vector" or not 0 <= frame < len(layer.frames):
        raise InvalidSetting(
            f"{layer.name} has no raster number {frame}",
            expected=f"0 to {len(layer.frames) - 1}",
            cure="Ask for another frame.",
        )
    with open_image(check_raster(layer.frames[frame].file)) as image:
        window = _seen(image, bounds, layer.name)
        per_row = window.width * len(image.bands) * image.dtype.itemsize
        if window.height * per_row > MOST_BYTES:
            raise InvalidSetting(
                "too much is seen to be handed out in one file",
                found=f"{window.width:,} × {window.height:,} pixels",
                expected=f"at most {MOST_BYTES >> 20} MiB",
                cure="Zoom in, or take the whole product from its run folder.",
            )
        with CogWriter(to, _spec(image, window, layer)) as writer:
            for strip in window.strips(max(1, _STRIP_BYTES // per_row)):
                writer.write(Strip(strip.row - window.row, image.read(strip).pixels))
    return to


def _seen(image: ImageReader, bounds: Bounds, what: str) -> Window:
    east = bounds.east if bounds.east >= bounds.west else bounds.east + 360
    steps = np.linspace(0.0, 1.0, _POINTS)
    lons, lats = np.meshgrid(
        bounds.west + steps * (east - bounds.west), bounds.south + steps * (bounds.north - bounds.south)
    )
    return window_around(image.grid, positions(image.grid, lons.ravel(), lats.ravel()), what)


def _spec(image: ImageReader, window: Window, layer: Layer) -> RasterSpec:
    """The same kind of file, with the names and colours of its classes."""
    coded = layer.kind in CODED
    classes = None
    if layer.kind == "classes" and image.dtype == np.uint8:
        listed = [LandClass(id=one.value, en=one.en, fr=one.fr, colour=one.colour) for one in layer.legend.entries]
        nodata = next(number for number in (image.nodata or 0, 255, 0) if all(one.id != number for one in listed))
        classes = ClassMap(name=layer.name, classes=tuple(listed), nodata=int(nodata))
    return RasterSpec(
        image.grid.crop(window),
        image.bands,
        str(image.dtype),
        nodata=image.nodata,
        classes=classes,
        overviews="mode" if coded and image.dtype.kind in "iu" else "average",
        title=layer.title_en,
    )
