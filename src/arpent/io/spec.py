"""What a raster product will be, decided before its first row is known."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from arpent.core import ClassMap, Grid, Language
from arpent.errors import InvalidSetting

__all__ = ["Compression", "Overviews", "RasterSpec", "scratch_bytes"]

Overviews = Literal["average", "mode", "nearest", "shares"]
Compression = Literal["deflate", "zstd"]

_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_BLOCKS = (512, 384, 256, 192, 128, 96, 64)
_ROW_OF_BLOCKS = 256 << 20  # bytes that one row of blocks may take in memory
_INTERLEAVED = 16  # up to as many bands lie together in a block; above, each band has blocks of its own
_LARGEST_OVERVIEW = 512  # pixels; coarser levels are of no use to anybody
_FRAME = 8  # bytes around each block: its size before it, its last four bytes after it


@dataclass(frozen=True)
class RasterSpec:
    """A raster product before it is written.

    Attributes:
        grid: where its pixels lie; rotated grids and pictures without CRS are allowed.
        bands: one name per band.
        dtype: of the pixels: integers of 8 to 32 bits, or floats of 32 or 64.
        nodata: the value that means "nothing here"; NaN is allowed for floats, None means that all pixels count.
        classes: what the numbers of a class map mean; gives palette, names and histogram.
        overviews: how four pixels become one. "average" of the valid ones, rounded half up for integers; "mode" takes
            the value that most of the valid ones have, the smallest on a tie; "nearest" takes the upper left one;
            "shares", for bytes, takes the most frequent one too, and lets rarer values keep so many pixels that each
            covers as much of a level as of the one before.
        unit: of the values ("dB"), for people.
        title: of the product, for people.
        tags: further metadata, name to text.
        compression: "deflate", which everything reads, or "zstd", which is some five times faster to write.
        language: of the category names that GIS programs show; the other language is kept beside it.
        side: of a block, and at most of the coarsest overview, in pixels; None leaves both to `block` and `levels`.
    """

    grid: Grid
    bands: tuple[str, ...]
    dtype: str
    nodata: float | None = None
    classes: ClassMap | None = None
    overviews: Overviews = "average"
    unit: str | None = None
    title: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    compression: Compression = "deflate"
    language: Language = "en"
    side: int | None = None

    def __post_init__(self) -> None:
        if str(self.dtype) not in _DTYPES:
            raise InvalidSetting(
                "a raster product cannot have this type of pixels",
                found=self.dtype,
                expected=", ".join(_DTYPES),
                cure="Convert the values first.",
            )
        object.__setattr__(self, "dtype", str(self.dtype))
        object.__setattr__(self, "bands", tuple(self.bands))
        if not self.bands:
            raise InvalidSetting("a raster product has no band", cure="Name at least one band.")
        if self.overviews not in get_args(Overviews):
            raise InvalidSetting(
                f"overviews cannot be made by '{self.overviews}'",
                expected=", ".join(get_args(Overviews)),
                cure="Choose one of them.",
            )
        self._check_nodata()
        if self.side is not None and (self.side < 16 or self.side % 16):
            raise InvalidSetting(
                "a TIFF has no blocks of this size",
                found=self.side,
                expected="a multiple of 16",
                cure="Choose another.",
            )
        if self.overviews == "shares" and self.dtype != "uint8":
            raise InvalidSetting(
                "shares are counted in bytes",
                found=self.dtype,
                expected="uint8",
                cure="Choose 'mode' or 'nearest' for the overviews.",
            )
        if self.classes is not None and self.dtype != "uint8":
            raise InvalidSetting(
                "a class map is kept in bytes", found=self.dtype, expected="uint8", cure="Set the type to uint8."
            )
        if self.overviews == "mode" and self.is_float:
            raise InvalidSetting(
                "the most frequent of four floats means nothing",
                cure="Choose 'average' or 'nearest' for the overviews.",
            )

    def _check_nodata(self) -> None:
        if self.nodata is None or self.is_float:
            return
        info = np.iinfo(self.dtype)
        if not math.isfinite(self.nodata) or self.nodata != int(self.nodata) or not info.min <= self.nodata <= info.max:
            raise InvalidSetting(
                f"no-data value {self.nodata:g} does not exist in {self.dtype}",
                expected=f"a whole number in {info.min} … {info.max}",
                cure="Choose another no-data value or another type.",
            )

    @property
    def is_float(self) -> bool:
        """Whether pixels are floats."""
        return np.issubdtype(np.dtype(self.dtype), np.floating)

    @property
    def itemsize(self) -> int:
        """Bytes per pixel and band."""
        return np.dtype(self.dtype).itemsize

    @property
    def interleaved(self) -> bool:
        """Whether the bands of a pixel lie together; above sixteen bands each has blocks of its own."""
        return len(self.bands) <= _INTERLEAVED

    @property
    def fill(self) -> float:
        """What stands where nothing was written: no-data, else 0."""
        return 0 if self.nodata is None else self.nodata

    @cached_property
    def levels(self) -> tuple[Grid, ...]:
        """The grids of the image and its overviews, each twice as coarse, down to 512 pixels, or to `side`.

        A single column has no overviews: readers tell their factor from the width.
        """
        grids = [self.grid]
        while self.grid.width > 1 and max(grids[-1].shape) > (self.side or _LARGEST_OVERVIEW):
            grids.append(grids[-1].coarsened(2))
        return tuple(grids)

    @cached_property
    def block(self) -> int:
        """Side of a block in pixels: 512, or less for small images and where a row of blocks would not fit in 256 MiB.

        Never the exact width of a level that is taller than 512, unless `side` says so: validators take such blocks for
        strips.
        """
        if self.side is not None:
            return self.side
        strips = {level.width for level in self.levels if level.height > _LARGEST_OVERVIEW}
        largest = next((side for side in reversed(_BLOCKS) if side >= max(self.grid.shape)), _BLOCKS[0])
        allowed = [side for side in _BLOCKS if side not in strips and side <= largest]
        row = self.grid.width * len(self.bands) * self.itemsize
        return next((side for side in allowed if side * row <= _ROW_OF_BLOCKS), allowed[-1])

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the bytes of the file depend on, to tell whether a resumed file is the same."""
        crs = self.grid.crs.to_wkt() if self.grid.crs is not None else None
        facts = [
            self.grid.shape,
            tuple(self.grid.transform),
            crs,
            self.bands,
            self.dtype,
            str(self.nodata),
            self.classes.model_dump_json() if self.classes else None,
            [self.overviews, self.unit, self.title, self.compression, self.language],
            sorted(self.tags.items()),
            *([self.side] if self.side is not None else []),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def scratch_bytes(spec: RasterSpec) -> int:
    """Bytes that writing needs beside the product at most, as if nothing could be compressed.

    Finished blocks wait in scratch files until the last row is there and are then copied in the order of a COG: on
    disk a product stands twice for a moment. Class maps commonly need a tenth of this.
    """
    samples = sum(
        math.ceil(level.height / spec.block) * math.ceil(level.width / spec.block) * spec.block**2
        for level in spec.levels
    )
    pixels = samples * len(spec.bands) * spec.itemsize
    blocks = samples // spec.block**2 * (1 if spec.interleaved else len(spec.bands))
    # Deflate and Zstandard never grow a block by more than a thousandth and a few bytes.
    return pixels + pixels // 1000 + blocks * (_FRAME + 64)
