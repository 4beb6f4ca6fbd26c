"""How much memory GDAL may keep decoded pixels in: what the open images need for a row of tiles, within bounds.

GDAL's own default is a twentieth of the machine's memory, which would make the peak of a run depend on the height of
its images until that is full.
"""

from __future__ import annotations

import os
from threading import Lock

__all__ = ["ROWS_KEPT", "limit", "release", "reserve"]

ROWS_KEPT = 1024
"""Rows of an image worth keeping: a row of usual tiles, and the blocks that the next row shares with it."""

_LEAST = 64 << 20  # bytes
_MOST = 512 << 20

_lock = Lock()
_needs: list[int] = []


def reserve(need: int) -> None:
    """Count in an image that is read best with `need` bytes of cache."""
    with _lock:
        _needs.append(need)


def release(need: int) -> None:
    """Count it out again."""
    with _lock:
        _needs.remove(need)


def limit() -> dict[str, int]:
    """GDAL's option for the size of its cache, in bytes; nothing when the user has set one."""
    if "GDAL_CACHEMAX" in os.environ:
        return {}
    with _lock:
        return {"GDAL_CACHEMAX": min(max(sum(_needs), _LEAST), _MOST)}
