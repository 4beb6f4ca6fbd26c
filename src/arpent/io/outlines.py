"""Borders between patches, band by band, and their simplification without gaps or overlaps.

A border runs along pixel sides from one junction, where three patches or more meet, to the next. Two neighbours share
it, so whatever becomes of it, they still fit. Coordinates are whole: column and row of pixel corners.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Self

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Borders", "simplified", "traced"]

_EAST, _SOUTH = np.uint8(1), np.uint8(2)  # a pixel side leaves a corner in that direction …
_EAST_DONE, _SOUTH_DONE = np.uint8(4), np.uint8(8)  # … and has been walked along
_FROM_ABOVE = np.uint8(16)  # a side of the band above ends here
_ROW, _COLUMN = np.array([0, 1, 0, -1]), np.array([1, 0, -1, 0])  # steps by direction: east, south, west, north


@dataclass(frozen=True)
class Borders:
    """Borders of a band.

    Attributes:
        points: ``(n, 2)`` column and row of all points, border after border.
        starts: ``(borders + 1,)`` where each border begins in `points`.
        left: patch on the left hand of each border, walking along it; 0 is none.
        right: patch on its right hand.
        first: direction of its first pixel side: 0 east, 1 south, 2 west, 3 north.
        last: direction of its last one.
        loose: ``(borders, 2)`` whether its begin and its end are mere cuts between two bands, no junctions.
    """

    points: NDArray[np.int32]
    starts: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    first: NDArray[np.int8]
    last: NDArray[np.int8]
    loose: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.left)

    def moved(self, rows: int) -> Self:
        """The same borders, `rows` further down."""
        points = self.points + np.array([0, rows], np.int32)
        return type(self)(points, self.starts, self.left, self.right, self.first, self.last, self.loose)


@numba.njit(nogil=True, cache=True)
def _sides(labels, is_last, bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Marks the pixel sides between different patches, at the corner where each begins.

    `labels` ``(rows + 1, columns)`` begins with the last row of the band above. Sides on the upper edge of the band
    belong to it, those on its lower edge to the next band, unless it is the last one.
    """
    rows, columns = labels.shape[0] - 1, labels.shape[1]
    for y in range(rows + 1):
        for x in range(columns + 1):
            mark = np.uint8(0)
            if x < columns and (y < rows or is_last):
                below = labels[y + 1, x] if y < rows else 0
                if labels[y, x] != below:
                    mark |= _EAST
            if y < rows:
                west = labels[y + 1, x - 1] if x > 0 else 0
                east = labels[y + 1, x] if x < columns else 0
                if west != east:
                    mark |= _SOUTH
            if y == 0:
                west = labels[0, x - 1] if x > 0 else 0
                east = labels[0, x] if x < columns else 0
                if west != east:
                    mark |= _FROM_ABOVE
            bits[y, x] = mark


