"""The compiled loops behind the speckle filters.

The image is walked in columns of `_PIECE` pixels, which stay in the processor's nearest cache together with the rows
of a window. Sums are taken in 64 bits, and each one anew, from the middle outwards: a running sum would be as fast,
but what it says of a pixel depends on where it began and on every bright target it has passed. So a pixel has one
answer, to the last bit, however the image is cut into tiles.

Plain loops on purpose: numba takes seconds to compile an assignment to a slice. And slices as their operands, for
their indices are never negative: numba's test for that would keep the compiler from doing several pixels at once.
"""
# Compiled functions have no annotations: numba finds the types out by itself.
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

from arpent.pixels.speckle_plan import Rows

__all__ = ["ENHANCED_LEE", "FROST", "GAMMA_MAP", "KUAN", "LEE", "MEAN", "REFINED_LEE", "filter_rows"]

MEAN, LEE, KUAN, ENHANCED_LEE, GAMMA_MAP, FROST, REFINED_LEE = range(7)
"""The rules that `filter_rows` knows."""

_PIECE: Final = 384
# IEEE arithmetic in the order written, no fused shortcuts.
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}
# Without the wrappers that let Python or C call a function, which take as long to compile as it does.
_INNER: Final[dict[str, Any]] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_inner = numba.njit(**_INNER)


@_inner
def _load(power, valid, row, first, reach, rows):
    """Copies part of a row into the ring, 0 where nothing is known.

    Args:
        power: ``(height, width)`` of float32.
        valid: ``(height, width)`` of bool; empty if all pixels count.
        row: of the image; may lie outside.
        first: column of the image that stands at place `reach` of the ring's rows; columns outside are unknown.
        reach: half a window.
        rows: where to.
    """
    height, width = power.shape
    slot = (row + rows.ring.shape[0]) % rows.ring.shape[0]
    values, marks = rows.ring[slot], rows.seen[slot]
    low, high = first - reach, first - reach + values.shape[0]
    start, stop = max(low, 0), min(high, width)
    inside = 0 <= row < height
    if not inside or start > low or stop < high:
        for j in range(values.shape[0]):
            values[j] = 0
        for j in range(marks.shape[0]):
            marks[j] = 0
    if not inside:
        return
    source, values = power[row, start:stop], values[start - low :]
    if valid.size > 0:
        known, marks = valid[row, start:stop], marks[start - low :]
        for j in range(stop - start):
            values[j] = source[j] if known[j] else np.float32(0)
            marks[j] = np.float32(1) if known[j] else np.float32(0)
        return
    for j in range(stop - start):
        values[j] = source[j]
    if marks.shape[0] > 0:
        marks = marks[start - low :]
        for j in range(stop - start):
            marks[j] = 1


@_inner
def _sums(rows, row, reach):
    """Fills `total` and `squares` of a row: sums over the window around each pixel, from a ring of rows."""
    ring, down, down_squares, total, squares = rows.ring, rows.down[0], rows.down[1], rows.total, rows.squares
    window, middle = ring.shape[0], ring[row % ring.shape[0]]
    for j in range(down.shape[0]):
        value = np.float64(middle[j])
        down[j] = value
        down_squares[j] = value * value
    for step in range(1, reach + 1):
        above, below = ring[(row - step + window) % window], ring[(row + step) % window]
        for j in range(down.shape[0]):
            x, y = np.float64(above[j]), np.float64(below[j])
            down[j] += x + y
            down_squares[j] += x * x + y * y
    centre, left, right = down[reach:], down[reach - 1 :], down[reach + 1 :]
    centre_squares, left_squares, right_squares = (
        down_squares[reach:],
        down_squares[reach - 1 :],
        down_squares[reach + 1 :],
    )
    for j in range(total.shape[0]):
        total[j] = centre[j] + (left[j] + right[j])
        squares[j] = centre_squares[j] + (left_squares[j] + right_squares[j])
    for step in range(2, reach + 1):
        left, right = down[reach - step :], down[reach + step :]
        left_squares, right_squares = down_squares[reach - step :], down_squares[reach + step :]
        for j in range(total.shape[0]):
            total[j] += left[j] + right[j]
            squares[j] += left_squares[j] + right_squares[j]


