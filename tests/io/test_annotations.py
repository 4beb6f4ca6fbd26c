"""Outlines that no image has room for: larger than the earth, or nowhere on it."""

import numpy as np
import pytest
import shapely

from arpent.core import Grid
from arpent.io.annotations import in_pixels

GRID = Grid.north_up(500_000, 4_690_000, 10, 60, 60, 32631)


@pytest.mark.parametrize("width", [1.0, 1e3, 1e9, 1e300])
def test_an_outline_of_any_size_takes_bounded_memory_and_stays_closed(width):
    outline = np.array([shapely.box(3.0, 42.0, 3.0 + width, 42.1)], object)
    (placed,) = in_pixels(outline, "EPSG:4326", GRID, "EPSG:32631")
    corners = shapely.get_coordinates(placed)
    assert 4 < len(corners) < 200_000
    assert np.isfinite(corners).all()
    assert placed.geom_type == "Polygon"
