"""Names in tables and the pictures that they mean."""

from __future__ import annotations

import unicodedata
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
        known = {_composed(path): path for path in paths}
        self._by_path = known
        self._by_file = _single((PurePosixPath(plain).name, path) for plain, path in known.items())
        self._by_stem = _single((PurePosixPath(plain).stem, path) for plain, path in known.items())

    def find(self, name: str) -> str | None:
        """The path of the picture that a name means, if there is one."""
        plain = _composed(name.strip().replace("\\", "/").removeprefix("./"))
        if plain in self._by_path:
            return self._by_path[plain]
        pure = PurePosixPath(plain)
        # A table may name scans (12.tif) where the folder holds their copies (12.jpg).
        return self._by_file.get(pure.name) or self._by_stem.get(pure.stem) or self._by_stem.get(pure.name)


def _composed(name: str) -> str:
    """A name with each accent in its letter: some systems keep them apart."""
    return unicodedata.normalize("NFC", name)


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    listed = list(pairs)
    counts = Counter(name for name, _ in listed)
    return {name: path for name, path in listed if counts[name] == 1}
