"""Memory of a process that serves for weeks, after it has made images for minutes."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["settle"]

_ARENA_MAX = -8  # M_ARENA_MAX of the GNU C library
_ARENAS = 2


def settle() -> None:
    """Gives back what making display images has left, and keeps the threads to come to two heaps.

    The GNU C library gives each thread a heap of its own and rarely gives memory back: tile servers grow by it. Other C
    libraries have neither habit, nor these two functions.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        library.mallopt(_ARENA_MAX, _ARENAS)
        library.malloc_trim(0)
