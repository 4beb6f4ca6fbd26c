"""How a photograph was held, where its format has room for that note and GDAL does not look: PNG, WebP and TIFF."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["held"]

_PNG, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF", b"WEBP"
_ORDERS = {b"II": "<", b"MM": ">"}
_TIFF_VERSION, _ORIENTATION, _SHORT = 42, 274, 3
_MOST_CHUNKS, _MOST_ENTRIES = 4096, 512


def held(path: Path) -> int:
    """The note of a file, 1 to 8 as EXIF has it; 1, as it is stored, where there is none."""
    with path.open("rb") as stream:
        start = stream.read(12)
        if start.startswith(_PNG):
            note = _noted(stream, _png_chunks(stream), b"eXIf")
        elif start.startswith(_RIFF) and start.endswith(_WEBP):
            note = _noted(stream, _webp_chunks(stream), b"EXIF")
        else:
            note = _of_tiff(stream, 0)
    return note if 1 <= note <= 8 else 1


def _noted(stream: BinaryIO, chunks: Iterator[tuple[bytes, int]], wanted: bytes) -> int:
    for count, (kind, place) in enumerate(chunks):
        if kind == wanted:
            stream.seek(place)
            return _of_tiff(stream, place + 6 * (stream.read(6) == b"Exif\0\0"))
        if count >= _MOST_CHUNKS:
            break
    return 1


def _png_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind of each chunk, and where its content begins."""
    place = len(_PNG)
    while len(head := _at(stream, place, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, place + 8
        place += 12 + length


def _webp_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    place = 12
    while len(head := _at(stream, place, 8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        yield kind, place + 8
        place += 8 + length + length % 2


def _at(stream: BinaryIO, place: int, count: int) -> bytes:
    stream.seek(place)
    return stream.read(count)


def _of_tiff(stream: BinaryIO, start: int) -> int:
    """The note in the first directory of a TIFF that begins at `start`, which is also the form of EXIF."""
    head = _at(stream, start, 8)
    order = _ORDERS.get(head[:2])
    if order is None or len(head) < 8:
        return 1
    version, place = struct.unpack(f"{order}HI", head[2:])
    count = _at(stream, start + place, 2)
    if version != _TIFF_VERSION or len(count) < 2:
        return 1
    entries = stream.read(12 * min(_MOST_ENTRIES, struct.unpack(f"{order}H", count)[0]))
    for entry in range(0, len(entries) - 11, 12):
        tag, kind, number, value = struct.unpack(f"{order}HHIH", entries[entry : entry + 10])
        if (tag, kind, number) == (_ORIENTATION, _SHORT, 1):
            return int(value)
    return 1
