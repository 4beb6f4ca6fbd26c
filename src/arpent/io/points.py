"""Points with a word each, from any vector file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from pyproj import Transformer

from arpent.errors import InputError
from arpent.io.named_shapes import VECTOR_FILES, read_named_shapes

__all__ = ["POINT_FILES", "NamedPoints", "read_points"]

POINT_FILES = VECTOR_FILES
"""Endings of the files that `read_points` reads."""


@dataclass(frozen=True)
class NamedPoints:
    """Points, and what one column says of each.

    Attributes:
        places: ``(n, 2)`` of x and y.
        words: ``(n,)`` of text.
    """

    places: NDArray[np.float64]
    words: NDArray[np.str_]


def read_points(path: Path, column: str, crs: CRS) -> NamedPoints:
    """The points of a file in the reference system `crs`, with the values of `column` as text.

    Points without a value are left out.

    Raises:
        FileMissing, UnreadableFile: no such file, or no vector file.
        UnknownName: no column of that name.
        InputError: other geometries than points.
        GeoreferenceMissing: the file names no reference system.
    """
    shapes = read_named_shapes(path, column, "points")
    geometry, values = shapes.geometry, shapes.values
    if not geometry.size or not (shapely.get_type_id(geometry) == shapely.GeometryType.POINT).all():
        raise InputError(
            f"{path.name} holds other geometries than points, or none at all",
            cure="Give one point per label, or burn areas into a mask and give that.",
        )
    named = np.array([value is not None for value in values], bool)
    transformer = Transformer.from_crs(shapes.crs, crs.to_wkt(), always_xy=True)
    places = np.column_stack(transformer.transform(shapely.get_x(geometry[named]), shapely.get_y(geometry[named])))
    return NamedPoints(places, np.array([str(value) for value in values if value is not None], np.str_))
