"""The last step of a COG: directories first, then the finished blocks, coarsest level first."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid
from arpent.io.blocks import BlockCodec
from arpent.io.geotags import GeoTags
from arpent.io.spec import RasterSpec
from arpent.io.tiff import Directory, Entry, Flavour, directory_bytes, file_header

__all__ = ["StoredLevel", "assemble"]

_SHORT, _LONG = 3, 4
_FRAME_BEFORE, _FRAME = 4, 8
_COPY = 8 << 20  # bytes per read while blocks are copied
_CLASSIC_LIMIT = (1 << 32) - 1

# GDAL reads these promises and then fetches blocks without looking their sizes up. The blank at the end leaves room
# for another program to turn NO into YES when it changes the file.
_LAYOUT = "LAYOUT=IFDS_BEFORE_DATA\n"
_ROW_MAJOR = "BLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
_EDITION = "KNOWN_INCOMPATIBLE_EDITION=NO\n "


@dataclass(frozen=True)
class StoredLevel:
    """A level whose blocks are all finished.

    Attributes:
        grid: of the level.
        blocks: the scratch file that holds them, framed.
        sizes: ``(block rows, block columns, planes)`` bytes of each compressed block; 0 where there is no data.
    """

    grid: Grid
    blocks: Path
    sizes: NDArray[np.int64]

    @property
    def framed(self) -> NDArray[np.int64]:
        """Bytes of each block with its frame, in the order of the file."""
        return np.where(self.sizes > 0, self.sizes + _FRAME, 0)

    def counts(self) -> NDArray[np.int64]:
        """The sizes in the order of the TIFF tag: plane by plane."""
        return self.sizes.transpose(2, 0, 1).ravel()

    def offsets(self, begin: int) -> NDArray[np.int64]:
        """The offsets in the order of the TIFF tag, if the first block's frame is at `begin`."""
        framed = self.framed.ravel()
        starts = begin + np.cumsum(framed) - framed + _FRAME_BEFORE
        shaped = np.where(framed > 0, starts, 0).reshape(self.sizes.shape)
        return shaped.transpose(2, 0, 1).ravel()


def assemble(target: Path, spec: RasterSpec, tags: GeoTags, levels: Sequence[StoredLevel]) -> None:
    """Writes a whole COG from the blocks of its `levels`, finest first."""
    # Offsets do not change the size of a header, so a header of zeros tells where the data begin.
    sizes = [int(level.framed.sum()) for level in levels]
    flavour = Flavour("classic")
    if len(_header(flavour, spec, tags, levels, [0] * len(levels))) + sum(sizes) > _CLASSIC_LIMIT:
        flavour = Flavour("big")
    begins, cursor = [0] * len(levels), len(_header(flavour, spec, tags, levels, [0] * len(levels)))
    for index in reversed(range(len(levels))):
        begins[index] = cursor
        cursor += sizes[index]
    with target.open("wb") as out:
        out.write(_header(flavour, spec, tags, levels, begins))
        for level in reversed(levels):
            with level.blocks.open("rb") as blocks:
                shutil.copyfileobj(blocks, out, _COPY)


def _promises(spec: RasterSpec) -> bytes:
    # With a plane for each band, blocks of one place lie together, which is not TIFF's row-major order of planes.
    text = _LAYOUT + (_ROW_MAJOR if spec.interleaved else "") + _EDITION
    return f"GDAL_STRUCTURAL_METADATA_SIZE={len(text):06d} bytes\n{text}".encode("ascii")


def _header(
    flavour: Flavour, spec: RasterSpec, tags: GeoTags, levels: Sequence[StoredLevel], begins: Sequence[int]
) -> bytes:
    """Everything before the first block; the blocks of each level begin at its entry of `begins`."""
    promises = _promises(spec)
    first = -(-(flavour.head + len(promises)) // 8) * 8
    parts = [(file_header(flavour, first) + promises).ljust(first, b"\0")]
    at = first
    for index, (level, begin) in enumerate(zip(levels, begins, strict=True)):
        directory = _directory(flavour, spec, tags.overview if index else tags.image, level, begin)
        following = at + flavour.directory_size(directory)
        parts.append(directory_bytes(flavour, directory, at, following if index + 1 < len(levels) else 0))
        at = following
    return b"".join(parts)


def _directory(flavour: Flavour, spec: RasterSpec, tags: Directory, level: StoredLevel, begin: int) -> Directory:
    codec = BlockCodec.of(spec)
    offset_type = "<u4" if flavour.name == "classic" else "<u8"
    is_overview = level.grid is not spec.levels[0]
    structure = {
        254: Entry.of(_LONG, int(is_overview)),
        256: Entry.of(_LONG, level.grid.width),
        257: Entry.of(_LONG, level.grid.height),
        259: Entry.of(_SHORT, codec.tag),
        284: Entry.of(_SHORT, 1 if spec.interleaved else 2),
        317: Entry.of(_SHORT, codec.predictor),
        322: Entry.of(_SHORT, spec.block),
        323: Entry.of(_SHORT, spec.block),
        324: Entry(flavour.offset_kind, level.offsets(begin).astype(offset_type).tobytes()),
        325: Entry(_LONG, level.counts().astype("<u4").tobytes()),
    }
    return {**tags, **structure}
