"""Parcels on a map, each in the colour of its NDVI."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.language import number
from arpent.report.small_pictures import NDVI_ENDS, ndvi_colours
from arpent.report.style import PAPER, SOFT, canvas, publish, write

__all__ = ["Outline", "parcel_map"]

_SIDE = 5.2
_MARGIN, _HEAD, _BAR = 0.25, 0.6, 0.9
_POINT = 1e-6
"""Degrees that a map shows at least."""
_LEAST = 0.2
"""Of the map's side: long strips of land keep some height."""


@dataclass(frozen=True)
class Outline:
    """A parcel on the map.

    Attributes:
        rings: ``(n, 2)`` each, longitudes and latitudes: what bounds it from outside.
        ndvi: its mean; None where it has none.
    """

    rings: Sequence[NDArray[np.float64]]
    ndvi: float | None


def parcel_map(parcels: Sequence[Outline], path: Path, *, title: str = "", language: Language = "en") -> Path:
    """Draws parcels as PNG, north up, with the colours of NDVI that all pages have; grey where there is none.

    Args:
        parcels: one or more, near one another.
        path: of the PNG.
        title: above the map.
        language: of the numbers.
    """
    from matplotlib.collections import PolyCollection

    rings = [ring for one in parcels for ring in one.rings]
    values = np.array([math.nan if one.ndvi is None else one.ndvi for one in parcels for _ in one.rings])
    corners = np.concatenate(rings)
    low, high = corners.min(axis=0), np.maximum(corners.max(axis=0), corners.min(axis=0) + _POINT)
    wide, tall = (high - low) * (math.cos(math.radians(float(low[1] + high[1]) / 2)), 1.0)
    width, height = (_SIDE * max(side / max(wide, tall), _LEAST) for side in (wide, tall))
    figure = canvas(width + 2 * _MARGIN + _BAR, height + _MARGIN + _HEAD)
    across, up = figure.get_size_inches()
    axes = figure.add_axes((_MARGIN / across, _MARGIN / up, width / across, height / up))
    axes.set_axis_off()
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    colours = ndvi_colours(values) / 255
    edge = 0.6 if len(rings) < 2_000 else 0.0
    axes.add_collection(PolyCollection(rings, facecolors=colours, edgecolors=PAPER, linewidths=edge))
    write(figure, _MARGIN, height + _MARGIN + 0.22, title, size=10, bold=True)
    bar = figure.add_axes(((width + 2 * _MARGIN) / across, _MARGIN / up, 0.17 / across, height / up))
    bar.imshow(ndvi_colours(np.linspace(*NDVI_ENDS[::-1], 256))[:, None, :], aspect="auto", interpolation="nearest")
    bar.set_axis_off()
    for value in np.linspace(*NDVI_ENDS, 7 if height > 2 else 3):
        share = (value - NDVI_ENDS[0]) / (NDVI_ENDS[1] - NDVI_ENDS[0])
        at = _MARGIN + share * height - 0.04
        write(figure, width + 2 * _MARGIN + 0.27, at, number(float(value), language, 1), size=8, colour=SOFT)
    return publish(figure, path)
