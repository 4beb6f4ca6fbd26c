"""Blocks of pixels, compressed as TIFF has it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from arpent.io.spec import RasterSpec

__all__ = ["BlockCodec", "frame"]

_DEFLATE, _ZSTD = 8, 50000
_LEVELS = {"deflate": 6, "zstd": 3}
# Level 6 costs a third more time than 4 on floats and gains one percent: their last bits are noise.
_LEVEL_FLOAT = 4


def frame(payload: bytes) -> bytes:
    """A compressed block as it stands in the file: its size before it, its last four bytes again after it.

    Readers over the network take size and block in one request, and tell from the end whether the file was changed.
    """
    return struct.pack("<I", len(payload)) + payload + payload[-4:]


@dataclass(frozen=True)
class BlockCodec:
    """Turns blocks into bytes. The same block always gives the same bytes.

    Attributes:
        dtype: of the pixels.
        predictor: 1 as they are (class numbers), 2 differences along the row (integers), 3 differences of byte planes
            (floats).
        compression: "deflate" or "zstd".
    """

    dtype: str
    predictor: int
    compression: str

    @classmethod
    def of(cls, spec: RasterSpec) -> BlockCodec:
        """The codec that suits a product."""
        # Neighbouring class numbers are equal or unrelated: their differences compress worse than they do.
        plain = spec.classes is not None or spec.overviews in ("mode", "shares")
        predictor = 1 if plain else 3 if spec.is_float else 2
        return cls(spec.dtype, predictor, spec.compression)

    @property
    def tag(self) -> int:
        """TIFF's number for the compression."""
        return _ZSTD if self.compression == "zstd" else _DEFLATE

    def encode(self, block: NDArray[np.generic]) -> bytes:
        """The bytes of a block ``(rows, columns, samples)``."""
        data = self._predicted(block)
        if self.compression == "zstd":
            packed: bytes = pa.Codec("zstd", compression_level=_LEVELS["zstd"]).compress(data, asbytes=True)
            return packed
        return zlib.compress(data, _LEVEL_FLOAT if self.predictor == 3 else _LEVELS["deflate"])

    def _predicted(self, block: NDArray[np.generic]) -> bytes:
        little = np.ascontiguousarray(block, dtype=np.dtype(self.dtype).newbyteorder("<"))
        if self.predictor == 1:
            return little.tobytes()
        rows, columns, samples = little.shape
        if self.predictor == 2:
            kind = np.dtype(f"<u{little.dtype.itemsize}")
            numbers = little.view(kind)
            steps = numbers.copy()
            steps[:, 1:] -= numbers[:, :-1]
            return steps.tobytes()
        # Byte planes, most significant first, over the whole row; then differences one pixel apart.
        planes = little.view(np.uint8).reshape(rows, columns * samples, -1)[:, :, ::-1].transpose(0, 2, 1)
        flat = np.ascontiguousarray(planes).reshape(rows, -1)
        steps = flat.copy()
        steps[:, samples:] -= flat[:, :-samples]
        return steps.tobytes()