@_inner
def _counts(rows, row, reach):
    """Fills `count` of a row: how many pixels of the window around each pixel are known."""
    seen, down, count = rows.seen, rows.down[2], rows.count
    window, middle = seen.shape[0], seen[row % seen.shape[0]]
    for j in range(down.shape[0]):
        down[j] = middle[j]
    for step in range(1, reach + 1):
        above, below = seen[(row - step + window) % window], seen[(row + step) % window]
        for j in range(down.shape[0]):
            down[j] += above[j] + below[j]
    centre = down[reach:]
    for j in range(count.shape[0]):
        count[j] = centre[j]
    for step in range(1, reach + 1):
        left, right = down[reach - step :], down[reach + step :]
        for j in range(count.shape[0]):
            count[j] += left[j] + right[j]


@_inner
def _inside(row, first, height, width, reach, count):
    """Fills `count` of a row where every pixel of the image is known."""
    rows = min(row + reach, height - 1) - max(row - reach, 0) + 1
    for j in range(count.shape[0]):
        count[j] = rows * (min(first + j + reach, width - 1) - max(first + j - reach, 0) + 1)


@_inner
def _exp_of_minus(x):
    """``exp(-x)`` for x of 0 or more, by arithmetic alone, which the compiler does for several pixels at once.

    A Taylor series of x / 128, squared seven times; good to 1e-13 of the result up to x = 10, to 1e-16 of 1 beyond.
    """
    t = min(x, 100.0) * (-1.0 / 128.0)
    y = 1.0 + t * (1.0 + t * (1 / 2 + t * (1 / 6 + t * (1 / 24 + t * (1 / 120 + t * (1 / 720 + t * (1 / 5040)))))))
    for _ in range(7):
        y *= y
    return y


@_inner
def _finish(plan, rows, centre, out):
    """What a filter makes of the pixels of a row, by the sums in their windows."""
    total, squares, count, looks = rows.total, rows.squares, rows.count, plan.looks
    noise = 1.0 / looks  # Cu²
    if plan.rule == MEAN:
        for j in range(out.shape[0]):
            out[j] = total[j] / count[j]
    elif plan.rule <= KUAN:
        scale = 1.0 if plan.rule == LEE else 1.0 / (1.0 + noise)
        for j in range(out.shape[0]):
            mean = total[j] / count[j]
            variance = squares[j] / count[j] - mean * mean
            signal = variance - noise * mean * mean
            weight = scale * signal / variance if signal > 0.0 else 0.0
            out[j] = mean + weight * (centre[j] - mean)
    elif plan.rule == ENHANCED_LEE:
        low, high = np.sqrt(noise), np.sqrt(1.0 + 2.0 * noise)
        for j in range(out.shape[0]):
            mean = total[j] / count[j]
            variance = max(squares[j] / count[j] - mean * mean, 0.0)
            spread = np.sqrt(variance) / mean if mean > 0.0 else 0.0
            bend = plan.damping * (spread - low) / (high - spread)
            kept = _exp_of_minus(bend if bend > 0.0 else 0.0)
            between = mean * kept + centre[j] * (1.0 - kept)
            value = centre[j] if spread >= high else between
            out[j] = mean if spread <= low else value
    else:
        for j in range(out.shape[0]):
            mean = total[j] / count[j]
            variance = max(squares[j] / count[j] - mean * mean, 0.0)
            spread = variance / (mean * mean) if mean > 0.0 else 0.0  # Ci²
            alpha = (1.0 + noise) / (spread - noise)
            pull = (alpha - looks - 1.0) * mean
            under = pull * pull + 4.0 * alpha * looks * mean * centre[j]
            value = (pull + np.sqrt(under if under > 0.0 else 0.0)) / (2.0 * alpha)
            value = centre[j] if spread >= 2.0 * noise else value
            out[j] = mean if spread <= noise else value


@_inner
def _add_mirrored(ring, row, reach, down, across, out):
    """Adds the pixels that lie `down` rows and `across` columns from each pixel of a row, on all sides."""
    window = ring.shape[0]
    above, below = ring[(row - down + window) % window], ring[(row + down) % window]
    upper_left, upper_right = above[reach - across :], above[reach + across :]
    lower_left, lower_right = below[reach - across :], below[reach + across :]
    if down == 0:
        for j in range(out.shape[0]):
            out[j] += np.float64(lower_left[j]) + np.float64(lower_right[j])
    elif across == 0:
        for j in range(out.shape[0]):
            out[j] += np.float64(upper_left[j]) + np.float64(lower_left[j])
    else:
        for j in range(out.shape[0]):
            upper = np.float64(upper_left[j]) + np.float64(upper_right[j])
            out[j] += upper + (np.float64(lower_left[j]) + np.float64(lower_right[j]))


