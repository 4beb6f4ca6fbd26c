"""Four pixels become one: the arithmetic of overviews."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arpent.io.spec import Overviews

__all__ = ["halved", "is_valid"]


def is_valid(pixels: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_]:
    """Which pixels count: neither no-data nor NaN."""
    if np.issubdtype(pixels.dtype, np.floating):
        finite: NDArray[np.bool_] = ~np.isnan(pixels)
        return finite if nodata is None or np.isnan(nodata) else finite & (pixels != pixels.dtype.type(nodata))
    if nodata is None:
        return np.ones(pixels.shape, np.bool_)
    counted: NDArray[np.bool_] = pixels != pixels.dtype.type(nodata)
    return counted


def halved(pixels: NDArray[np.generic], method: Overviews, nodata: float | None) -> NDArray[np.generic]:
    """Half as many rows and columns of ``(bands, rows, columns)``; an odd last row or column counts twice.

    No-data never spreads: one valid pixel in four is enough for a valid result.
    """
    even = _evened(pixels)
    corners = (even[:, 0::2, 0::2], even[:, 0::2, 1::2], even[:, 1::2, 0::2], even[:, 1::2, 1::2])
    if method == "nearest":
        return np.ascontiguousarray(corners[0])
    if method == "mode":
        return _majority(corners, nodata)
    if method == "shares":
        return _shares(corners, nodata)
    return _mean(corners, nodata)


def _evened(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    _, rows, columns = pixels.shape
    if rows % 2 == 0 and columns % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, 0), (0, rows % 2), (0, columns % 2)), mode="edge")


Corners = tuple[NDArray[np.generic], ...]


def _majority(corners: Corners, nodata: float | None) -> NDArray[np.generic]:
    """The most frequent valid value; of several, the smallest."""
    dtype = corners[0].dtype
    if nodata is None:
        return _mode(corners)
    largest = int(np.iinfo(str(dtype)).max)
    if dtype.kind == "u" and int(nodata) in (0, largest):
        # Turned such that no-data becomes the largest number of its type and is sorted last.
        shift = dtype.type((int(nodata) + 1) % (largest + 1))
        turned = tuple(np.subtract(corner, shift) for corner in corners)
        return np.asarray(np.add(_mode(turned, nothing=largest), shift))
    wide = np.dtype(np.int64 if dtype.itemsize > 2 else np.int32)
    last = int(np.iinfo(str(wide)).max)
    keys = tuple(np.where(corner == dtype.type(nodata), last, corner.astype(wide)) for corner in corners)
    best = _mode(keys, nothing=last)
    return np.where(best == last, int(nodata), best).astype(dtype)


def _mode(keys: Corners, nothing: int | None = None) -> NDArray[np.generic]:
    """The most frequent of four; `nothing`, the largest number there is, wins only where all four are it."""
    a, b, c, d = keys
    low, high, low2, high2 = np.minimum(a, b), np.maximum(a, b), np.minimum(c, d), np.maximum(c, d)
    inner, inner2 = np.maximum(low, low2), np.minimum(high, high2)
    # In ascending order, equal values are neighbours.
    first, second = np.minimum(low, low2), np.minimum(inner, inner2)
    third, fourth = np.maximum(inner, inner2), np.maximum(high, high2)
    best = np.where(third == fourth, third, first)
    best = np.where(second == third, second, best)
    best = np.where(first == second, first, best)
    if nothing is not None:
        best = np.where(best == nothing, first, best)
    return best


def _mean(corners: Corners, nodata: float | None) -> NDArray[np.generic]:
    """The mean of the valid values."""
    dtype = corners[0].dtype
    floating = np.issubdtype(dtype, np.floating)
    wide = dtype if floating else np.dtype(np.int64 if dtype.itemsize > 2 else np.int32)
    total = np.zeros(corners[0].shape, wide)
    count = np.zeros(corners[0].shape, np.int32)
    for corner in corners:
        valid = is_valid(corner, nodata)
        total += np.where(valid, corner, dtype.type(0)).astype(wide, copy=False)
        count += valid
    shares = np.maximum(count, 1)
    if floating:
        mean = total / shares.astype(wide)
        nothing = np.nan if nodata is None else nodata
    else:
        mean = (2 * total + shares) // (2 * shares)
        nothing = 0 if nodata is None else nodata
    return np.where(count > 0, mean, nothing).astype(dtype)


def _shares(corners: Corners, nodata: float | None) -> NDArray[np.generic]:
    """The most frequent valid byte, and rarer ones at so many places that each covers what it covered before.

    Majorities alone let hedges and single trees vanish level by level, and with them their share of the map.
    """
    result = _majority(corners, nodata)
    for band, chosen in enumerate(result):
        _even_out(chosen.reshape(-1), [corner[band].reshape(-1) for corner in corners], nodata)
    return result


def _even_out(chosen: NDArray[np.generic], parts: list[NDArray[np.generic]], nodata: float | None) -> None:
    """Gives places to values that have come off badly, from those that have too many; `chosen` is changed.

    Args:
        chosen: ``(n,)``, the most frequent of four.
        parts: the four, ``(n,)`` each.
        nodata: counts for nothing.
    """
    had = np.sum([np.bincount(part, minlength=256) for part in parts], axis=0).astype(np.float64)
    has = np.bincount(chosen, minlength=256).astype(np.float64)
    if nodata is not None:
        had[int(nodata)] = has[int(nodata)] = 0
    owed = had * (has.sum() / max(had.sum(), 1)) - has
    for value in np.argsort(-owed):
        if owed[value] < 1:
            break
        votes = np.sum([part == value for part in parts], axis=0, dtype=np.uint8)
        # Where it has half of the four first, then where it has a quarter.
        for least in (2, 1):
            places = np.flatnonzero((votes == least) & (chosen != value))
            places = places[owed[chosen[places]] <= -1]
            _hand_over(chosen, places, int(value), owed)


def _hand_over(chosen: NDArray[np.generic], places: NDArray[np.intp], value: int, owed: NDArray[np.float64]) -> None:
    """Gives some of the places to `value`, evenly spread, until nobody is owed one or has one to give."""
    givers = chosen[places]
    for giver in np.unique(givers):
        own = places[givers == giver]
        count = int(min(owed[value], -owed[giver], len(own)))
        if count < 1:
            continue
        chosen[own[np.arange(count) * len(own) // count]] = value
        owed[value] -= count
        owed[giver] += count
