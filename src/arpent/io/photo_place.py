"""Where on earth a picture lies: the ground that it shows, or the spot where its camera stood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike, fspath

import shapely
from shapely.geometry.base import BaseGeometry

from arpent.io.footprint import footprint
from arpent.io.gdal import address_of
from arpent.io.header import read_header

__all__ = ["camera_spot", "place_of"]

_PART = re.compile(r"\(\s*([0-9]+(?:\.[0-9]*)?)\s*\)")
_TAG = "EXIF_GPS{}"
_AXES = (("Longitude", "W", 180.0), ("Latitude", "S", 90.0))


def place_of(source: str | PathLike[str]) -> BaseGeometry | None:
    """The ground of a georeferenced image as a polygon, or the spot that a camera noted as a point, on WGS 84.

    None for a picture that knows neither.

    Raises:
        FileMissing, UnreadableFile: there is no image.
        InputError: it reaches beyond the area in which its coordinate system is defined.
    """
    name = fspath(source)
    header = read_header(address_of(name), name)
    if header.grid.georeferenced:
        return shapely.geometry.shape(footprint(header.grid).geometry)
    return camera_spot(header.tags)


def camera_spot(tags: Mapping[str, str]) -> shapely.Point | None:
    """The point that the metadata of a photograph name as GDAL has them; None where they name none on earth."""
    found = []
    for axis, negative, most in _AXES:
        parts = [float(part) for part in _PART.findall(tags.get(_TAG.format(axis), ""))]
        value = sum(part / 60**place for place, part in enumerate(parts))
        if len(parts) != 3 or value > most:
            return None
        side = tags.get(_TAG.format(f"{axis}Ref"), "").strip().upper()
        found.append(-value if side == negative else value)
    return shapely.Point(found) if any(found) else None  # cameras without reception write zeros
