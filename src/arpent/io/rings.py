"""Borders put together again: rings, and polygons with their holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from arpent.io.outlines import Borders

__all__ = ["Halves", "PixelPolygons", "halves_of", "polygons_of"]


@dataclass(frozen=True)
class Halves:
    """Borders seen from one of their patches each, which lies on the left hand.

    Attributes:
        owner: the patch of each.
        points, starts: as in `Borders`.
        first, last: directions of the first and the last pixel side.
        loose: whether begin and end are mere cuts between bands.
    """

    owner: NDArray[np.int32]
    points: NDArray[np.int32]
    starts: NDArray[np.int64]
    first: NDArray[np.int8]
    last: NDArray[np.int8]
    loose: NDArray[np.bool_]

    @staticmethod
    def joined(parts: list[Halves]) -> Halves:
        """All of several parts."""
        shifts = np.cumsum([0, *(len(part.points) for part in parts[:-1])])
        starts = [part.starts[:-1] + shift for part, shift in zip(parts, shifts, strict=True)]
        total = sum(len(part.points) for part in parts)
        return Halves(
            np.concatenate([part.owner for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([*starts, [total]]).astype(np.int64),
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.last for part in parts]),
            np.concatenate([part.loose for part in parts]),
        )


@numba.njit(nogil=True, cache=True)
def _copy(points, starts, chosen, turned, target, target_starts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copies borders one after the other, some of them backwards."""
    for i in range(chosen.size):
        begin, end = starts[chosen[i]], starts[chosen[i] + 1]
        at = target_starts[i]
        for k in range(end - begin):
            source = end - 1 - k if turned[i] else begin + k
            target[at + k, 0], target[at + k, 1] = points[source, 0], points[source, 1]


def halves_of(borders: Borders, closing: NDArray[np.int64]) -> dict[int, Halves]:
    """The borders of a band for both their patches, by the band in which that patch is complete.

    Args:
        borders: in rows of the whole map.
        closing: for each patch, the number of the band that brings its last border.
    """
    number = np.arange(len(borders))
    owner = np.concatenate([borders.left, borders.right])
    border = np.concatenate([number, number])
    turned = np.repeat([False, True], len(borders))
    mine = owner > 0
    owner, border, turned = owner[mine], border[mine], turned[mine]
    bands = closing[owner]
    found = {}
    for band in np.unique(bands):
        here = bands == band
        found[int(band)] = _extracted(borders, owner[here], border[here], turned[here])
    return found


def _extracted(
    borders: Borders, owner: NDArray[np.int32], border: NDArray[np.int64], turned: NDArray[np.bool_]
) -> Halves:
    starts = np.concatenate([[0], np.cumsum(np.diff(borders.starts)[border])])
    points = np.empty((starts[-1], 2), np.int32)
    _copy(borders.points, borders.starts, border, turned, points, starts)
    first, last, loose = borders.first[border], borders.last[border], borders.loose[border]
    return Halves(
        owner,
        points,
        starts,
        np.where(turned, (last + 2) % 4, first).astype(np.int8),
        np.where(turned, (first + 2) % 4, last).astype(np.int8),
        np.where(turned[:, None], loose[:, ::-1], loose),
    )