@_inner
def _weigh(fall, distance, same, known, total, weights):
    """Adds the pixels at one distance, by their weight."""
    for j in range(fall.shape[0]):
        weight = _exp_of_minus(fall[j] * distance)
        total[j] += weight * same[j]
        weights[j] += weight * known[j]


@_inner
def _frost(plan, rows, row, whole, out):
    """Means in which a pixel's weight falls with its distance, the faster the more a window varies.

    Pixels at the same distance share a weight, so a window of 7 × 7 asks for nine exponentials and not for 48.
    `whole` says that every pixel of all windows of the row is known; `total` and `squares` are used up.
    """
    quarter, reach, total, same = plan.pattern[0], plan.reach, rows.total, rows.squares
    middle = rows.ring[row % rows.ring.shape[0]][reach:]
    fall, weights, known = np.empty(out.shape[0]), np.empty(out.shape[0]), np.empty(out.shape[0])
    for j in range(out.shape[0]):
        mean = total[j] / rows.count[j]
        variance = same[j] / rows.count[j] - mean * mean
        fall[j] = plan.damping * variance / (mean * mean) if variance > 0.0 else 0.0
        total[j] = middle[j]
        weights[j] = 1.0
    k = 1
    while k < quarter.shape[0]:
        shared, number, end = quarter[k, 2], 0, k
        while end < quarter.shape[0] and quarter[end, 2] == shared:
            number += 2 if quarter[end, 0] == 0 or quarter[end, 1] == 0 else 4
            end += 1
        for j in range(out.shape[0]):
            same[j] = 0.0
            known[j] = number if whole else 0.0
        for part in range(k, end):
            _add_mirrored(rows.ring, row, reach, quarter[part, 0], quarter[part, 1], same)
            if not whole:
                _add_mirrored(rows.seen, row, reach, quarter[part, 0], quarter[part, 1], known)
        _weigh(fall, np.sqrt(np.float64(shared)), same, known, total, weights)
        k = end
    for j in range(out.shape[0]):
        out[j] = total[j] / weights[j]


@_inner
def _block_means(rows, row, reach, block, means):
    """Means of the three blocks above each other around each column of a row; NaN of a block that is not known.

    Args:
        rows: see `Rows`.
        row: in the middle.
        reach: half a window.
        block: half a block; the outer ones end where the window does.
        means: result, ``(3, piece + 2 reach)``; only columns a block away from the ends have one.
    """
    window, wide = rows.ring.shape
    total, count = rows.down[0], rows.down[1]
    for place in range(3):
        for j in range(wide):
            total[j] = 0.0
            count[j] = 0.0
        centre = row + (place - 1) * (reach - block)
        for y in range(centre - block, centre + block + 1):
            values, marks = rows.ring[(y + window) % window], rows.seen[(y + window) % window]
            for j in range(wide):
                total[j] += values[j]
                count[j] += marks[j]
        for j in range(block, wide - block):
            value, known = 0.0, 0.0
            for x in range(j - block, j + block + 1):
                value += total[x]
                known += count[x]
            means[place, j] = value / known


@_inner
def _or(value, other):
    """The value, or the other one where it is not a number."""
    return other if np.isnan(value) else value


@_inner
def _sides(means, reach, shift, sides):
    """Which half of the window around each pixel lies on its side of the strongest edge.

    The halves, two for each direction of edge: left and right, above and below, above left and below right, above
    right and below left.

    Args:
        means: see `_block_means`.
        reach: half a window.
        shift: columns from one block to the next.
        sides: result, ``(piece,)``.
    """
    upper, level, lower = means[0], means[1], means[2]
    for j in range(sides.shape[0]):
        left, middle, right = reach - shift + j, reach + j, reach + shift + j
        e = level[middle]
        # Where a whole block is unknown there is no edge towards it.
        a, b, c = _or(upper[left], e), _or(upper[middle], e), _or(upper[right], e)
        d, f = _or(level[left], e), _or(level[right], e)
        g, h, i = _or(lower[left], e), _or(lower[middle], e), _or(lower[right], e)
        edge, near, far, best = 0, abs(d - e), abs(f - e), abs((a + d + g) - (c + f + i))
        step = abs((a + b + c) - (g + h + i))
        edge, near, far = (2, abs(b - e), abs(h - e)) if step > best else (edge, near, far)
        best = max(step, best)
        step = abs((a + b + d) - (f + h + i))
        edge, near, far = (4, abs(a - e), abs(i - e)) if step > best else (edge, near, far)
        best = max(step, best)
        step = abs((b + c + f) - (d + g + h))
        edge, near, far = (6, abs(c - e), abs(g - e)) if step > best else (edge, near, far)
        sides[j] = edge if near <= far else edge + 1


