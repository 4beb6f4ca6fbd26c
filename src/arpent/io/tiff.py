"""Reading and writing the directories of TIFF files, classic and Big, in both byte orders.

Only the directories: blocks of pixels are written by `arpent.io.assemble`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from arpent.errors import UnreadableFile

__all__ = ["Directory", "Entry", "Flavour", "directory_bytes", "file_header", "read_directories"]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}

Directory = Mapping[int, "Entry"]
"""The entries of one image of a file, by tag."""


@dataclass(frozen=True)
class Entry:
    """One field of a directory.

    Attributes:
        kind: TIFF's number for the type of the values (2 text, 3 uint16, 4 uint32, 12 double, 16 uint64 …).
        data: the values, little-endian.
    """

    kind: int
    data: bytes

    @classmethod
    def of(cls, kind: int, *values: float) -> Entry:
        """An entry of numbers."""
        return cls(kind, struct.pack(f"<{len(values)}{_CODES[kind]}", *values))

    @property
    def count(self) -> int:
        """Number of values (of bytes, for text)."""
        return len(self.data) // _SIZES[self.kind]

    @property
    def values(self) -> tuple[float, ...]:
        """The numbers of a numeric entry."""
        return struct.unpack(f"<{self.count}{_CODES[self.kind]}", self.data)

    @property
    def text(self) -> str:
        """The content of a text entry."""
        return self.data.rstrip(b"\0").decode("utf-8")


@dataclass(frozen=True)
class Flavour:
    """How wide offsets and counts are: classic TIFF ends at 4 GiB, BigTIFF does not."""

    name: Literal["classic", "big"]

    @property
    def offset(self) -> int:
        """Bytes of an offset."""
        return 4 if self.name == "classic" else 8

    @property
    def offset_kind(self) -> int:
        """TIFF's number for an entry of offsets."""
        return 4 if self.name == "classic" else 16

    @property
    def head(self) -> int:
        """Bytes before anything else in the file."""
        return 8 if self.name == "classic" else 16

    def entry_size(self) -> int:
        """Bytes of an entry in its directory."""
        return 12 if self.name == "classic" else 20

    def directory_size(self, directory: Directory) -> int:
        """Bytes of a directory with all values that do not fit into its entries; a multiple of 8."""
        fixed = (2 if self.name == "classic" else 8) + self.entry_size() * len(directory) + self.offset
        outside = [len(entry.data) for entry in directory.values() if len(entry.data) > self.offset]
        return _even(fixed) + sum(_even(size) for size in outside)


def _even(size: int) -> int:
    """The next multiple of 8, where any value may begin."""
    return -(-size // 8) * 8


def file_header(flavour: Flavour, first_directory: int) -> bytes:
    """The first bytes of a little-endian file."""
    if flavour.name == "classic":
        return struct.pack("<2sHI", b"II", 42, first_directory)
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, first_directory)


def directory_bytes(flavour: Flavour, directory: Directory, at: int, following: int) -> bytes:
    """A directory that begins at the offset `at` of its file, with its values behind it.

    Args:
        flavour: of the file.
        directory: its entries.
        at: offset of the directory, a multiple of 8.
        following: offset of the next directory, 0 for the last one.
    """
    classic = flavour.name == "classic"
    head = struct.pack("<H" if classic else "<Q", len(directory))
    entries, outside = [], []
    fixed = _even(len(head) + flavour.entry_size() * len(directory) + flavour.offset)
    cursor = at + fixed
    for tag in sorted(directory):
        entry = directory[tag]
        if len(entry.data) <= flavour.offset:
            value = entry.data.ljust(flavour.offset, b"\0")
        else:
            value = struct.pack("<I" if classic else "<Q", cursor)
            padded = entry.data.ljust(_even(len(entry.data)), b"\0")
            outside.append(padded)
            cursor += len(padded)
        entries.append(struct.pack("<HHI" if classic else "<HHQ", tag, entry.kind, entry.count) + value)
    link = struct.pack("<I" if classic else "<Q", following)
    return (head + b"".join(entries) + link).ljust(fixed, b"\0") + b"".join(outside)


@dataclass(frozen=True)
class _Reader:
    """The bytes of a file with its byte order and flavour."""

    data: bytes
    order: str
    flavour: Flavour

    def number(self, at: int, size: int) -> int:
        code = {2: "H", 4: "I", 8: "Q"}[size]
        value: int = struct.unpack_from(self.order + code, self.data, at)[0]
        return value

    def entry(self, at: int) -> tuple[int, Entry]:
        width = self.flavour.offset
        tag, kind = self.number(at, 2), self.number(at + 2, 2)
        size = self.number(at + 4, width) * _SIZES[kind]
        begin = at + 4 + width
        if size > width:
            begin = self.number(begin, width)
        raw = self.data[begin : begin + size]
        if len(raw) < size:
            raise struct.error("a value reaches past the end of the file")
        step = _SIZES[kind] // (2 if kind in (5, 10) else 1)
        if self.order == ">" and step > 1:
            raw = b"".join(raw[i : i + step][::-1] for i in range(0, size, step))
        return tag, Entry(kind, raw)


def _reader(data: bytes) -> tuple[_Reader, int]:
    """The reader of a file, and the offset of its first directory."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise struct.error("it begins with neither II nor MM")
    magic = struct.unpack_from(order + "H", data, 2)[0]
    if magic == 42:
        return _Reader(data, order, Flavour("classic")), struct.unpack_from(order + "I", data, 4)[0]
    if magic == 43:
        return _Reader(data, order, Flavour("big")), struct.unpack_from(order + "Q", data, 8)[0]
    raise struct.error(f"its magic number is {magic}")


def read_directories(data: bytes) -> Sequence[Directory]:
    """The directories of a TIFF file, in the order of their chain.

    Args:
        data: the file from its first byte up to the last value of its directories.
    """
    try:
        reader, at = _reader(data)
        found: list[Directory] = []
        seen: set[int] = set()
        while at and at not in seen:
            seen.add(at)
            wide = 2 if reader.flavour.name == "classic" else 8
            count, step = reader.number(at, wide), reader.flavour.entry_size()
            first = at + wide
            if count * step > len(data):
                raise struct.error("a directory reaches past the end of the file")
            found.append(dict(reader.entry(first + i * step) for i in range(count)))
            at = reader.number(first + count * step, reader.flavour.offset)
    except (struct.error, KeyError, OverflowError) as problem:
        raise UnreadableFile(
            "this is not a whole TIFF file", found=str(problem), cure="Copy or download the file again."
        ) from problem
    return found
