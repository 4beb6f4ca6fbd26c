"""Outlines of the commune's fields, as a land-parcel register has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from odc.geo.crs import CRS

from arpent.core import Grid, Strip
from arpent.demo.stage import Stage
from arpent.io import RowWriter, polygonise
from arpent.io.named_shapes import read_shapes
from arpent.io.vector import ClassStrips

__all__ = ["outline_fields"]

_SEEN = 1.0
"""Metres per pixel of the map that fields are outlined on: the strips of grass between them show."""
_FIELDS = (9, 10, 11, 12)
"""Classes of the commune: vineyard, meadow, crops, ploughed land."""
_SMALLEST, _LARGEST = 6_000.0, 80_000.0
"""Square metres of a field."""
_INSIDE = 6.0
"""Metres by which an outline keeps away from the edge, where pixels of 10 m are mixed."""


def outline_fields(stage: Stage, grid: Grid, count: int) -> Path:
    """Writes the fields that lie nearest the middle of a grid, each with a name, and gives the table.

    Args:
        stage: of the demo.
        grid: of the images that the fields are to be seen on, in metres.
        count: of fields, at most.
    """
    fine = grid.rescaled(_SEEN / grid.pixel_width)
    commune = stage.commune()
    land = commune.truth(fine)
    land = np.where(np.isin(land, _FIELDS), land, np.uint8(commune.classes.nodata))
    drawn = stage.images("fields") / "land.parquet"
    polygonise(ClassStrips(fine, [Strip(0, land[None])]), drawn, classes=commune.classes, simplify=2.0)
    shapes = read_shapes(drawn, "fields").geometry
    drawn.unlink()
    parts = shapely.get_parts(shapely.buffer(shapes, -_INSIDE))
    areas = shapely.area(parts)
    parts = parts[(areas >= _SMALLEST) & (areas <= _LARGEST)]
    bounds = fine.bounds
    middle = shapely.Point((bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2)
    nearest = parts[np.argsort(shapely.distance(shapely.centroid(parts), middle), kind="stable")[:count]]
    table = pa.table(
        {"name": [f"F{number:02d}" for number in range(1, len(nearest) + 1)], "geometry": shapely.to_wkb(nearest)}
    )
    return _written(table, drawn.with_name("fields.parquet"), fine.require_crs("fields"))


def _written(table: pa.Table, path: Path, crs: CRS) -> Path:
    with RowWriter(path, schema=table.schema, crs=crs) as writer:
        writer.write(table)
    return path
