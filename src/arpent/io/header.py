"""What a file says of itself before a pixel is read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from odc.geo.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags

from arpent.core import Grid
from arpent.errors import UnreadableFile
from arpent.io.gdal import open_dataset, read_afresh, translated

__all__ = ["BandHeader", "Header", "header_of", "read_header"]

_FARTHEST = 1e15
"""Units of a reference system, metres or degrees, beyond which no ground lies."""
_MASK_NAME = re.compile(r"alpha|a|opacity|transparency|mask|(?:alpha|data|band|layer)?[ _-]?(?:band|mask|channel|\d+)")
"""What a band of validity is called, in small letters; a bare number says nothing to the contrary."""


@dataclass(frozen=True)
class BandHeader:
    """One band of a file.

    Attributes:
        index: from 1, as GDAL counts.
        dtype: of its pixels.
        nodata: the number that means no data; None when there is none, or when it does not fit the type.
        scale: physical value = number × scale + offset.
        offset: see `scale`.
        description: the name that the file gives it, perhaps empty.
        colour: GDAL's colour interpretation, in small letters ("red", "undefined").
        masked: whether a mask or an alpha band says which pixels count.
    """

    index: int
    dtype: np.dtype[np.generic]
    nodata: float | None
    scale: float
    offset: float
    description: str
    colour: str
    masked: bool


@dataclass(frozen=True)
class Header:
    """A file, as far as it can be known without its pixels.

    Attributes:
        address: what GDAL opens.
        source: what the user calls it.
        grid: where its pixels lie.
        bands: all of them, alpha included.
        tags: its metadata.
        blocks: rows and columns of the blocks in which its pixels are stored, of which none is read in part.
    """

    address: str
    source: str
    grid: Grid
    bands: tuple[BandHeader, ...]
    tags: Mapping[str, str]
    blocks: tuple[int, int]

    @property
    def called_alpha(self) -> int | None:
        """Index of the band that GDAL takes for alpha, rightly or not."""
        return next((band.index for band in self.bands if band.colour == "alpha"), None)

    @property
    def alpha(self) -> int | None:
        """Index of the alpha band. One that the file gives another name, such as "nir", is none."""
        index = self.called_alpha
        return index if index and _is_mask([band.description for band in self.bands], index) else None


def read_header(address: str, source: str) -> Header:
    """The header of what GDAL finds at `address`; errors speak of `source`."""
    read_afresh(address)
    with open_dataset(address, source) as dataset, translated(source):
        return header_of(dataset, address, source)


def header_of(dataset: rasterio.DatasetReader, address: str, source: str) -> Header:
    """The header of an open dataset."""
    if dataset.count == 0:
        inside = dataset.subdatasets
        raise UnreadableFile(
            f"{source} holds no image of its own",
            found=f"{len(inside)} images inside" if inside else "no bands",
            cure=f"Name one of them, for example {inside[0]}." if inside else "Give a raster.",
        )
    turned = dataset.transform
    if not _has_size(turned, dataset.width, dataset.height):
        raise UnreadableFile(
            f"the georeference of {source} gives its pixels no size",
            found=f"{turned.a:g} × {turned.e:g}",
            cure="Take a fresh copy, or correct it: gdal_edit.py -a_ullr LEFT TOP RIGHT BOTTOM FILE.",
        )
    header = Header(
        address=address,
        source=source,
        grid=Grid(dataset.height, dataset.width, dataset.transform, _crs(dataset)),
        bands=_bands(dataset),
        tags=dataset.tags(),
        blocks=dataset.block_shapes[0],
    )
    if header.called_alpha and not header.alpha and MaskFlags.alpha in dataset.mask_flag_enums[0]:
        # The only mask is the one that GDAL makes of that band.
        return replace(header, bands=tuple(replace(band, masked=False) for band in header.bands))
    return header


def _has_size(turned: Affine, cols: int, rows: int) -> bool:
    """Whether the corners of an image have a place that is not beyond all measure, and can be found again by it."""
    if not (all(map(math.isfinite, turned)) and turned.determinant):
        return False
    back, first, last = ~turned, (turned.c, turned.f), turned @ (cols, rows)
    if max(map(abs, (*first, *last))) > _FARTHEST:
        return False
    return all(map(math.isfinite, (*back, *(back @ first), *(back @ last))))


def _is_mask(descriptions: Sequence[str], index: int) -> bool:
    """Whether a band that is marked as alpha is what it is called.

    Writers of four bytes per pixel mark the fourth as alpha unless they are told better. A name of its own is better.
    """
    name = descriptions[index - 1].strip().casefold()
    return not name or bool(_MASK_NAME.fullmatch(name)) or [d.strip().casefold() for d in descriptions].count(name) > 1


def _crs(dataset: rasterio.DatasetReader) -> CRS | None:
    """The CRS, when it is one: a local drawing frame is no place on earth."""
    crs = dataset.crs
    placed = dataset.transform != Affine.identity()
    if not placed or not crs or not (crs.is_geographic or crs.is_projected):
        return None
    exact = CRS(crs.to_wkt())
    code = crs.to_epsg(confidence_threshold=100)
    short = CRS(code) if code else exact
    return short if short == exact else exact


def _bands(dataset: rasterio.DatasetReader) -> tuple[BandHeader, ...]:
    # Each of these lists is made anew whenever it is asked for: with 65,535 bands, once must do.
    facts = zip(
        dataset.indexes,
        map(np.dtype, dataset.dtypes),
        dataset.nodatavals,
        dataset.scales,
        dataset.offsets,
        dataset.descriptions,
        dataset.colorinterp,
        dataset.mask_flag_enums,
        strict=True,
    )
    return tuple(
        BandHeader(
            index=index,
            dtype=dtype,
            nodata=_representable(nodata, dtype),
            scale=scale,
            offset=offset,
            description=(description or _told_name(dataset.tags(index))).strip(),
            colour=colour.name if isinstance(colour, ColorInterp) else "undefined",
            masked=MaskFlags.per_dataset in flags,
        )
        for index, dtype, nodata, scale, offset, description, colour, flags in facts
    )


def _told_name(tags: Mapping[str, str]) -> str:
    return tags.get("long_name") or tags.get("BAND_NAME") or tags.get("name") or ""


def _representable(nodata: float | None, dtype: np.dtype[Any]) -> float | None:
    """The no-data number, if a pixel of that type can have it."""
    if nodata is None or dtype.kind == "c":
        return None
    if dtype.kind == "f":
        return None if math.isfinite(nodata) and abs(nodata) > np.finfo(dtype).max else float(nodata)
    bounds = np.iinfo(dtype)
    fits = math.isfinite(nodata) and nodata == int(nodata) and bounds.min <= nodata <= bounds.max
    return float(nodata) if fits else None
