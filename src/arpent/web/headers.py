"""What a raster says of itself, as far as its layer on the map needs to know."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.io import footprint, open_image, recorded_statistics
from arpent.web.layers import Bounds, Entry, Legend
from arpent.web.tiles.sources import check_raster

__all__ = ["RasterHeader", "days_in", "entries_of", "read_header"]

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LONGEST_NAME = 200
_PIXELS = 1 << 22  # that are read in one go
_LAST_DAY = 3_000_000  # as a year and a day of the year


@dataclass(frozen=True)
class RasterHeader:
    """A raster before its pixels are read.

    Attributes:
        file: where it is.
        bands: names.
        dtype: of its pixels.
        nodata: the number that means no data; None where there is none.
        bounds: in degrees.
        legend: of its classes, where it carries them.
        low, high: least and greatest value of its bands as recorded in it, without the outermost; None if unknown.
    """

    file: Path
    bands: tuple[str, ...]
    dtype: str
    nodata: float | None
    bounds: Bounds
    legend: Legend
    low: float | None
    high: float | None


def read_header(path: Path) -> RasterHeader:
    """The header of a raster that may be shown.

    Raises:
        FileMissing, UnreadableFile: it is not there, damaged, or no GeoTIFF.
        GeoreferenceMissing: it has no place on earth.
    """
    file = check_raster(path)
    with open_image(file) as image:
        image.grid.require_crs(file.name)
        box = Bounds(*footprint(image.grid).bbox)
        ends = _ends(file)
        return RasterHeader(
            file,
            image.bands,
            str(image.dtype),
            image.nodata,
            box,
            Legend(entries_of(image.tags.get("CLASSES", ""))),
            ends[0] if ends else None,
            ends[1] if ends else None,
        )


def _ends(file: Path) -> tuple[float, float] | None:
    """Mean less and plus two and a half deviations, where the least and the greatest value are not nearer."""
    lows, highs = [], []
    for band in recorded_statistics(file):
        numbers = (band.minimum, band.maximum, band.mean, band.std)
        least, greatest, mean, std = (math.nan if number is None else number for number in numbers)
        if not all(map(math.isfinite, (least, greatest, mean, std))):
            continue
        lows.append(max(least, mean - 2.5 * std))
        highs.append(min(greatest, mean + 2.5 * std))
    return (min(lows), max(highs)) if lows else None


def entries_of(text: str) -> tuple[Entry, ...]:
    """The classes that a raster's metadata lists; none where it lists none, or something else under that name."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    entries = []
    for number, one in found.items() if isinstance(found, dict) else ():
        if not (isinstance(number, str) and number.isascii() and number.isdigit() and int(number) < 256):
            return ()
        entry = _entry(int(number), one)
        if entry is None:
            return ()
        entries.append(entry)
    return tuple(entries)


def _entry(number: int, one: Any) -> Entry | None:  # noqa: ANN401 - a stranger's JSON
    if not isinstance(one, Mapping):
        return None
    colour, en, fr = (str(one.get(key, ""))[:_LONGEST_NAME] for key in ("colour", "en", "fr"))
    if not _COLOUR.fullmatch(colour):
        return None
    return Entry(number, colour, en or str(number), fr or en or str(number))


def days_in(file: Path) -> tuple[int, ...]:
    """The days, as years and days of the year (2024061), that a raster of dates holds; every pixel is looked at."""
    seen: NDArray[np.bool_] = np.zeros(_LAST_DAY, bool)
    with open_image(check_raster(file)) as image:
        for strip in image.grid.window.strips(max(1, _PIXELS // image.grid.width)):
            raster = image.read(strip)
            numbers = raster.pixels[0][raster.valid]
            seen[numbers[(numbers > 0) & (numbers < _LAST_DAY)].astype(np.int64)] = True
    return tuple(int(number) for number in np.flatnonzero(seen) if 1 <= number % 1000 <= 366 and number >= 1_000_000)
