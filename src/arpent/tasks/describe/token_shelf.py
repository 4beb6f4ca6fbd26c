"""Visual tokens set down on the disk until they are asked for: those of a whole run would not fit into memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from arpent.core import writing

__all__ = ["KeptTokens", "TokenShelf"]


class KeptTokens:
    """The visual tokens of one parcel, read from the shelf each time they are looked at; numpy takes it for an array.

    Args:
        shelf: that holds them.
        begins: where, in bytes.
        shape: (cells, width).
    """

    def __init__(self, shelf: TokenShelf, begins: int, shape: tuple[int, int]) -> None:
        self._shelf, self._begins, self.shape = shelf, begins, shape

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        values = self._shelf.read(self._begins, self.shape)
        return values if dtype is None else values.astype(dtype, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process has no such shelf: it is sent the tokens themselves."""
        return np.asarray, (np.asarray(self),)


class TokenShelf:
    """A file without a name, which is gone as soon as nobody holds tokens of it, also after a crash.

    Args:
        folder: on whose disk it lies; that of temporary files if not given.

    Raises:
        NotWritable: nothing can be written there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        with writing(folder or tempfile.gettempdir()):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open as long as the shelf is
        self._folder = folder or Path(tempfile.gettempdir())
        self._end = 0

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def keep(self, values: NDArray[np.float16]) -> Sequence[KeptTokens]:
        """Sets down the tokens of some parcels (parcels, cells, width).

        Raises:
            DiskFull: there is no room.
        """
        cells, width = values.shape[1:]
        begins = self._end
        with writing(self._folder):
            self._file.write(np.ascontiguousarray(values, np.float16).tobytes())
            self._file.flush()
        self._end += values.nbytes
        each = cells * width * values.itemsize
        return [KeptTokens(self, begins + number * each, (cells, width)) for number in range(len(values))]

    def read(self, begins: int, shape: tuple[int, int]) -> NDArray[np.float16]:
        """What lies there; from any thread."""
        count = shape[0] * shape[1] * np.dtype(np.float16).itemsize
        return np.frombuffer(os.pread(self._file.fileno(), count, begins), np.float16).reshape(shape)
