"""The tones of pictures: which of their values are dark and which are bright on the map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import ByteScale, Window
from arpent.io import ImageReader, open_image
from arpent.web.tiles.colours import colour_bands
from arpent.web.tiles.sources import check_raster

__all__ = ["tones_of"]

_LOOKS, _LOOK = 8, 256  # windows along each side in which a picture is looked at, and their side
_PIXELS = 1 << 22  # that are looked at in all pictures together
_PERCENT = (2, 98)


def tones_of(sources: Sequence[Path]) -> dict[Path, ByteScale]:
    """The tones of pictures that are shown one after another: percentiles of pixels all over them.

    Pictures of the same bands in the same kind of number share theirs, so that what does not change on the ground does
    not change on the map.

    Args:
        sources: GeoTIFFs.

    Raises:
        FileMissing, UnreadableFile: one of them is not there, damaged, or no GeoTIFF.
    """
    alike: dict[object, list[Path]] = {}
    for source in dict.fromkeys(sources):
        with open_image(check_raster(source)) as image:
            alike.setdefault((colour_bands(image.bands), image.dtype), []).append(source)
    found: dict[Path, ByteScale] = {}
    for group in alike.values():
        tones = _tones([_seen(source, _PIXELS // len(group)) for source in group])
        found |= dict.fromkeys(group, tones)
    return found


def _tones(seen: Sequence[NDArray[np.float64]]) -> ByteScale:
    values = np.concatenate(seen, axis=1)
    if values.shape[1] == 0:
        return ByteScale.between([0.0] * len(values), [1.0] * len(values), "no pixel with data")
    low, high = np.percentile(values, _PERCENT, axis=1)
    return ByteScale.between(low, high, f"percentiles {_PERCENT[0]} and {_PERCENT[1]}")


def _seen(source: Path, most: int) -> NDArray[np.float64]:
    """Pixels ``(bands, n)`` with data in windows all over a picture, so many at most."""
    path = check_raster(source)
    with open_image(path) as image:
        bands = colour_bands(image.bands)
    with open_image(path, bands=bands) as image:
        parts = [_finite(image, window) for window in _windows(image)]
    values = np.concatenate(parts, axis=1)
    return values[:, :: max(1, -(-values.shape[1] // most))].astype(np.float64)


def _windows(image: ImageReader) -> list[Window]:
    rows, cols = (
        np.linspace(0, max(side - _LOOK, 0), min(_LOOKS, -(-side // _LOOK))).astype(int) for side in image.grid.shape
    )
    return sorted(
        {Window(int(row), int(col), _LOOK, _LOOK).intersect(image.grid.window) for row in rows for col in cols}
    )


def _finite(image: ImageReader, window: Window) -> NDArray[np.generic]:
    raster = image.read(window)
    values = raster.pixels[:, raster.valid]
    finite: NDArray[np.generic] = values[:, np.isfinite(values).all(axis=0)]
    return finite
