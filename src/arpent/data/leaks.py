"""The check that no ground and no file is on two sides of a split."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import shapely

from arpent.core import Window, file_sha256
from arpent.data.footprints import Footprint, footprints
from arpent.data.index import SampleIndex
from arpent.data.sample import Sample, Split
from arpent.data.split import shares_ground
from arpent.errors import SplitLeak

__all__ = ["Leak", "check_leak", "find_leaks"]

_SHOWN = 5
_GLANCE = 1 << 16  # bytes at the start of a file that are compared before all of it
_FAR = 1e9  # pixels; no image is as large


@dataclass(frozen=True, slots=True)
class Leak:
    """Two samples on different sides that are the same file or share ground."""

    first: str
    first_side: Split
    second: str
    second_side: Split
    reason: Literal["the same file", "the same content", "the same ground"]

    def __str__(self) -> str:
        return f"{self.first} ({self.first_side}) and {self.second} ({self.second_side}): {self.reason}"


@dataclass(frozen=True)
class _Placed:
    sample: Sample
    side: Split
    footprint: Footprint


def check_leak(train: SampleIndex, val: SampleIndex, test: SampleIndex | None = None) -> None:
    """Raises `SplitLeak` with the pairs of samples that are on two sides of a split at once."""
    sides: dict[Split, SampleIndex] = {"train": train, "val": val}
    if test is not None:
        sides["test"] = test
    leaks = find_leaks(sides)
    if leaks:
        more = len(leaks) - _SHOWN
        raise SplitLeak(
            f"{len(leaks)} pair{'s' if len(leaks) > 1 else ''} of samples leak between the sides of the split",
            found="; ".join(map(str, leaks[:_SHOWN])) + (f"; and {more} more" if more > 0 else ""),
            cure="Split by domain or by block, which keep sides apart, or remove these samples.",
        )


def find_leaks(sides: Mapping[Split, SampleIndex]) -> tuple[Leak, ...]:
    """Every pair of samples on different sides that are the same file, have the same content, or share ground.

    Windows of one file leak only where they overlap. Each pair is named once, for the first of these reasons.
    """
    placed = [
        _Placed(sample, side, footprint)
        for side, index in sides.items()
        for sample, footprint in zip(index, footprints(index), strict=True)
    ]
    found: dict[tuple[int, int], Leak] = {}
    for reason, pairs in (
        ("the same file", _same_path(placed)),
        ("the same content", _same_content(placed)),
        ("the same ground", _same_ground(placed)),
    ):
        for first, second in sorted(pairs):
            a, b = placed[first], placed[second]
            if a.side != b.side and (first, second) not in found:
                found[first, second] = Leak(a.sample.name, a.side, b.sample.name, b.side, reason)  # type: ignore[arg-type]  # one of the three
    return tuple(found.values())


def _pairs(groups: Iterable[list[int]], placed: list[_Placed]) -> set[tuple[int, int]]:
    """Pairs within groups of samples that show the same picture, on different sides and with pixels in common."""
    found = set()
    for group in groups:
        # An image cut into blocks is thousands of windows: those that meet are looked up, not every pair.
        boxes = np.array([_box(placed[number].sample.window) for number in group], object)
        for i, j in zip(*shapely.STRtree(boxes).query(boxes).tolist(), strict=True):
            first, second = group[i], group[j]
            if first < second and placed[first].side != placed[second].side:
                found.add((first, second))
    return found


def _box(window: Window | None) -> shapely.Geometry:
    """The middles of a window's pixels, which no window beside it shares; of no window, all there may be."""
    if window is None:
        return shapely.box(-_FAR, -_FAR, _FAR, _FAR)
    return shapely.box(window.col + 0.5, window.row + 0.5, window.col_end - 0.5, window.row_end - 0.5)


def _same_path(placed: list[_Placed]) -> set[tuple[int, int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(placed):
        path = entry.sample.image
        groups[path if "://" in path else str(Path(path).resolve())].append(number)
    return _pairs(groups.values(), placed)


def _same_content(placed: list[_Placed]) -> set[tuple[int, int]]:
    """Different local files with equal bytes. Only files of equal size and beginning are read whole."""
    numbers: dict[Path, list[int]] = defaultdict(list)
    for number, entry in enumerate(placed):
        path = Path(entry.sample.image)
        if "://" not in entry.sample.image and path.is_file():
            numbers[path.resolve()].append(number)
    alike: dict[tuple[int, bytes], list[Path]] = defaultdict(list)
    for path in numbers:
        with path.open("rb") as stream:
            beginning = hashlib.sha256(stream.read(_GLANCE)).digest()
        alike[path.stat().st_size, beginning].append(path)
    groups: dict[str, list[int]] = defaultdict(list)
    for paths in alike.values():
        if len({placed[number].side for path in paths for number in numbers[path]}) > 1:
            for path in paths:
                groups[file_sha256(path)] += numbers[path]
    return _pairs((sorted(group) for group in groups.values()), placed)


def _same_ground(placed: list[_Placed]) -> set[tuple[int, int]]:
    known = [number for number, entry in enumerate(placed) if entry.footprint.ground is not None]
    if not known:
        return set()
    grounds = np.array([placed[number].footprint.ground for number in known], object)
    left, right = shapely.STRtree(grounds).query(grounds, predicate="intersects")
    return {
        (known[i], known[j])
        for i, j in zip(left.tolist(), right.tolist(), strict=True)
        if known[i] < known[j]
        and placed[known[i]].side != placed[known[j]].side
        and shares_ground(grounds[i], grounds[j])
    }
