"""Pictures of single parcels: small, all in one tone and scale, so that a page can hold hundreds and an eye compare."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NDVI_ENDS", "SmallPicture", "Tone", "ndvi_colours", "small_picture", "tone_of", "true_colours"]

NDVI_ENDS = (-0.2, 1.0)
"""Values at the two ends of the colours of NDVI, the same on every page."""

_LARGEST = 96  # pixels on a side; a parcel of 1 km at 10 m
_SMALL = 40  # pixels on a side up to which every one is kept as it is
_QUALITY = 84  # of JPEG, for larger ones
_GAMMA = 0.65
_CUT = (2.0, 98.0)
_BLANK = 236  # grey of what is not valid
# Water blue-grey, soil sand, then ever darker greens: the darker, the denser, also for the colour-blind.
_STOPS = ("#8fa9b8", "#d9cbb3", "#f3e9c6", "#c3dc8d", "#6fb352", "#23803b", "#00441b")

_NAMELESS: dict[str, Any] = {"Software": None}  # equal pictures give equal bytes

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class SmallPicture:
    """A picture of a parcel and of what lies around it.

    Attributes:
        width, height: of the ground shown, in pixels of the image.
        colours: in true colours; PNG of a small parcel, JPEG of a larger one.
        ndvi: in the colours of `ndvi_colours`; likewise.
        outline: of the parcel as an SVG path, in pixels of the image; empty to draw none.
    """

    width: int
    height: int
    colours: bytes
    ndvi: bytes
    outline: str = ""


@dataclass(frozen=True)
class Tone:
    """Reflectance at the dark and the bright end, for each of three bands."""

    dark: tuple[float, float, float]
    bright: tuple[float, float, float]


def tone_of(bands: NDArray[np.floating]) -> Tone:
    """The tone that suits pixels ``(3, n)``; one for all parcels of an image keeps them comparable."""
    ends = []
    for band in bands:
        known = band[np.isfinite(band)]
        low, high = np.percentile(known, _CUT) if known.size else (0.0, 1.0)
        ends.append((float(low), float(max(high, low + 1e-6))))
    red, green, blue = ends
    return Tone((red[0], green[0], blue[0]), (red[1], green[1], blue[1]))


def true_colours(bands: NDArray[np.floating], tone: Tone) -> Rgb:
    """Red, green and blue ``(3, h, w)`` as a picture ``(h, w, 3)``; grey where a band is not finite."""
    dark, bright = (np.array(end)[:, None, None] for end in (tone.dark, tone.bright))
    known = np.isfinite(bands).all(axis=0)
    shares = np.clip((np.where(known, bands, 0.0) - dark) / (bright - dark), 0, 1) ** _GAMMA
    picture = _bytes(255 * np.moveaxis(shares, 0, -1))
    picture[~known] = _BLANK
    return picture


def ndvi_colours(values: NDArray[np.floating]) -> Rgb:
    """NDVI ``(…)`` as colours ``(…, 3)``; grey where it has no value."""
    stops = np.array([tuple(bytes.fromhex(colour[1:])) for colour in _STOPS], np.float64)
    at = np.linspace(*NDVI_ENDS, len(stops))
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    colours = np.stack([np.interp(filled, at, stops[:, channel]) for channel in range(3)], axis=-1)
    colours[~known] = _BLANK
    return _bytes(colours)


def _bytes(values: NDArray[np.floating]) -> Rgb:
    rounded: Rgb = np.rint(values).astype(np.uint8)
    return rounded


def small_picture(
    bands: NDArray[np.floating], ndvi: NDArray[np.floating], tone: Tone, outline: str = ""
) -> SmallPicture:
    """Packs both pictures of a parcel.

    Args:
        bands: ``(3, h, w)``, red, green and blue.
        ndvi: ``(h, w)``.
        tone: of the image.
        outline: see `SmallPicture`.
    """
    height, width = ndvi.shape
    step = max(1, -(-max(height, width) // _LARGEST))
    colours = true_colours(bands[:, ::step, ::step], tone)
    return SmallPicture(width, height, _packed(colours), _packed(ndvi_colours(ndvi[::step, ::step])), outline)


def _packed(picture: Rgb) -> bytes:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    if max(picture.shape) > _SMALL:
        imsave(buffer, picture, format="jpg", pil_kwargs={"quality": _QUALITY, "optimize": True})
    else:
        imsave(buffer, picture, format="png", metadata=_NAMELESS, pil_kwargs={"optimize": True})
    return buffer.getvalue()
