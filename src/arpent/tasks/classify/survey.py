"""A look at every picture: whether it opens, what its bytes are, and what it looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from arpent.core import Progress, file_sha256
from arpent.errors import InputError
from arpent.io import read_ahead, read_picture

__all__ = ["ALIKE", "Surveyed", "Unreadable", "alike", "look_of", "survey"]

ALIKE: Final = 4
"""Bits of 63 by which the looks of two pictures may differ that are near-duplicates."""

_SIDE, _KEPT = 32, 8
_FLAT = 4.0  # spread of grey below which a picture shows nothing that could be recognised
_THREADS = 2
_ROWS = 256


@dataclass(frozen=True)
class Surveyed:
    """A picture that opens.

    Attributes:
        name: its path inside the folder.
        sha256: of the file.
        look: its coarse shapes as 63 bits; None where there are none to speak of.
    """

    name: str
    sha256: str
    look: int | None


@dataclass(frozen=True)
class Unreadable:
    """A picture that does not open, and why."""

    name: str
    error: InputError


def survey(root: Path, names: Sequence[str], progress: Progress) -> tuple[list[Surveyed], list[Unreadable]]:
    """Opens all pictures; gives those that do, and those that do not."""
    good: list[Surveyed] = []
    bad: list[Unreadable] = []
    with progress.bar("pictures", len(names), "pictures") as bar:
        reading = read_ahead(lambda name: _seen(root, name), names, threads=_THREADS, ahead=4 * _THREADS)
        for found in reading:
            if isinstance(found, Surveyed):
                good.append(found)
            else:
                bad.append(found)
            bar.advance()
    return good, bad


def _seen(root: Path, name: str) -> Surveyed | Unreadable:
    path = root / name
    try:
        return Surveyed(name, file_sha256(path), look_of(read_picture(path, side=_SIDE)))
    except InputError as problem:
        return Unreadable(name, problem)


def look_of(picture: NDArray[np.uint8]) -> int | None:
    """The coarse shapes of a picture ``(H, W, 3)`` as 63 bits: which of its slow waves are above their median.

    They hardly change when a picture is made smaller, or written again as JPEG.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    if float(small.std()) < _FLAT:
        return None
    waves = np.asarray(cv2.dct(small))[:_KEPT, :_KEPT].ravel()[1:]
    bits = waves > np.median(waves)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def alike(pictures: Sequence[Surveyed], sides: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of pictures on different sides that look alike and are not the same file."""
    shown = [one for one in pictures if one.look is not None]
    looks = np.array([one.look for one in shown], np.uint64)
    found: list[tuple[str, str]] = []
    for start in range(0, len(shown), _ROWS):
        rows = looks[start : start + _ROWS, None]
        near = np.bitwise_count(rows ^ looks[None, :]) <= ALIKE
        for row, column in zip(*(places.tolist() for places in np.nonzero(near)), strict=True):
            one, other = shown[start + row], shown[column]
            if start + row < column and one.sha256 != other.sha256 and sides[one.name] != sides[other.name]:
                found.append((one.name, other.name))
    return found
