"""Rasters that stay open between one request and the next, a bounded number of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import rasterio

from arpent.errors import FileMissing
from arpent.io.gdal import environment, open_dataset, translated
from arpent.io.handles import Handles
from arpent.web.tiles.sources import check_raster

__all__ = ["OpenFiles"]

_KEPT = 16 << 20
"""Bytes of decoded blocks that GDAL may keep: a tile is read once, and then kept as it was sent."""

Stamp = tuple[int, int, int]
"""What tells a file from one that has taken its place."""


@dataclass(frozen=True)
class _Kept:
    stamp: Stamp
    handles: Handles[rasterio.DatasetReader]


class OpenFiles:
    """Handles by path; of those that nobody asks for any more, the oldest are closed. Safe to use from many threads.

    Args:
        limit: files that are open at the same moment, each once per thread that reads it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Path, _Kept] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def borrow(self, path: Path) -> Iterator[rasterio.DatasetReader]:
        """The raster at `path`, for the block alone.

        Raises:
            FileMissing: it is not there any more.
            UnreadableFile: it is damaged, or no GeoTIFF.
        """
        # Without the reader's settings GDAL would keep decoded blocks in a twentieth of the machine's memory.
        with environment(keep=_KEPT), ExitStack() as held:
            dataset = self._borrowed(path, held)
            with translated(str(path)):
                yield dataset

    def _borrowed(self, path: Path, held: ExitStack) -> rasterio.DatasetReader:
        while True:
            handles = self._handles(path, stamp_of(path))
            try:
                return held.enter_context(handles.borrow())
            except ValueError:
                if not handles.closed:
                    raise
                # Another thread needed the room, after the handles were found and before they were borrowed.

    def _handles(self, path: Path, stamp: Stamp) -> Handles[rasterio.DatasetReader]:
        with self._lock:
            kept = self._kept.get(path)
            if kept is not None and kept.stamp == stamp and not kept.handles.closed:
                self._kept.move_to_end(path)
                return kept.handles
            gone = [kept] if kept is not None else []
            handles = Handles(lambda: open_dataset(str(check_raster(path)), str(path)))
            self._kept[path] = _Kept(stamp, handles)
            self._kept.move_to_end(path)
            while len(self._kept) > self._limit:
                gone.append(self._kept.popitem(last=False)[1])
        for one in gone:
            one.handles.close()
        return handles

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """Closes every file; the next request opens it again."""
        with self._lock:
            gone, self._kept = list(self._kept.values()), OrderedDict()
        for one in gone:
            one.handles.close()


def stamp_of(path: Path) -> Stamp:
    """What tells the file at `path` from one that takes its place.

    Raises:
        FileMissing: there is none.
    """
    try:
        found = path.stat()
    except OSError as problem:
        raise FileMissing(
            f"there is no {path}", found=problem.strerror, cure="Register its run again, or restore the file."
        ) from problem
    return found.st_ino, found.st_mtime_ns, found.st_size
