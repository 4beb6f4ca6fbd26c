"""PNGs as tiles need them, quickly: bytes with a palette, or colours with alpha.

A tile is sent once and thrown away, so speed counts for more than the last tenth of its size: rows are stored as they
are, or as differences to the row above, and deflated lightly.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["palette_chunks", "palette_png", "rgba_png"]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PALETTE, _COLOURS = 3, 6  # types of a PNG
_PLAIN, _UP = 0, 2  # filters of a row
_LEVEL = 1


def palette_chunks(colours: NDArray[np.uint8]) -> bytes:
    """The two chunks of a palette ``(n, 4)`` of red, green, blue and alpha."""
    return _chunk(b"PLTE", colours[:, :3].tobytes()) + _chunk(b"tRNS", colours[:, 3].tobytes())


def palette_png(pixels: NDArray[np.uint8], chunks: bytes) -> bytes:
    """An image ``(height, width)`` of places in a palette.

    Args:
        pixels: the places.
        chunks: the palette, as `palette_chunks` gives it.
    """
    height, width = pixels.shape
    rows = np.empty((height, width + 1), np.uint8)
    rows[:, 0] = _PLAIN
    rows[:, 1:] = pixels
    return _assembled(width, height, _PALETTE, chunks, _deflated(rows, zlib.Z_DEFAULT_STRATEGY))


def rgba_png(pixels: NDArray[np.uint8]) -> bytes:
    """An image ``(height, width, 4)`` of red, green, blue and alpha."""
    height, width, _ = pixels.shape
    flat = pixels.reshape(height, width * 4)
    rows = np.empty((height, width * 4 + 1), np.uint8)
    rows[:, 0] = _UP
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    return _assembled(width, height, _COLOURS, b"", _deflated(rows, zlib.Z_FILTERED))


def _deflated(rows: NDArray[np.uint8], strategy: int) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    return packer.compress(rows.data) + packer.flush()


def _assembled(width: int, height: int, kind: int, palette: bytes, data: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    return b"".join((_SIGNATURE, head, palette, _chunk(b"IDAT", data), _chunk(b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
