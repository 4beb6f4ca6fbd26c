"""The pictures of parcels that products carry: a little of the land around each, in one tone for a whole image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from arpent.core import Grid, Window
from arpent.report.small_pictures import SmallPicture, small_picture, tone_of
from arpent.tasks.describe.parcels import Parcel
from arpent.tasks.describe.scenes import Scene

__all__ = ["outline_of", "thumbnails"]

_VISIBLE = ("B04", "B03", "B02")
_INFRARED = ("B08", "B8A")
_AROUND = 0.2  # of the longer side
_LEAST_AROUND = 4  # pixels
_LARGEST = 1024  # pixels on a side that are read for a picture; the middle of a larger parcel stands for it
_SAMPLE = 4096  # pixels of a parcel that count for the tone


@dataclass(frozen=True)
class _Cut:
    """A piece of an image around a parcel."""

    name: str
    bands: NDArray[np.floating]
    ndvi: NDArray[np.floating]
    outline: str


def thumbnails(scene: Scene, parcels: Iterable[Parcel]) -> dict[tuple[str, str], SmallPicture]:
    """Pictures of the parcels of one image, by name of the parcel and of the image; none without visible bands."""
    infrared = next((band for band in _INFRARED if band in scene.bands), None)
    if infrared is None or any(band not in scene.bands for band in _VISIBLE):
        return {}
    cuts = [_cut(scene, parcel, infrared) for parcel in parcels]
    if not cuts:
        return {}
    tone = tone_of(np.concatenate([_sample(cut.bands) for cut in cuts], axis=1))
    return {(cut.name, scene.name): small_picture(cut.bands, cut.ndvi, tone, cut.outline) for cut in cuts}


def _cut(scene: Scene, parcel: Parcel, infrared: str) -> _Cut:
    window = _around(parcel.window, scene.grid)
    raster = scene.read(window)
    place = {band: number for number, band in enumerate(raster.bands)}
    pixels = raster.pixels.astype(np.float32)
    seen = (pixels != 0).any(axis=0)  # what cloud hides is shown: a picture tells it better than a hole
    bands = np.where(seen, pixels[[place[band] for band in _VISIBLE]], np.nan)
    near, red = pixels[place[infrared]], pixels[place["B04"]]
    total = near + red
    ndvi = np.divide(near - red, total, out=np.full(total.shape, np.nan, np.float32), where=raster.valid & (total > 0))
    return _Cut(parcel.name, bands, ndvi, outline_of(parcel, window))


def _around(window: Window, grid: Grid) -> Window:
    """A window with some land around it, inside the grid and not too large to be read."""
    margin = max(_LEAST_AROUND, round(_AROUND * max(window.height, window.width)))
    row, height = _span(window.row, window.height, margin, grid.height)
    col, width = _span(window.col, window.width, margin, grid.width)
    return Window(row, col, height, width)


def _span(start: int, size: int, margin: int, end: int) -> tuple[int, int]:
    low, high = max(0, start - margin), min(end, start + size + margin)
    if high - low > _LARGEST:
        low += (high - low - _LARGEST) // 2
        high = low + _LARGEST
    return low, high - low


def _sample(bands: NDArray[np.floating]) -> NDArray[np.floating]:
    flat = bands.reshape(len(bands), -1)
    return flat[:, :: max(1, flat.shape[1] // _SAMPLE)]


def outline_of(parcel: Parcel, window: Window) -> str:
    """A parcel as an SVG path in pixels of a window, to a tenth of a pixel."""
    if parcel.outline is None:
        box = parcel.window.relative_to(window)
        return f"M{box.col} {box.row}H{box.col_end}V{box.row_end}H{box.col}Z"
    parts = []
    for polygon in shapely.get_parts(shapely.simplify(parcel.outline, 0.1)):
        if polygon.geom_type == "Polygon":
            for ring in (polygon.exterior, *polygon.interiors):
                points = np.asarray(ring.coords)[:-1, :2] - (window.col, window.row)
                parts.append(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)}Z")
    return "".join(parts)