@_inner
def _refined_lee(plan, rows, row, whole, out):
    """The linear estimate of least squared error in the half window on each pixel's side of the strongest edge.

    `whole` says that every pixel of all windows of the row is known.
    """
    window, wide = rows.ring.shape
    reach, block, noise, pattern = plan.reach, plan.reach // 2, 1.0 / plan.looks, plan.pattern
    means, sides = np.empty((3, wide)), np.empty(out.shape[0], np.int64)
    _block_means(rows, row, reach, block, means)
    _sides(means, reach, reach - block, sides)
    jumps = np.empty((8, pattern.shape[1]), np.uint64)  # unsigned: see above
    for half in range(8):
        for k in range(pattern.shape[1]):
            jumps[half, k] = (row + pattern[half, k, 0] + window) % window * wide + pattern[half, k, 1] + reach
    flat, marks = rows.ring.reshape(-1), rows.seen.reshape(-1)
    middle = rows.ring[row % window][reach:]
    for j in range(out.shape[0]):
        chosen = jumps[sides[j]]
        total, squares, count = 0.0, 0.0, float(chosen.shape[0])
        for k in range(chosen.shape[0]):
            value = np.float64(flat[chosen[k] + np.uint64(j)])
            total += value
            squares += value * value
        if not whole:
            count = 0.0
            for k in range(chosen.shape[0]):
                count += marks[chosen[k] + np.uint64(j)]
        mean = total / count
        variance = squares / count - mean * mean
        signal = variance - noise * mean * mean
        weight = signal / variance / (1.0 + noise) if signal > 0.0 else 0.0
        out[j] = mean + weight * (middle[j] - mean)


@numba.njit(cache=True, **_OPTIONS)
def filter_rows(power, valid, plan, begin, out):
    """Filters rows of an image.

    Args:
        power: ``(height, width)`` of float32, with the rows above and below that the windows reach.
        valid: ``(height, width)`` of bool, which pixels count; empty if all do.
        plan: what to do.
        begin: row of the image that is the first one of `out`.
        out: result, ``(rows, width)`` of float32; NaN where a pixel does not count.
    """
    height, width = power.shape
    reach, window = plan.reach, 2 * plan.reach + 1
    marked = valid.size > 0 or plan.rule >= FROST
    for first in range(0, width, _PIECE):
        piece = min(_PIECE, width - first)
        wide = piece + 2 * reach
        ring, seen = np.zeros((window, wide), np.float32), np.zeros((window, wide if marked else 0), np.float32)
        rows = Rows(ring, seen, np.empty((3, wide)), np.empty(piece), np.empty(piece), np.empty(piece))
        within = first >= reach and first + piece + reach <= width and valid.size == 0
        for row in range(begin - reach, begin + reach):
            _load(power, valid, row, first, reach, rows)
        for row in range(begin, begin + out.shape[0]):
            _load(power, valid, row + reach, first, reach, rows)
            result = out[row - begin, first : first + piece]
            whole = within and row >= reach and row + reach < height
            if plan.rule == REFINED_LEE:
                _refined_lee(plan, rows, row, whole, result)
            else:
                _sums(rows, row, reach)
                if valid.size > 0:
                    _counts(rows, row, reach)
                else:
                    _inside(row, first, height, width, reach, rows.count)
                if plan.rule == FROST:
                    _frost(plan, rows, row, whole, result)
                else:
                    _finish(plan, rows, ring[row % window][reach:], result)
            if valid.size > 0:
                there = seen[row % window][reach:]
                for j in range(piece):
                    result[j] = result[j] if there[j] > 0 else np.float32(np.nan)
