"""Where pictures lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from arpent.errors import InputError
from arpent.io.photo_place import camera_spot, place_of


def tags(latitude: str, longitude: str, south: str = "N", west: str = "E") -> dict[str, str]:
    return {
        "EXIF_GPSLatitude": latitude,
        "EXIF_GPSLatitudeRef": south,
        "EXIF_GPSLongitude": longitude,
        "EXIF_GPSLongitudeRef": west,
    }


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 89), st.integers(0, 59), st.floats(0, 59.99), st.sampled_from("NS"), st.sampled_from("EW"))
def test_degrees_minutes_and_seconds_are_read(degrees: int, minutes: int, seconds: float, side: str, way: str) -> None:
    text = f"({degrees}) ({minutes}) ({seconds:.4f})"
    value = degrees + minutes / 60 + round(seconds, 4) / 3600
    spot = camera_spot(tags(text, text, side, way))
    if value == 0:
        assert spot is None
        return
    assert spot is not None
    assert spot.y == pytest.approx(-value if side == "S" else value)
    assert spot.x == pytest.approx(-value if way == "W" else value)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_other_text_names_no_spot_beyond_the_earth(latitude: str, longitude: str) -> None:
    spot = camera_spot(tags(latitude, longitude))
    assert spot is None or (abs(spot.x) <= 180 and abs(spot.y) <= 90)


def test_what_is_no_spot_on_earth_is_none() -> None:
    assert camera_spot({}) is None
    assert camera_spot(tags("(0) (0) (0)", "(0) (0) (0)")) is None
    assert camera_spot(tags("(91) (0) (0)", "(2) (0) (0)")) is None
    assert camera_spot(tags("(45) (0)", "(2) (0) (0)")) is None


def test_a_georeferenced_image_lies_where_its_ground_does(tmp_path: Path) -> None:
    placed, picture, photo = (tmp_path / name for name in ("a.tif", "b.tif", "c.jpg"))
    pixels = np.full((3, 40, 50), 90, np.uint8)
    shape = {"width": 50, "height": 40, "count": 3, "dtype": "uint8"}
    with rasterio.open(placed, "w", crs="EPSG:2154", transform=Affine(10, 0, 549_000, 0, -10, 6_701_000), **shape) as d:
        d.write(pixels)
    with rasterio.open(photo, "w", driver="JPEG", transform=Affine.scale(2.0), **shape) as d:
        d.write(pixels)
        d.update_tags(**tags("(45) (30) (36)", "(73) (30) (0)", west="W"))
    ground = place_of(placed)
    assert isinstance(ground, shapely.Polygon)
    to_degrees = Transformer.from_crs("EPSG:2154", "OGC:CRS84", always_xy=True)
    assert ground.contains(shapely.Point(to_degrees.transform(549_001, 6_700_999)))
    assert not ground.contains(shapely.Point(to_degrees.transform(549_501, 6_700_999)))
    spot = place_of(photo)
    assert isinstance(spot, shapely.Point)
    assert (spot.x, spot.y) == pytest.approx((-73.5, 45.51))
    with rasterio.open(picture, "w", transform=Affine.scale(2.0), **shape) as d:
        d.write(pixels)
    assert place_of(picture) is None
    picture.write_bytes(b"II*\0 no image")
    with pytest.raises(InputError):
        place_of(picture)
