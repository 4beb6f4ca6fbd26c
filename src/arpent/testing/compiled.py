"""How the simulator's inner loops are compiled, and why their cache cannot lie."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

__all__ = ["compiled", "entry"]

# IEEE arithmetic in the order written, no fused shortcuts: a pixel must not depend on where its window begins.
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}

# Without the wrappers that let Python or C call the function, which take as long to compile as it does.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_Small = TypeVar("_Small", bound=Callable[..., Any])


def compiled(function: _Small) -> _Small:
    """Compiles a small function for other compiled functions to call; Python itself cannot call it any more."""
    made: Any = numba.njit(**_INNER)(function)
    resolve = made.get_call_template
    plain: Any = numba.types.unliteral

    def forget_constants(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:  # noqa: ANN401
        # Numba compiles a function anew for each constant that it is called with: 46 times for `swell`.
        return resolve(tuple(plain(arg) for arg in args), kws)

    made.get_call_template = forget_constants
    return made  # type: ignore[no-any-return]


@cache
def _stamp() -> int:
    """A checksum over the source of this room."""
    folder = Path(__file__).parent
    checksum = 0
    for path in sorted(folder.glob("*.py")):
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum


def entry(build: Callable[[int], Callable[..., None]]) -> Callable[..., None]:
    """Compiles a loop that Python calls, and keeps its machine code on disk.

    Numba renews a kept loop only when the loop's own file changes, not when the functions that it calls do. It does
    look at the values that the loop closes over; `build` gets a checksum of the whole room to close over.
    """
    loop = build(_stamp())
    try:
        return numba.njit(cache=True, **_OPTIONS)(loop)  # type: ignore[no-any-return]
    except RuntimeError:  # numba finds no folder it may write to: compile anew in each process
        return numba.njit(**_OPTIONS)(loop)  # type: ignore[no-any-return]
