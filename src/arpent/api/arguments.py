"""What callers give as images and models: paths, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath

from arpent.errors import InvalidSetting

__all__ = ["path_of", "paths_of"]


def path_of(given: object, name: str, where: str) -> str:
    """The path or address that was given.

    Args:
        given: by the caller.
        name: of the argument.
        where: the function ("ap.change").

    Raises:
        InvalidSetting: it is no path.
    """
    if isinstance(given, str | PathLike) and isinstance(path := fspath(given), str):
        return path
    raise _no_path(given, name, where, "a path or an address")


def paths_of(given: object, name: str, where: str) -> list[str]:
    """The paths or addresses that were given: one, or several.

    Args:
        given: by the caller.
        name: of the argument.
        where: the function ("ap.change").

    Raises:
        InvalidSetting: it, or one of them, is no path.
    """
    if isinstance(given, str | PathLike):
        return [path_of(given, name, where)]
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise _no_path(given, name, where, "a path or an address, or several of them")
    return [path_of(one, name, where) for one in given]


def _no_path(given: object, name: str, where: str, expected: str) -> InvalidSetting:
    return InvalidSetting(
        f"{where}: '{name}' cannot be used",
        found="None" if given is None else f"a value of type {type(given).__name__}",
        expected=expected,
        cure=f"Give '{name}' as text or a pathlib.Path.",
    )
