"""Finished blocks on disk, until the last row of the product is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from arpent.errors import RunDamaged
from arpent.io.blocks import frame

__all__ = ["BlockLog"]

_SIZE = np.dtype("<u4")


class BlockLog:
    """Blocks of one level, in the order in which they were finished: one file of bytes, one of their sizes.

    Both only grow, so that a log cut back to an earlier length is the log of that moment.
    """

    def __init__(self, folder: Path, level: int) -> None:
        self.path = folder / f"level-{level}.blocks"
        self._sizes_path = folder / f"level-{level}.sizes"
        self._bytes: BinaryIO = self.path.open("ab")
        self._sizes: BinaryIO = self._sizes_path.open("ab")
        self.length = self._bytes.tell()
        self.count = self._sizes.tell() // _SIZE.itemsize

    @classmethod
    def reopen(cls, folder: Path, level: int, state: Mapping[str, Any]) -> Self:
        """The log as it was at a checkpoint; whatever was written later is cut off."""
        log = cls(folder, level)
        if log.length < state["bytes"] or log.count < state["blocks"]:
            log.close()
            raise RunDamaged(
                f"{log.path} is shorter than at its last checkpoint",
                found=f"{log.length} bytes",
                expected=f"{state['bytes']} bytes",
                cure="Start the product anew.",
            )
        log._bytes.truncate(state["bytes"])
        log._sizes.truncate(state["blocks"] * _SIZE.itemsize)
        log.length, log.count = state["bytes"], state["blocks"]
        return log

    def append(self, payloads: Iterable[bytes]) -> None:
        """Adds compressed blocks; an empty one stands for a block without data, which takes no space."""
        sizes = []
        for payload in payloads:
            sizes.append(len(payload))
            if payload:
                self.length += self._bytes.write(frame(payload))
        self._sizes.write(np.array(sizes, _SIZE).tobytes())
        self.count += len(sizes)

    def sync(self) -> None:
        """Makes everything appended so far durable."""
        for stream in (self._bytes, self._sizes):
            stream.flush()
            os.fsync(stream.fileno())

    def state(self) -> dict[str, int]:
        """How long the log is, for JSON."""
        return {"bytes": self.length, "blocks": self.count}

    def sizes(self) -> NDArray[np.int64]:
        """The size of each block, 0 for those without data."""
        self._sizes.flush()
        return np.fromfile(self._sizes_path, _SIZE).astype(np.int64)

    def flush(self) -> None:
        """Hands all bytes to the operating system, so that other handles see them."""
        self._bytes.flush()
        self._sizes.flush()

    def close(self) -> None:
        """Closes the files and keeps them."""
        for stream in (self._bytes, self._sizes):
            # What a full disk refuses now came after the last checkpoint: nobody will miss it.
            with suppress(OSError):
                stream.close()
