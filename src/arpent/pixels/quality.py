"""What the quality layers of image products say of each pixel, in one set of codes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting, UnknownName

__all__ = ["QUALITY_LAYERS", "SEVERITY", "Quality", "bright_as_cloud", "decode_quality", "usable", "worst_quality"]


class Quality(IntEnum):
    """What is seen at a pixel."""

    CLEAR = 0
    CLOUD = 1
    ADJACENT = 2
    """Beside a cloud or its shadow."""
    SHADOW = 3
    SNOW = 4
    WATER = 5
    AEROSOL = 6
    """So much haze that colours cannot be trusted."""
    FILL = 255
    """Nothing was measured here."""


_PALE, _WHITE = 0.175, 0.39
"""Reflectance in green from which on a pixel that is not reddish, or any, may be cloud."""

SEVERITY = (
    Quality.FILL,
    Quality.CLOUD,
    Quality.SHADOW,
    Quality.ADJACENT,
    Quality.AEROSOL,
    Quality.SNOW,
    Quality.WATER,
    Quality.CLEAR,
)
"""From worst to best. A pixel of which several are true gets the first; so does a pair of dates."""


def _fmask(bits: int) -> Quality:
    """HLS v2 Fmask: 1 cloud, 2 adjacent, 3 shadow, 4 snow or ice, 5 water, 6-7 aerosol level (11 is high)."""
    flags = {Quality.CLOUD: 1, Quality.SHADOW: 3, Quality.ADJACENT: 2, Quality.SNOW: 4, Quality.WATER: 5}
    found = {quality for quality, bit in flags.items() if bits >> bit & 1}
    if bits >> 6 == 0b11:
        found.add(Quality.AEROSOL)
    return Quality.FILL if bits == 255 else _first(found)


def _scl(number: int) -> Quality:
    """Sentinel-2 scene classification; 2 is terrain in shadow, 7 is unclassified."""
    meanings = {
        0: Quality.FILL,
        1: Quality.FILL,  # saturated or defective: nothing that could be used
        2: Quality.SHADOW,
        3: Quality.SHADOW,
        6: Quality.WATER,
        8: Quality.CLOUD,
        9: Quality.CLOUD,
        10: Quality.CLOUD,  # thin cirrus
        11: Quality.SNOW,
    }
    return meanings.get(number, Quality.CLEAR if number < 12 else Quality.FILL)


def _qa_pixel(bits: int) -> Quality:
    """Low byte of Landsat Collection 2 QA_PIXEL; bit 1 is the cloud dilated, bit 6 repeats that nothing else is set."""
    flags = (
        (0, Quality.FILL),
        (1, Quality.ADJACENT),
        (2, Quality.CLOUD),
        (3, Quality.CLOUD),
        (4, Quality.SHADOW),
        (5, Quality.SNOW),
        (7, Quality.WATER),
    )
    return _first({quality for bit, quality in flags if bits >> bit & 1})


def _qa60(bits: int) -> Quality:
    """Bits 10 and 11 of Sentinel-2's QA60, brought down to 0 and 1: opaque cloud, cirrus."""
    return Quality.CLOUD if bits & 0b11 else Quality.CLEAR


def _cloudmask(number: int) -> Quality:
    """A plain mask: 0 is clear, 1 is cloud, anything else is unknown."""
    return {0: Quality.CLEAR, 1: Quality.CLOUD}.get(number, Quality.FILL)


def _codes(number: int) -> Quality:
    """A layer that holds these codes already."""
    return Quality(number) if number in set(Quality) else Quality.FILL


def _first(found: Collection[Quality]) -> Quality:
    return next((quality for quality in SEVERITY if quality in found), Quality.CLEAR)


_MEANINGS: dict[str, Callable[[int], Quality]] = {
    "cloudmask": _cloudmask,
    "codes": _codes,
    "fmask": _fmask,
    "qa60": _qa60,
    "qa_pixel": _qa_pixel,
    "scl": _scl,
}

QUALITY_LAYERS = tuple(_MEANINGS)
"""The kinds of quality layer that can be read: plain cloud masks, Arpent's own codes, HLS Fmask, Sentinel-2 QA60,
Landsat QA_PIXEL, Sentinel-2 SCL."""


@cache
def _table(layer: str) -> NDArray[np.uint8]:
    meaning = _MEANINGS[layer]
    return np.array([meaning(number) for number in range(256)], np.uint8)


def decode_quality(values: NDArray[np.integer], layer: str) -> NDArray[np.uint8]:
    """`Quality` codes of the numbers of a quality layer, of any shape, by one look into a table of 256.

    Args:
        values: as in the file. Of QA_PIXEL's 16 bits the high byte, which grades confidence, is not used.
        layer: one of `QUALITY_LAYERS`.
    """
    if layer not in _MEANINGS:
        raise UnknownName.among(layer, QUALITY_LAYERS, "quality layer")
    if not np.issubdtype(values.dtype, np.integer):
        raise InvalidSetting(
            "a quality layer holds whole numbers",
            found=values.dtype,
            expected="integers",
            cure="Read it with nearest neighbour, never interpolated.",
        )
    if layer == "qa60" and values.dtype.itemsize < 2:
        raise InvalidSetting(
            "a QA60 layer has its clouds in bits 10 and 11",
            found=values.dtype,
            expected="integers of 16 bits",
            cure="Give the layer as it was published, or say that it is a cloudmask.",
        )
    if layer == "qa_pixel":
        values = values & 0xFF
    elif layer == "qa60":
        values = values >> 10 & 0xFF
    elif values.dtype != np.uint8:
        values = np.where((values < 0) | (values > 255), 255, values)
    return _table(layer)[values.astype(np.uint8, copy=False)]


@cache
def _ranks() -> NDArray[np.uint8]:
    """Rank in `SEVERITY` by code: 0 is worst; a number that is no code counts as fill."""
    ranks = np.zeros(256, np.uint8)
    for rank, quality in enumerate(SEVERITY):
        ranks[quality] = rank
    return ranks


def worst_quality(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each pixel the worse of two dates' codes, by `SEVERITY`."""
    ranks = _ranks()
    return np.asarray(np.where(ranks[first] <= ranks[second], first, second), np.uint8)


def usable(codes: NDArray[np.uint8], exclude: Collection[str] = ("cloud", "shadow")) -> NDArray[np.bool_]:
    """Where a pixel may be used: not fill, and none of the qualities named in `exclude` ("cloud", "snow" …)."""
    known = {quality.name.casefold(): quality for quality in Quality}
    keep = np.ones(256, bool)
    keep[Quality.FILL] = False
    for name in exclude:
        if name.casefold() not in known:
            raise UnknownName.among(name, known, "quality")
        keep[known[name.casefold()]] = False
    return keep[codes]


def bright_as_cloud(green: NDArray[np.floating], red: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which pixels are as bright as cloud or snow, where no layer tells them.

    The test of Braaten, Cohen and Yang (2015): green above 0.175 and above red, or above 0.39 whatever its colour.
    Thin cloud escapes it; white sand and bright roofs do not.

    Args:
        green: reflectance, 0 to 1.
        red: the same, of the same shape.
    """
    pale: NDArray[np.bool_] = ((green > _PALE) & (green > red)) | (green > _WHITE)
    return pale
