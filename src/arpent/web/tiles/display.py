"""Display images: what a layer's raster looks like on the map, in bytes that need only be copied into tiles.

A display image is a COG of bytes in Web Mercator whose blocks are tiles, with overviews down to one tile. Numbers that
stand for something (classes, dates, quality) become the places of their entries in the legend, counted from 1;
quantities become 1 … 255 between the ends of their ramp; pictures become bytes from their 2nd to their 98th
percentile. 0 means no data. Colours come in only when a tile is made, so that a style can change and the image stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import ByteScale, Raster, Strip, Window, file_sha256
from arpent.errors import InvalidSetting
from arpent.io import CogWriter, ImageReader, RasterSpec, open_image
from arpent.io.gdal import open_dataset
from arpent.io.place import ResamplingName
from arpent.web.layers import CODED, MOST_BANDS, PAINTED, VECTOR, Kind, Legend
from arpent.web.tiles.canvas import TILE, canvas_of, pixel_size
from arpent.web.tiles.colours import colour_bands
from arpent.web.tiles.sources import check_raster
from arpent.web.tiles.tones import tones_of

__all__ = ["MOST_ENTRIES", "Display", "describe", "make"]

MOST_ENTRIES: Final = 255
"""Entries of a legend that a display image can tell apart."""

_CHUNK_BYTES = 16 << 20  # that are read in one go


@dataclass(frozen=True, slots=True)
class Display:
    """A display image on the disk.

    Attributes:
        file: where it is.
        minzoom: the zoom at which it fits on a tile, or nearly.
        maxzoom: the zoom of its own pixels.
        bands: how many bands can be shown; three that make one picture count as one.
        digest: SHA-256 of the file.
    """

    file: Path
    minzoom: int
    maxzoom: int
    bands: int
    digest: str


Recode = Callable[[Raster], NDArray[np.uint8]]


def make(source: Path, kind: Kind, legend: Legend, to: Path, tones: ByteScale | None = None) -> Display:
    """Makes the display image of a raster, in memory that does not grow with its height.

    Args:
        source: a GeoTIFF with a place on earth.
        kind: what it shows.
        legend: its entries for kinds that are coded, its ends for quantities.
        to: the file to be written, whole or not at all; one that is there is replaced.
        tones: of a picture, if it is one of several that share theirs; its own if not given.

    Raises:
        FileMissing, UnreadableFile: it is not there, damaged, or no GeoTIFF.
        GeoreferenceMissing: it has no place on earth.
        NoOverlap: it lies beyond the latitudes of the map.
        InvalidSetting: it is too large, or its legend does not suit its kind.
    """
    path = check_raster(source)
    with open_image(path) as image:
        canvas = canvas_of(image.grid, path.name)
        bands = colour_bands(image.bands) if kind in PAINTED else image.bands[:MOST_BANDS]
    if kind in PAINTED:
        recode, overviews = _scaled(tones or tones_of([path])[path]), False
    else:
        recode, overviews = _recoding(len(bands), kind, legend, path.name)
    spec = RasterSpec(
        canvas.grid,
        bands,
        "uint8",
        nodata=0,
        overviews="shares" if overviews else "average",
        compression="zstd",
        side=TILE,
    )
    # Numbers and quantities are shown as they are, pixel by pixel; pictures may be smooth.
    resampling: ResamplingName = "bilinear" if kind in PAINTED else "nearest"
    to.parent.mkdir(parents=True, exist_ok=True)
    with (
        open_image(path, bands=bands, grid=canvas.reading, resampling=resampling) as image,
        CogWriter(to, spec) as writer,
    ):
        for strip in canvas.grid.window.strips(TILE):
            writer.write(Strip(strip.row, _strip(image, strip, recode)))
    return describe(to, kind)


def describe(file: Path, kind: Kind) -> Display:
    """What a display image that is there already says of itself.

    Raises:
        FileMissing, UnreadableFile: it is not there or damaged.
    """
    with open_dataset(str(file), str(file)) as dataset:
        zoom = round(float(np.log2(pixel_size(0) / dataset.transform.a)))
        levels, count = len(dataset.overviews(1)), dataset.count
    return Display(file, max(zoom - levels, 0), zoom, 1 if kind in PAINTED else count, file_sha256(file))


def _strip(image: ImageReader, strip: Window, recode: Recode) -> NDArray[np.uint8]:
    """The bytes of some rows ``(bands, rows, width)``, read in pieces; where the image does not reach nothing is."""
    made = np.zeros((len(image.bands), *strip.shape), np.uint8)
    there = strip.intersect(image.covered)
    if not there.size:
        return made
    step = max(TILE, _CHUNK_BYTES // (strip.height * len(image.bands) * image.dtype.itemsize))
    for col in range(there.col, there.col_end, step):
        piece = Window.between(there.row, col, there.row_end, min(col + step, there.col_end))
        rows, cols = piece.relative_to(strip).slices
        made[:, rows, cols] = recode(image.read(piece))
    return made


def _recoding(bands: int, kind: Kind, legend: Legend, what: str) -> tuple[Recode, bool]:
    """How pixels become bytes, and whether these are places in the legend."""
    if kind in VECTOR:
        raise InvalidSetting(f"a layer of {kind} has no pixels", found=what, cure="Give a layer of rasters.")
    if legend.entries:
        return _coded([entry.value for entry in legend.entries], what), True
    if kind in CODED or legend.low is None or legend.high is None:
        raise InvalidSetting(
            f"the legend of {what} does not say what its numbers mean",
            expected="entries" if kind in CODED else "the two ends of its ramp",
            cure="Complete the legend.",
        )
    return _scaled(ByteScale.between([legend.low] * bands, [legend.high] * bands, "legend")), False


def _coded(values: Sequence[int], what: str) -> Recode:
    """Numbers as their places in the legend, from 1 on; 0 for those that it does not know."""
    if len(values) > MOST_ENTRIES or len(set(values)) != len(values):
        raise InvalidSetting(
            f"the legend of {what} cannot be shown",
            found=f"{len(values)} entries",
            expected=f"at most {MOST_ENTRIES}, no two of one number",
            cure="Join some of them.",
        )
    order = np.argsort(values)
    known = np.asarray(values, np.int64)[order]

    def recode(raster: Raster) -> NDArray[np.uint8]:
        numbers = raster.pixels
        at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        places = np.where((known[at] == numbers) & raster.valid, order[at] + 1, 0)
        return np.asarray(places, np.uint8)

    if min(values) >= 0 and max(values) < 256:
        table = np.zeros(256, np.uint8)
        table[known] = order + 1

        def look_up(raster: Raster) -> NDArray[np.uint8]:
            if raster.pixels.dtype != np.uint8:
                return recode(raster)
            places: NDArray[np.uint8] = table[raster.pixels]
            places[:, ~raster.valid] = 0
            return places

        return look_up
    return recode


def _scaled(scale: ByteScale) -> Recode:
    def recode(raster: Raster) -> NDArray[np.uint8]:
        return scale(raster.pixels, raster.valid)

    return recode