@numba.njit(nogil=True, cache=True, inline="always")
def _arms(bits, y, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The sides at a corner, bit by direction: 1 east, 2 south, 4 west, 8 north, 16 north in the band above."""
    arms = np.uint8(bits[y, x] & (_EAST | _SOUTH | _FROM_ABOVE))
    if x > 0 and bits[y, x - 1] & _EAST:
        arms |= np.uint8(4)
    if y > 0 and bits[y - 1, x] & _SOUTH:
        arms |= np.uint8(8)
    return arms


@numba.njit(nogil=True, cache=True, inline="always")
def _degree(arms):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return (arms & 1) + (arms >> 1 & 1) + (arms >> 2 & 1) + (arms >> 3 & 1) + (arms >> 4 & 1)


@numba.njit(nogil=True, cache=True, inline="always")
def _is_junction(arms, y, rows, is_last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether borders end at a corner: where not two sides meet, and where a side crosses the edge of the band."""
    if arms & 16 or (y == rows and not is_last and arms & 8):
        return True
    degree = _degree(arms)
    return degree != 0 and degree != 2


@numba.njit(nogil=True, cache=True)
def _count(bits, is_last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """At most so many borders, and so many points."""
    rows, columns = bits.shape[0] - 1, bits.shape[1] - 1
    borders, points = 0, 0
    for y in range(rows + 1):
        for x in range(columns + 1):
            arms = _arms(bits, y, x)
            if arms == 0:
                continue
            if _is_junction(arms, y, rows, is_last):
                ends = _degree(arms & np.uint8(15))
                borders += ends
                points += ends
            elif arms != 5 and arms != 10:
                points += 1
                if arms == 3:  # the upper left corner of something: a closed border has one
                    borders += 1
                    points += 1
    return borders, points


@numba.njit(nogil=True, cache=True, inline="always")
def _take(bits, y, x, direction):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Marks the side that leaves a corner in a direction; says whether it was there and not yet walked along."""
    if direction == 2:
        x -= 1
    elif direction == 3:
        y -= 1
    if y < 0 or x < 0:
        return False
    side, done = (_EAST, _EAST_DONE) if direction % 2 == 0 else (_SOUTH, _SOUTH_DONE)
    if not bits[y, x] & side or bits[y, x] & done:
        return False
    bits[y, x] |= done
    return True


@numba.njit(nogil=True, cache=True, inline="always")
def _pixel(labels, y, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The patch of a pixel of the band; row -1 is the last of the band above, and outside is none."""
    if x < 0 or x >= labels.shape[1] or y + 1 >= labels.shape[0]:
        return np.int32(0)
    return labels[y + 1, x]


@numba.njit(nogil=True, cache=True)
def _walk(bits, labels, is_last, border, at, direction, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Follows a border from the corner `out` has last, until a junction or its own begin; gives the next free point."""
    points, left, right, first, last, loose = out
    rows = bits.shape[0] - 1
    x, y = points[at - 1, 0], points[at - 1, 1]
    begin_x, begin_y = x, y
    # The pixels beside the first side, by direction.
    above_left, below_left = _pixel(labels, y - 1, x - 1), _pixel(labels, y, x - 1)
    above_right, below_right = _pixel(labels, y - 1, x), _pixel(labels, y, x)
    if direction == 0:
        left[border], right[border] = above_right, below_right
    elif direction == 1:
        left[border], right[border] = below_right, below_left
    elif direction == 2:
        left[border], right[border] = below_left, above_left
    else:
        left[border], right[border] = above_left, above_right
    first[border] = direction
    arms = _arms(bits, y, x)
    loose[border, 0] = bool(arms & 16) and _degree(arms) == 2
    while True:
        x += _COLUMN[direction]
        y += _ROW[direction]
        arms = _arms(bits, y, x)
        if _is_junction(arms, y, rows, is_last) or (x == begin_x and y == begin_y):
            break
        onward = direction
        for turn in range(4):
            if arms >> turn & 1 and turn != (direction + 2) % 4:
                onward = turn
        if onward != direction:
            points[at, 0], points[at, 1] = x, y
            at += 1
        direction = onward
        _take(bits, y, x, direction)
    points[at, 0], points[at, 1] = x, y
    last[border] = direction
    loose[border, 1] = bool(arms & 16) and _degree(arms) == 2
    return at + 1


@numba.njit(nogil=True, cache=True)
def _trace(bits, labels, is_last, starts, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Walks all borders: first those between junctions, then the closed ones; gives their count."""
    rows, columns = bits.shape[0] - 1, bits.shape[1] - 1
    border, at = 0, 0
    for closed in (False, True):
        for y in range(rows + 1):
            for x in range(columns + 1):
                arms = _arms(bits, y, x)
                if arms == 0 or _is_junction(arms, y, rows, is_last) == closed:
                    continue
                for direction in range(1 if closed else 4):
                    if not _take(bits, y, x, direction):
                        continue
                    starts[border] = at
                    out[0][at, 0], out[0][at, 1] = x, y
                    at = _walk(bits, labels, is_last, border, at + 1, direction, out)
                    border += 1
    starts[border] = at
    return border


def traced(labels: NDArray[np.int32], *, is_last: bool) -> Borders:
    """The borders between the patches of a band.

    Args:
        labels: ``(rows + 1, columns)`` patches, 0 for none; row 0 is the last of the band above, zeros for the first.
        is_last: whether the map ends below this band.
    """
    bits = np.empty((labels.shape[0], labels.shape[1] + 1), np.uint8)
    _sides(labels, is_last, bits)
    borders, points = _count(bits, is_last)
    out = (
        np.empty((points, 2), np.int32),
        np.empty(borders, np.int32),
        np.empty(borders, np.int32),
        np.empty(borders, np.int8),
        np.empty(borders, np.int8),
        np.empty((borders, 2), np.bool_),
    )
    starts = np.empty(borders + 1, np.int64)
    found = _trace(bits, labels, is_last, starts, out)
    left, right, first, last, loose = (column[:found] for column in out[1:])
    return Borders(out[0][: starts[found]], starts[: found + 1], left, right, first, last, loose)


@numba.njit(nogil=True, cache=True, inline="always")
def _double_area(points, u, v, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    ux, uy = np.int64(points[u, 0]), np.int64(points[u, 1])
    return abs((points[v, 0] - ux) * (points[w, 1] - uy) - (points[w, 0] - ux) * (points[v, 1] - uy))


@numba.njit(nogil=True, cache=True)
def _is_near(points, u, w, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether all points between two are within a distance, given squared, of the line that would replace them."""
    ux, uy = float(points[u, 0]), float(points[u, 1])
    dx, dy = points[w, 0] - ux, points[w, 1] - uy
    length = dx * dx + dy * dy
    for i in range(u + 1, w):
        px, py = points[i, 0] - ux, points[i, 1] - uy
        along = 0.0 if length == 0 else min(1.0, max(0.0, (px * dx + py * dy) / length))
        ex, ey = px - along * dx, py - along * dy
        if ex * ex + ey * ey > limit:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _is_free(taken, points, u, v, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether no point of any border but these three lies in or on the triangle u, v, w."""
    xs = (np.int64(points[u, 0]), np.int64(points[v, 0]), np.int64(points[w, 0]))
    ys = (np.int64(points[u, 1]), np.int64(points[v, 1]), np.int64(points[w, 1]))
    for y in range(min(ys), max(ys) + 1):
        low, high = np.int64(1 << 40), np.int64(-(1 << 40))
        for i in range(3):
            j = (i + 1) % 3
            x1, y1, x2, y2 = xs[i], ys[i], xs[j], ys[j]
            if y < min(y1, y2) or y > max(y1, y2):
                continue
            if y1 == y2:
                low, high = min(low, x1, x2), max(high, x1, x2)
            else:
                rise, run = y2 - y1, (y - y1) * (x2 - x1)
                if rise < 0:
                    rise, run = -rise, -run
                high = max(high, x1 + run // rise)
                low = min(low, x1 - (-run // rise))
        for x in range(low, high + 1):
            if taken[y, x] and not (
                (x == xs[0] and y == ys[0]) or (x == xs[1] and y == ys[1]) or (x == xs[2] and y == ys[2])
            ):
                return False
    return True


@numba.njit(nogil=True, cache=True)
def _thin(points, begin, end, least, limit, obstacles, chain):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Drops points of one border, smallest triangle first, as long as `least` inner ones stay.

    `obstacles` are the corners taken by points, and which points must stay; `chain` is the point before and after each
    point, and whether it is kept.
    """
    taken, fixed = obstacles
    before, after, kept = chain
    left = end - begin - 2
    queue = [(np.int64(0), np.int64(0), np.int64(0))]
    queue.pop()
    for i in range(begin, end):
        before[i], after[i], kept[i] = i - 1, i + 1, True
    for i in range(begin + 1, end - 1):
        entry = (_double_area(points, i - 1, i, i + 1), np.int64(2), np.int64(i))
        queue.append(entry)
    heapq.heapify(queue)
    while len(queue) > 0 and left > least:
        area, span, v = heapq.heappop(queue)
        u, w = before[v], after[v]
        if not kept[v] or w - u != span or _double_area(points, u, v, w) != area:
            continue
        if fixed[v] or not _is_near(points, u, w, limit) or not _is_free(taken, points, u, v, w):
            continue
        kept[v] = False
        taken[points[v, 1], points[v, 0]] = 0
        after[u], before[w] = w, u
        left -= 1
        # Among equal triangles the shortest stretch goes first, which keeps the work on long straight lines small.
        if u > begin:
            heapq.heappush(queue, (_double_area(points, before[u], u, w), np.int64(w - before[u]), np.int64(u)))
        if w < end - 1:
            heapq.heappush(queue, (_double_area(points, u, w, after[w]), np.int64(after[w] - u), np.int64(w)))
    return left


@numba.njit(nogil=True, cache=True)
def _thin_all(points, starts, limit, taken, fixed, bottom, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Drops points of all borders; `bottom` is the row of the band's lower edge, -1 for the last band."""
    before, after = np.empty(points.shape[0], np.int64), np.empty(points.shape[0], np.int64)
    for i in range(points.shape[0]):
        taken[points[i, 1], points[i, 0]] = 1
        kept[i] = True
    straight = {(0, 0, 0, 0)}
    for border in range(starts.size - 1):
        begin, end = starts[border], starts[border + 1]
        if end - begin == 2:
            straight.add((points[begin, 0], points[begin, 1], points[end - 1, 0], points[end - 1, 1]))
    for border in range(starts.size - 1):
        begin, end = starts[border], starts[border + 1]
        if end - begin == 2:
            continue
        x1, y1, x2, y2 = points[begin, 0], points[begin, 1], points[end - 1, 0], points[end - 1, 1]
        least = 0
        if x1 == x2 and y1 == y2:
            least = 3  # a ring keeps four corners, so that small patches do not become triangles
        elif y1 == bottom and y2 == bottom:
            least = 1  # nothing new on the lower edge: the band below decides what lies there
        elif (x1, y1, x2, y2) in straight or (x2, y2, x1, y1) in straight:
            least = 1  # two borders must not become the same line
        if _thin(points, begin, end, least, limit, (taken, fixed), (before, after, kept)) == 0:
            straight.add((x1, y1, x2, y2))


def simplified(borders: Borders, tolerance: float, shape: tuple[int, int], *, is_first: bool, is_last: bool) -> Borders:
    """The borders of a band with fewer points: none moves by more than `tolerance` pixels, none touches another.

    A point may go when no other point lies in the triangle that it makes with its neighbours: then no border can cross
    the new line. Junctions stay.

    Args:
        borders: of a band, counted from its upper edge.
        tolerance: in pixels; 0 only drops points on straight lines.
        shape: rows and columns of the band.
        is_first: whether the map begins with this band.
        is_last: whether the map ends below this band.
    """
    rows, columns = shape
    kept = np.empty(len(borders.points), np.bool_)
    taken = np.zeros((rows + 1, columns + 1), np.uint8)
    # The map keeps its four corners.
    at_corner = np.isin(borders.points[:, 0], (0, columns)) & np.isin(
        borders.points[:, 1], ([0] if is_first else []) + ([rows] if is_last else [])
    )
    _thin_all(borders.points, borders.starts, tolerance**2, taken, at_corner, -1 if is_last else rows, kept)
    before = np.concatenate([[0], np.cumsum(kept)])
    return Borders(
        borders.points[kept],
        before[borders.starts],
        borders.left,
        borders.right,
        borders.first,
        borders.last,
        borders.loose,
    )
