"""Patches of a class map: pixels of one class that touch along their sides, found band by band in one pass.

The compiled loops see one band of rows at a time; what they know of the whole map is a table with one line per patch.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["PatchTable", "Patches"]

_FIRST_ROOM = 1024  # lines of a new table; it doubles when full


@numba.njit(nogil=True, cache=True)
def _root(parent, label):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@numba.njit(nogil=True, cache=True)
def _unite(parent, one, other):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins two sets under the smaller of their roots, so that a root is the patch's first pixel in reading order."""
    one, other = _root(parent, one), _root(parent, other)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


@numba.njit(nogil=True, cache=True)
def _label(values, valid, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Numbers the patches of a band ``(rows, columns)`` from 1 in reading order; gives their count. 0 is no patch.

    `valid` says for each of the 256 values whether it is a class.
    """
    rows, columns = values.shape
    parent = np.empty(rows * columns // 2 + 2, np.int32)
    parent[0] = 0
    count = 0
    for y in range(rows):
        for x in range(columns):
            value = values[y, x]
            if not valid[value]:
                labels[y, x] = 0
                continue
            left = x > 0 and values[y, x - 1] == value
            above = y > 0 and values[y - 1, x] == value
            if left:
                labels[y, x] = labels[y, x - 1]
                if above and labels[y - 1, x] != labels[y, x]:
                    _unite(parent, labels[y, x], labels[y - 1, x])
            elif above:
                labels[y, x] = labels[y - 1, x]
            else:
                count += 1
                if count == parent.size:
                    grown = np.empty(parent.size * 2, np.int32)
                    grown[:count] = parent
                    parent = grown
                parent[count] = count
                labels[y, x] = count
    number = np.zeros(count + 1, np.int32)
    found = 0
    for label in range(1, count + 1):
        if parent[label] == label:
            found += 1
            number[label] = found
    for y in range(rows):
        for x in range(columns):
            if labels[y, x]:
                labels[y, x] = number[_root(parent, labels[y, x])]
    return found


@numba.njit(nogil=True, cache=True)
def _measure(values, labels, pixel_areas, classes, areas, bottoms):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Class, area and last row of each label of a band; `pixel_areas` holds the area of a pixel of each row."""
    rows, columns = values.shape
    for y in range(rows):
        for x in range(columns):
            label = labels[y, x]
            if label:
                classes[label] = values[y, x]
                areas[label] += pixel_areas[y]
                bottoms[label] = y


@numba.njit(nogil=True, cache=True)
def _stitch(parent, classes, above, below):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins the patches that continue from the last row of one band to the first row of the next."""
    for x in range(above.size):
        if above[x] and below[x] and classes[above[x]] == classes[below[x]]:
            _unite(parent, above[x], below[x])


@numba.njit(nogil=True, cache=True)
def _contacts(labels, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Pairs of labels that share a side, in the upper and lower half of 64 bits, most of the repetitions left out."""
    rows, columns = labels.shape
    count = 0
    last_down = np.int64(0)
    for y in range(rows):
        for x in range(columns):
            here = labels[y, x]
            if here == 0:
                continue
            if x + 1 < columns:
                other = labels[y, x + 1]
                if other and other != here:
                    pairs[count] = (np.int64(min(here, other)) << 32) | np.int64(max(here, other))
                    count += 1
            if y + 1 < rows:
                other = labels[y + 1, x]
                if other and other != here:
                    pair = (np.int64(min(here, other)) << 32) | np.int64(max(here, other))
                    if pair != last_down:
                        pairs[count] = pair
                        count += 1
                        last_down = pair
    return count


@numba.njit(nogil=True, cache=True)
def _roots(parent, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for label in range(size):
        parent[label] = _root(parent, label)


@numba.njit(nogil=True, cache=True)
def _links(size, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Neighbours of each patch as linked lists, which are joined by one assignment.

    Gives the first link of each patch, its last one, the link after each link, and the patch that a link leads to.
    """
    head, tail = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    following, target = np.full(2 * pairs.size, -1, np.int64), np.empty(2 * pairs.size, np.int32)
    for i in range(pairs.size):
        one, other = np.int32(pairs[i] >> 32), np.int32(pairs[i] & 0xFFFFFFFF)
        for link, here, there in ((2 * i, one, other), (2 * i + 1, other, one)):
            target[link] = there
            following[link] = head[here]
            if head[here] < 0:
                tail[here] = link
            head[here] = link
    return head, tail, following, target


@numba.njit(nogil=True, cache=True)
def _largest_neighbour(patch, parent, areas, links):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The neighbour with the largest area, the first in reading order on a tie; -1 if there is none."""
    head, _, following, target = links
    best, link = -1, head[patch]
    while link >= 0:
        near = _root(parent, target[link])
        larger = best < 0 or areas[near] > areas[best] or (areas[near] == areas[best] and near < best)
        if near != patch and larger:
            best = near
        link = following[link]
    return best


@numba.njit(nogil=True, cache=True)
def _absorb(one, other, parent, areas, links):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Makes two patches one, with the area and the neighbours of both; gives the number it has then."""
    head, tail, following, _ = links
    one, other = _root(parent, one), _root(parent, other)
    if one == other:
        return one
    first, second = min(one, other), max(one, other)
    parent[second] = first
    areas[first] += areas[second]
    if head[first] < 0:
        head[first], tail[first] = head[second], tail[second]
    elif head[second] >= 0:
        following[tail[first]] = head[second]
        tail[first] = tail[second]
    return first


@numba.njit(nogil=True, cache=True)
def _sieve(parent, classes, areas, pairs, smallest):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Merges patches below an area into their largest neighbour, the smallest patch first.

    Ties go to the patch that comes first in reading order. A patch takes the class of the neighbour it joins, and
    thereby joins all its neighbours of that class. A patch without neighbours stays.
    """
    links = _links(parent.size, pairs)
    head, _, following, target = links
    queue = [(np.int64(0), 0)]
    queue.pop()
    for label in range(1, parent.size):
        if parent[label] == label and areas[label] < smallest:
            entry = (areas[label], label)
            queue.append(entry)
    heapq.heapify(queue)
    joining = np.empty(parent.size, np.int32)
    while len(queue) > 0:
        area, patch = heapq.heappop(queue)
        if parent[patch] != patch or areas[patch] != area:
            continue
        best = _largest_neighbour(patch, parent, areas, links)
        if best < 0:
            continue
        colour = classes[best]
        # Joining changes the lists: who joins is found out first.
        count, link = 0, head[patch]
        while link >= 0:
            near = _root(parent, target[link])
            if near != patch and classes[near] == colour:
                joining[count] = near
                count += 1
            link = following[link]
        root = patch
        for i in range(count):
            root = _absorb(root, joining[i], parent, areas, links)
        classes[root] = colour
        if areas[root] < smallest:
            heapq.heappush(queue, (areas[root], root))


@dataclass(frozen=True)
class PatchTable:
    """All patches of a map.

    Attributes:
        patch_of: patch of each provisional label; entry 0 is 0, which is no patch.
        classes: class of each patch, by its number; numbers are in reading order of the first pixels.
        bottoms: last row of each patch.
        areas: of each patch, in the units that the bands were given with.
    """

    patch_of: NDArray[np.int32]
    classes: NDArray[np.uint8]
    bottoms: NDArray[np.int64]
    areas: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes) - 1


class Patches:
    """Finds the patches of a map that comes band by band, from top to bottom.

    It holds some forty bytes per patch, and twenty more per pair of neighbours if patches will be sieved.

    Args:
        ids: the values that are classes; all others are no patch.
        sieved: whether `table` will be asked to merge small patches.
    """

    def __init__(self, ids: NDArray[np.uint8], *, sieved: bool) -> None:
        self._valid = np.zeros(256, np.bool_)
        self._valid[ids] = True
        self._sieved = sieved
        self._count = 1
        self._parent = np.zeros(_FIRST_ROOM, np.int32)
        self._classes = np.zeros(_FIRST_ROOM, np.uint8)
        self._areas = np.zeros(_FIRST_ROOM, np.int64)
        self._bottoms = np.zeros(_FIRST_ROOM, np.int64)
        self._pairs: list[NDArray[np.int64]] = []
        self._last_row: NDArray[np.int32] | None = None
        self._rows = 0

    def add(self, values: NDArray[np.uint8], pixel_areas: NDArray[np.int64]) -> NDArray[np.int32]:
        """Provisional labels ``(rows, columns)`` of the next band.

        Args:
            values: ``(rows, columns)`` of class numbers.
            pixel_areas: of a pixel in each row, in whole units of any size: whole numbers add up to the same sum in
                any order, so that patches compare in the same way however the map is cut.
        """
        labels = np.empty(values.shape, np.int32)
        found = _label(values, self._valid, labels)
        first, end = self._count, self._count + found
        self._reserve(end)
        classes, areas = np.zeros(found + 1, np.uint8), np.zeros(found + 1, np.int64)
        bottoms = np.zeros(found + 1, np.int64)
        _measure(values, labels, pixel_areas, classes, areas, bottoms)
        labels[labels > 0] += first - 1
        self._parent[first:end] = np.arange(first, end)
        self._classes[first:end], self._areas[first:end] = classes[1:], areas[1:]
        self._bottoms[first:end] = bottoms[1:] + self._rows
        self._count = end
        if self._last_row is not None:
            _stitch(self._parent, self._classes, self._last_row, labels[0])
        if self._sieved:
            self._note_contacts(labels)
        self._last_row = labels[-1].copy()
        self._rows += values.shape[0]
        return labels

    def _reserve(self, size: int) -> None:
        if size <= self._parent.size:
            return
        room = max(size, 2 * self._parent.size) - self._parent.size
        self._parent = np.concatenate([self._parent, np.zeros(room, np.int32)])
        self._classes = np.concatenate([self._classes, np.zeros(room, np.uint8)])
        self._areas = np.concatenate([self._areas, np.zeros(room, np.int64)])
        self._bottoms = np.concatenate([self._bottoms, np.zeros(room, np.int64)])

    def _note_contacts(self, labels: NDArray[np.int32]) -> None:
        seen = labels if self._last_row is None else np.concatenate([self._last_row[None], labels])
        pairs = np.empty(2 * seen.size, np.int64)
        self._pairs.append(np.unique(pairs[: _contacts(seen, pairs)]))

    def table(self, smallest: int = 0) -> PatchTable:
        """All patches, once the last band is in; those below the area `smallest` merged into their neighbours."""
        parent, size = self._parent[: self._count], self._count
        _roots(parent, size)
        classes, areas = self._classes[:size].copy(), np.zeros(size, np.int64)
        np.add.at(areas, parent, self._areas[:size])
        if smallest > 0 and self._pairs:
            pairs = np.concatenate(self._pairs)
            one, other = parent[pairs >> 32], parent[pairs & 0xFFFFFFFF]
            apart = one != other
            low, high = np.minimum(one, other)[apart].astype(np.int64), np.maximum(one, other)[apart].astype(np.int64)
            _sieve(parent, classes, areas, np.unique((low << 32) | high), smallest)
            _roots(parent, size)
        is_root = parent == np.arange(size)
        number = np.cumsum(is_root, dtype=np.int32) - 1
        bottoms = np.zeros(int(number[-1]) + 1, np.int64)
        patch_of = number[parent].astype(np.int32)
        np.maximum.at(bottoms, patch_of, self._bottoms[:size])
        return PatchTable(patch_of, classes[is_root], bottoms, areas[is_root])
