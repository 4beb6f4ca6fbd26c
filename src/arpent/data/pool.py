"""Open images, kept open while they are likely to be read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from arpent.core import Closing, Grid
from arpent.io import ImageReader, open_image

__all__ = ["Opening", "ReaderPool"]


@dataclass(frozen=True)
class Opening:
    """How an image is to be opened; see `arpent.io.open_image`."""

    source: str
    bands: tuple[str, ...] | None = None
    sensor: str | None = None
    grid: Grid | None = None
    resampling: Literal["bilinear", "nearest"] = "bilinear"
    absent: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # A CRS is slow to hash, and a patch looks its image up every time.
        return hash((self.source, self.bands, self.absent, self.sensor, self.grid, self.resampling))

    def open(self) -> ImageReader:
        """A new reader."""
        return open_image(
            self.source,
            bands=self.bands,
            absent=self.absent,
            sensor=self.sensor,
            grid=self.grid,
            resampling=self.resampling,
        )


@dataclass
class _Shelf:
    reader: ImageReader
    borrowers: int = 0


class ReaderPool(Closing):
    """Readers shared by threads; the least recently used are closed, but never one that is being read.

    Args:
        capacity: readers that stay open when nobody reads them.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._shelves: OrderedDict[Opening, _Shelf] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, opening: Opening) -> Iterator[ImageReader]:
        """The reader of an image, for as long as the context lasts."""
        shelf = self._take(opening)
        try:
            yield shelf.reader
        finally:
            with self._lock:
                shelf.borrowers -= 1
                surplus = self._surplus()
            for reader in surplus:
                reader.close()

    def _take(self, opening: Opening) -> _Shelf:
        with self._lock:
            shelf = self._shelves.get(opening)
            if shelf is not None:
                shelf.borrowers += 1
                self._shelves.move_to_end(opening)
                return shelf
        # Opening may read from a network: other threads go on meanwhile, and one of them may open the same image.
        reader = opening.open()
        with self._lock:
            shelf = self._shelves.setdefault(opening, _Shelf(reader))
            shelf.borrowers += 1
        if shelf.reader is not reader:
            reader.close()
        return shelf

    def _surplus(self) -> list[ImageReader]:
        """Takes idle readers beyond the capacity off the shelves, oldest first."""
        surplus = []
        for opening in list(self._shelves):
            if len(self._shelves) <= self._capacity:
                break
            if self._shelves[opening].borrowers == 0:
                surplus.append(self._shelves.pop(opening).reader)
        return surplus

    def close(self) -> None:
        """Closes every reader. The pool can be used again."""
        with self._lock:
            readers = [shelf.reader for shelf in self._shelves.values()]
            self._shelves.clear()
        for reader in readers:
            reader.close()
