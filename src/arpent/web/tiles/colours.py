"""Which bands of an image make its picture, and which colours the bytes of a display image have."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from arpent.web.layers import Legend
from arpent.web.tiles.png import palette_chunks

__all__ = ["Palette", "colour_bands", "palette_of"]

_PICTURES = (
    ("red", "green", "blue"),
    ("b04", "b03", "b02"),
    ("b4", "b3", "b2"),
    ("sr_b4", "sr_b3", "sr_b2"),
    ("vv", "vh", "vv"),
    ("hh", "hv", "hh"),
    ("nir", "red", "green"),
)
"""Names of bands that give a picture, the most natural first."""

_SENTINEL_2 = {12: ("band_4", "band_3", "band_2"), 13: ("band_4", "band_3", "band_2")}
"""Likewise by number of bands, for images that name none: twelve or thirteen are Sentinel-2's in their order."""


def colour_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """The bands, three or one, that are shown as red, green and blue."""
    folded = {name.casefold(): name for name in reversed(bands)}
    for names in (*_PICTURES, _SENTINEL_2.get(len(bands), ())):
        if names and all(name in folded for name in names):
            return tuple(folded[name] for name in names)
    return tuple(bands[:3]) if len(bands) >= 3 else tuple(bands[:1])


@dataclass(frozen=True)
class Palette:
    """The colours of the bytes of a display image.

    Attributes:
        colours: ``(256, 4)``, red, green, blue and alpha; byte 0 is clear.
        chunks: the same as chunks of a PNG.
        digest: tells it from other palettes.
    """

    colours: NDArray[np.uint8]
    chunks: bytes
    digest: str


@lru_cache(maxsize=256)
def palette_of(legend: Legend) -> Palette:
    """The palette of a legend: its entries from byte 1 on, or its ramp over bytes 1 … 255; grey without either."""
    colours = np.zeros((256, 4), np.uint8)
    if legend.entries:
        listed = [_rgb(entry.colour) for entry in legend.entries]
        colours[1 : len(listed) + 1, :3] = listed
        colours[1 : len(listed) + 1, 3] = 255
    else:
        stops = np.asarray([_rgb(colour) for colour in legend.ramp or ("#000000", "#ffffff")], np.float64)
        at = np.linspace(0, len(stops) - 1, 255)
        for channel in range(3):
            colours[1:, channel] = np.rint(np.interp(at, np.arange(len(stops)), stops[:, channel]))
        colours[1:, 3] = 255
    return Palette(colours, palette_chunks(colours), hashlib.sha256(colours.tobytes()).hexdigest()[:16])


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
