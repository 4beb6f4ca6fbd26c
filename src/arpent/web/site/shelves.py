"""What the process holds open between requests: one shelf of tiles, one set of rasters for values."""

from __future__ import annotations

import resource
from functools import cache

from arpent.web.tiles import OpenFiles, Shelf

__all__ = ["close", "make_room", "rasters", "tiles"]

_FILES = 64
_HANDLES = 4096  # each of these files once per thread, twice over, and the connections


@cache
def tiles() -> Shelf:
    """The display images."""
    return Shelf()


@cache
def rasters() -> OpenFiles:
    """The rasters of the runs, for values."""
    return OpenFiles(_FILES)


def close() -> None:
    """Closes every file; the next request opens what it needs again."""
    tiles().close()
    rasters().close()


def make_room() -> None:
    """Lets this process have as many files open as it may need; many systems give 1,024 unless asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _HANDLES if hard == resource.RLIM_INFINITY else min(_HANDLES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