@numba.njit(nogil=True, cache=True)
def _followers(order, owner, begins, ends, first, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Which border continues each one around its patch. `order` sorts them by owner and begin.

    Where a patch touches itself at a corner, two borders go on: turning right, away from the patch, makes the ring
    end there instead of touching itself.
    """
    follower = np.empty(owner.size, np.int64)
    for i in range(owner.size):
        low, high = 0, owner.size
        while low < high:
            middle = (low + high) // 2
            j = order[middle]
            before = owner[j] < owner[i] or (owner[j] == owner[i] and begins[j] < ends[i])
            if before:
                low = middle + 1
            else:
                high = middle
        follower[i] = order[low]
        if low + 1 < owner.size:
            j = order[low + 1]
            if owner[j] == owner[i] and begins[j] == ends[i] and first[j] == (last[i] + 1) % 4:
                follower[i] = j
    return follower


@numba.njit(nogil=True, cache=True, inline="always")
def _is_straight(target, before, at, after):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    x, y = np.int64(target[before, 0]), np.int64(target[before, 1])
    return (target[at, 0] - x) * (target[after, 1] - y) == (target[after, 0] - x) * (target[at, 1] - y)


@numba.njit(nogil=True, cache=True)
def _without_cuts(target, is_cut, ring, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Drops the points of a ring that only the edge of a band put on a straight line; gives its new end."""
    at = ring
    for p in range(ring, end):
        before = at - 1 if at > ring else end - 1
        after = p + 1 if p + 1 < end else ring
        if is_cut[p] and _is_straight(target, before, p, after):
            continue
        target[at, 0], target[at, 1] = target[p, 0], target[p, 1]
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _link(order, follower, points, starts, loose, target, rings):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins borders to closed rings in `target`, which begin at `rings`; gives the first border of each."""
    used = np.zeros(follower.size, np.bool_)
    heads = np.empty(follower.size, np.int64)
    is_cut = np.zeros(target.shape[0], np.bool_)
    count, at = 0, 0
    for head in order:
        if used[head]:
            continue
        heads[count], rings[count] = head, at
        ring, i = at, head
        arrived_loose = False
        while not used[i]:
            used[i] = True
            is_cut[at] = arrived_loose or loose[i, 0]
            # The last point of a border is the first of the one that follows it.
            for p in range(starts[i], starts[i + 1] - 1):
                target[at, 0], target[at, 1] = points[p, 0], points[p, 1]
                at += 1
                is_cut[at] = False
            arrived_loose = loose[i, 1]
            i = follower[i]
        is_cut[ring] = is_cut[ring] or arrived_loose
        at = _without_cuts(target, is_cut, ring, at)
        target[at, 0], target[at, 1] = target[ring, 0], target[ring, 1]
        at += 1
        count += 1
    rings[count] = at
    return heads[:count]


@numba.njit(nogil=True, cache=True)
def _double_areas(points, rings):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Twice the signed area of each ring; negative for outlines, positive for holes, rows growing downwards."""
    areas = np.zeros(rings.size - 1, np.int64)
    for ring in range(rings.size - 1):
        for p in range(rings[ring], rings[ring + 1] - 1):
            areas[ring] += np.int64(points[p, 0]) * points[p + 1, 1] - np.int64(points[p + 1, 0]) * points[p, 1]
    return areas


@dataclass(frozen=True)
class PixelPolygons:
    """Polygons in pixel coordinates, in the order of their patches.

    Attributes:
        patches: the patch of each polygon.
        polygons: ``(n,)`` shapely polygons of (column, row).
    """

    patches: NDArray[np.int32]
    polygons: NDArray[Any]


def polygons_of(halves: Halves) -> PixelPolygons:
    """The polygons of patches all of whose borders are in `halves`."""
    wide = np.int64(1) << 32
    begins = halves.points[halves.starts[:-1], 1] * wide + halves.points[halves.starts[:-1], 0]
    ends = halves.points[halves.starts[1:] - 1, 1] * wide + halves.points[halves.starts[1:] - 1, 0]
    order = np.lexsort((halves.first, begins, halves.owner))
    follower = _followers(order, halves.owner, begins, ends, halves.first, halves.last)
    target = np.empty((len(halves.points) + len(order) + 1, 2), np.int32)
    rings = np.empty(len(order) + 1, np.int64)
    heads = _link(order, follower, halves.points, halves.starts, halves.loose, target, rings)
    rings = rings[: len(heads) + 1]
    owner, areas = halves.owner[heads], _double_areas(target, rings)
    # Outline first, then the holes as they were met; each patch has exactly one outline.
    sorted_rings = np.lexsort((areas > 0, owner))
    lengths = np.diff(rings)[sorted_rings]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    points = np.empty((starts[-1], 2), np.int32)
    _copy(target, rings, sorted_rings, np.zeros(len(heads), np.bool_), points, starts)
    patches, first_ring = np.unique(owner[sorted_rings], return_index=True)
    offsets = (starts, np.concatenate([first_ring, [len(heads)]]))
    polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points.astype(np.float64), offsets)
    return PixelPolygons(patches, polygons)
