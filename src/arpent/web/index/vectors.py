"""Embeddings of features, in files beside the database: to be like one of them is to be compared with all.

A database needs seconds to hand out a hundred thousand rows of numbers, a file hundredths. Each file holds vectors of
length 1 one after another, as 32-bit floats, then a key for each, by which those of one parcel are known; all
little-endian. Files are read in pieces and never mapped: one that is cut short is an error, not the end of the server.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Lock, get_native_id
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from arpent.core import file_sha256, publish_file, writing
from arpent.errors import FileMissing, UnreadableFile

__all__ = ["VECTORS", "VectorFile", "VectorWriter", "keys_of", "likeness_to", "parcel_key", "vector_of"]

VECTORS: Final = "vectors"
"""Folder of these files."""

_PIECE = 1 << 20  # bytes that are read in one go
_CURE = "Run: python manage.py rebuild."


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Vectors on the disk.

    Attributes:
        path: of the file.
        rows: how many vectors.
        width: numbers of each.
        digest: SHA-256 of the file.
    """

    path: Path
    rows: int
    width: int
    digest: str


class VectorWriter:
    """Writes such a file, which appears when it is closed.

    Args:
        path: of the file; one that is there is replaced.
        width: numbers of a vector.
    """

    def __init__(self, path: Path, width: int) -> None:
        self._path, self._width = path, width
        self._beside = path.with_name(f".{path.name}.{get_native_id()}.partial")
        self._keys: list[NDArray[np.int64]] = []
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: BinaryIO = self._beside.open("wb")

    def add(self, vectors: NDArray[np.float32], keys: NDArray[np.int64]) -> None:
        """Adds vectors ``(n, width)`` of length 1, and the keys ``(n,)`` of their parcels."""
        self._keys.append(keys)
        with writing(self._path):
            self._stream.write(vectors.astype("<f4").tobytes())

    def close(self) -> VectorFile:
        """Puts the file in its place."""
        keys = np.concatenate([np.empty(0, np.int64), *self._keys])
        with writing(self._path):
            self._stream.write(keys.astype("<i8").tobytes())
            self._stream.close()
        publish_file(self._beside, self._path)
        return VectorFile(self._path, len(keys), self._width, file_sha256(self._path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._beside.unlink(missing_ok=True)


class _Checked:
    """Files whose content was compared with their digest, as they were then."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Path, tuple[str, int, int]] = {}

    def check(self, file: VectorFile) -> None:
        try:
            seen = file.path.stat()
        except FileNotFoundError:
            raise FileMissing(f"{file.path.name} is gone", cure=_CURE) from None
        state = (file.digest, seen.st_size, seen.st_mtime_ns)
        with self._lock:
            if self._known.get(file.path) == state:
                return
        if seen.st_size != file.rows * (4 * file.width + 8) or file_sha256(file.path) != file.digest:
            raise _damaged(file)
        with self._lock:
            self._known[file.path] = state


_checked = _Checked()


def parcel_key(*words: str) -> int:
    """A number for the parcel that these words name together."""
    return int.from_bytes(hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest(), "little", signed=True)


def likeness_to(file: VectorFile, model: NDArray[np.float32]) -> NDArray[np.float32]:
    """How alike each vector of a file is to one of length 1 ``(width,)``: their cosines ``(rows,)``.

    Raises:
        FileMissing, UnreadableFile: the file is not there, or not as it was written.
    """
    _checked.check(file)
    found = np.empty(file.rows, np.float32)
    step = max(1, _PIECE // (4 * file.width))
    piece = np.empty((min(step, file.rows), file.width), "<f4")
    with FileIO(file.path) as stream:
        for row in range(0, file.rows, step):
            part = piece[: min(step, file.rows - row)]
            _fill(stream, part, file)
            # As fast as BLAS, which wakes other threads for it; and equal vectors are equally alike wherever they lie.
            np.einsum("ij,j->i", part, model, out=found[row : row + len(part)])
    return found


def vector_of(file: VectorFile, row: int) -> NDArray[np.float32]:
    """One vector of a file; errors as of `likeness_to`."""
    _checked.check(file)
    return _part(file, 4 * file.width * row, np.empty(file.width, "<f4"))


def keys_of(file: VectorFile) -> NDArray[np.int64]:
    """The keys of all vectors of a file; errors as of `likeness_to`."""
    _checked.check(file)
    return _part(file, 4 * file.width * file.rows, np.empty(file.rows, "<i8"))


def _part(file: VectorFile, start: int, part: NDArray[Any]) -> NDArray[Any]:
    with FileIO(file.path) as stream:
        stream.seek(start)
        _fill(stream, part, file)
    return part


def _fill(stream: FileIO, part: NDArray[Any], file: VectorFile) -> None:
    """Fills an array from a file; one read may give less than was asked for."""
    wanted = part.data.cast("B")
    while wanted.nbytes:
        count = stream.readinto(wanted)
        if not count:
            raise _damaged(file)
        wanted = wanted[count:]


def _damaged(file: VectorFile) -> UnreadableFile:
    return UnreadableFile(f"{file.path.name} is not as it was written", cure=_CURE)
