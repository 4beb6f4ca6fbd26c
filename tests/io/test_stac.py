"""STAC Items and footprints, checked with the network off."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pystac
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from arpent.core import Grid, ground_area, nomenclature
from arpent.errors import GeoreferenceMissing, InputError, OutputError
from arpent.io import BandStatistics, RasterSpec, footprint, stac_item
from arpent.testing.items import validate_stac

WHEN = datetime(2024, 6, 1, 10, 30, tzinfo=UTC)
LAMBERT = Grid.north_up(652_000, 6_862_000, 0.2, 500, 600, "EPSG:2154")
GEOD = Geod(ellps="WGS84")


def area(geometry: dict[str, Any]) -> float:
    return abs(GEOD.geometry_area_perimeter(shapely.geometry.shape(geometry))[0])


def test_a_class_map_is_described_and_valid() -> None:
    spec = RasterSpec(LAMBERT, ("class",), "uint8", 0, nomenclature("commune"), "mode", title="Land cover")
    facts = BandStatistics("class", 0.5, 1.0, 13.0, 6.5, 3.0)
    item = stac_item("run-1", "classes.tif", grid=LAMBERT, start=WHEN, raster=spec, statistics=[facts])
    validate_stac(item)
    assert pystac.Item.from_dict(item).to_dict()["assets"]["data"] == item["assets"]["data"]
    asset = item["assets"]["data"]
    assert asset["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert asset["title"] == "Land cover"
    assert asset["proj:code"] == "EPSG:2154"
    assert asset["proj:shape"] == [500, 600]
    assert asset["proj:transform"][:6] == [0.2, 0, 652_000, 0, -0.2, 6_862_000]
    assert asset["proj:bbox"] == pytest.approx([652_000, 6_861_900, 652_120, 6_862_000])
    assert asset["bands"] == [
        {
            "name": "class",
            "data_type": "uint8",
            "raster:sampling": "area",
            "nodata": 0,
            "statistics": {"minimum": 1.0, "maximum": 13.0, "mean": 6.5, "stddev": 3.0, "valid_percent": 50.0},
        }
    ]
    classes = {entry["value"]: entry for entry in asset["classification:classes"]}
    assert classes[4]["name"] == "bare-soil"
    assert (classes[5]["title"], classes[5]["description"]) == ("water", "surface d'eau")
    assert classes[5]["color_hint"] == "1553AE"
    assert classes[0]["nodata"]
    assert [uri.split("/")[-3] for uri in item["stac_extensions"]] == ["projection", "raster", "classification"]


def test_times_are_utc_and_properties_are_kept() -> None:
    paris = timezone(timedelta(hours=2))
    item = stac_item(
        "f",
        "water.parquet",
        grid=LAMBERT,
        start=datetime(2024, 6, 1, 12, 0, tzinfo=paris),
        end=datetime(2024, 6, 4),
        properties={"forecast:horizon": "P3D", "title": "Water"},
    )
    validate_stac(item)
    assert item["properties"] == {
        "datetime": None,
        "start_datetime": "2024-06-01T10:00:00Z",
        "end_datetime": "2024-06-04T00:00:00Z",
        "forecast:horizon": "P3D",
        "title": "Water",
    }
    assert item["assets"]["data"]["type"] == "application/vnd.apache.parquet"
    assert "type" not in stac_item("f", "a.xyz", grid=LAMBERT, start=WHEN)["assets"]["data"]


def test_nan_and_unnamed_systems_have_words_in_json() -> None:
    custom = "+proj=laea +lat_0=46 +lon_0=3 +ellps=GRS80 +units=m"
    grid = Grid.north_up(0, 0, 10, 50, 50, custom)
    spec = RasterSpec(grid, ("v",), "float32", float("nan"), unit="dB")
    empty = BandStatistics("v", 0.0, None, None, None, None)
    item = stac_item("a", "v.tif", grid=grid, start=WHEN, raster=spec, statistics=[empty])
    validate_stac(item)
    assert "NaN" not in json.dumps(item)
    asset = item["assets"]["data"]
    assert asset["bands"][0]["nodata"] == "nan"
    assert asset["bands"][0]["unit"] == "dB"
    assert asset["bands"][0]["statistics"] == {"valid_percent": 0.0}
    assert (asset["proj:code"], asset["proj:projjson"]["type"]) == (None, "ProjectedCRS")


def test_a_picture_has_no_place() -> None:
    item = stac_item("a", "picture.tif", grid=Grid(50, 60), start=WHEN)
    validate_stac(item)
    assert item["geometry"] is None
    assert "bbox" not in item
    with pytest.raises(GeoreferenceMissing, match="a footprint"):
        footprint(Grid(50, 60))


def test_an_invalid_item_is_refused_in_one_line() -> None:
    item = stac_item("a", "b.tif", grid=LAMBERT, start=WHEN)
    for change in ({"properties": {}}, {"bbox": [1, 2]}, {"geometry": {"type": "Nonsense"}}, {"links": None}):
        with pytest.raises(OutputError, match=r"item 'a' is not valid STAC 1\.1\.0") as caught:
            validate_stac({**item, **change})
        assert "\n" not in str(caught.value)


@settings(max_examples=50)
@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-70, 70),
    size=st.integers(1, 3000),
    resolution=st.sampled_from([0.2, 10.0, 60.0]),
)
def test_footprints_cover_the_ground_of_their_grid(
    longitude: float, latitude: float, size: int, resolution: float
) -> None:
    crs = f"+proj=laea +lat_0={latitude} +lon_0={longitude} +ellps=WGS84"
    side = size * resolution
    grid = Grid.north_up(-side / 2, side / 2, resolution, size, size, crs)
    found = footprint(grid)
    assert area(found.geometry) == pytest.approx(ground_area(grid), rel=2e-3 if side > 20 else 0.1)
    west, south, east, north = found.bbox
    shape = shapely.geometry.shape(found.geometry)
    assert shape.is_valid
    assert -180 <= west <= 180
    assert -180 <= east <= 180
    assert south < north
    assert (west > east) == (shape.geom_type == "MultiPolygon")
    for part in shapely.get_parts(shape):
        assert part.exterior.is_ccw
    validate_stac(stac_item("a", "a.tif", grid=grid, start=WHEN))


def test_a_scene_on_the_antimeridian_is_two_parts() -> None:
    grid = Grid.north_up(177_000, 8_000_000, 60, 1830, 1830, "EPSG:32701")
    found = footprint(grid)
    assert found.geometry["type"] == "MultiPolygon"
    west, south, east, north = found.bbox
    assert 179 < west < 180
    assert -180 < east < -178
    assert found.bbox[1] == pytest.approx(-19.1, abs=0.2)
    lons = [x for part in shapely.get_parts(shapely.geometry.shape(found.geometry)) for x in part.exterior.xy[0]]
    assert np.abs(lons).max() == 180
    assert north > south
    item = stac_item("a", "a.tif", grid=grid, start=WHEN)
    validate_stac(item)
    assert item["bbox"][0] > item["bbox"][2]


@pytest.mark.parametrize(("code", "pole"), [("EPSG:3995", 90), ("EPSG:3031", -90)])
def test_a_scene_over_a_pole_reaches_it(code: str, pole: int) -> None:
    found = footprint(Grid.north_up(-2e6, 2e6, 1000, 4000, 4000, code))
    west, south, east, north = found.bbox
    assert (west, east) == (-180, 180)
    assert pole in (south, north)
    shape = shapely.geometry.shape(found.geometry)
    assert shape.is_valid
    assert shape.contains(shapely.Point(10.5, pole * 0.99))


def test_the_whole_earth() -> None:
    for left in (-180, 0):
        found = footprint(Grid.north_up(left, 90, 1, 180, 360, "EPSG:4326"))
        assert found.bbox == (-180, -90, 180, 90)


def test_a_grid_beyond_its_projection_is_refused() -> None:
    with pytest.raises(InputError, match="beyond the area"):
        footprint(Grid.north_up(-6e6, 6e6, 1e4, 1200, 1200, "+proj=geos +h=35785831 +lon_0=0 +sweep=y"))
