"""Names in tables and the pictures that they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

__all__ = ["NamedPictures"]


class NamedPictures:
    """Pictures of a folder by what tables call them: path, file name, or that without its suffix.

    A file name that several folders have means none of them.

    Args:
        paths: inside the folder, with slashes.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        known = tuple(paths)
        self._paths = frozenset(known)
        self._by_file = _single((PurePosixPath(path).name, path) for path in known)
        self._by_stem = _single((PurePosixPath(path).stem, path) for path in known)

    def find(self, name: str) -> str | None:
        """The path of the picture that a name means, if there is one."""
        plain = name.strip().replace("\\", "/").removeprefix("./")
        if plain in self._paths:
            return plain
        pure = PurePosixPath(plain)
        # A table may name scans (12.tif) where the folder holds their copies (12.jpg).
        return self._by_file.get(pure.name) or self._by_stem.get(pure.stem) or self._by_stem.get(pure.name)


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    listed = list(pairs)
    counts = Counter(name for name, _ in listed)
    return {name: path for name, path in listed if counts[name] == 1}
