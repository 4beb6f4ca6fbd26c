"""Where pixels lie."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS

from arpent.core import Grid, Raster, Strip, Window, ground_area, ground_sampling_distance, pixel_area
from arpent.core.areas import ground_outline
from arpent.errors import GeoreferenceMissing, InvalidSetting

LAMBERT = Grid.north_up(650_000.0, 6_860_000.0, 0.2, 4000, 3000, 2154)

transforms = st.builds(
    lambda x, y, size, turn: Affine.translation(x, y) @ Affine.rotation(turn) @ Affine.scale(size, -size),
    st.floats(-1e6, 1e6),
    st.floats(-1e6, 1e6),
    st.floats(0.1, 100),
    st.floats(-180, 180),
)
grids = st.builds(Grid, st.integers(1, 500), st.integers(1, 500), transforms, st.just(LAMBERT.crs))


@given(grids, st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 90), st.integers(1, 90))
def test_a_crop_lies_where_its_window_says(grid: Grid, row: int, col: int, height: int, width: int) -> None:
    crop = grid.crop(Window(row, col, height, width))
    for corner in ((0, 0), (width, height)):
        there = grid.transform @ (col + corner[0], row + corner[1])
        assert crop.transform @ corner == pytest.approx(there, rel=1e-12, abs=1e-6)


@given(grids, st.integers(0, 40), st.integers(0, 40), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=50)
def test_the_window_of_a_crop_is_found_again(grid: Grid, row: int, col: int, height: int, width: int) -> None:
    """For grids along the axes; of a turned one the box around the crop is larger."""
    upright = Grid(grid.height, grid.width, Affine(grid.pixel_width, 0, grid.transform.c, 0, -grid.pixel_width, 0.0))
    window = Window(row, col, height, width)
    assert upright.window_of(upright.crop(window)) == window
    assert window in grid.window_of(grid.crop(window))


@given(grids, st.integers(1, 9))
def test_a_coarser_grid_covers_the_fine_one_from_the_same_corner(grid: Grid, factor: int) -> None:
    coarse = grid.coarsened(factor)
    assert coarse.transform @ (0, 0) == grid.transform @ (0, 0)
    assert coarse.pixel_width == pytest.approx(grid.pixel_width * factor)
    assert coarse.height == math.ceil(grid.height / factor)
    assert coarse.width == math.ceil(grid.width / factor)


def test_a_thousandth_of_a_pixel_is_forgiven_and_a_hundredth_is_not() -> None:
    def moved(pixels: float) -> Grid:
        return Grid(*LAMBERT.shape, LAMBERT.transform @ Affine.translation(pixels, 0), LAMBERT.crs)

    assert LAMBERT.matches(moved(5e-4))
    assert not LAMBERT.matches(moved(1e-2))
    assert LAMBERT.window_of(moved(5e-4)) == LAMBERT.window
    assert not LAMBERT.matches(LAMBERT.crop(Window(0, 0, 10, 10)))
    assert not LAMBERT.matches(Grid(*LAMBERT.shape, LAMBERT.transform, Grid.north_up(0, 0, 1, 1, 1, 32631).crs))


def test_the_bounds_of_a_turned_grid_hold_all_corners() -> None:
    turned = Grid(10, 10, Affine.rotation(45), LAMBERT.crs)
    box = turned.bounds
    assert box.right - box.left == pytest.approx(10 * math.sqrt(2))
    assert box.top - box.bottom == pytest.approx(10 * math.sqrt(2))


def test_a_picture_has_no_place() -> None:
    picture = Grid(10, 20)
    assert LAMBERT.georeferenced
    assert not picture.georeferenced
    assert ground_sampling_distance(picture) is None
    with pytest.raises(GeoreferenceMissing, match="the photo has no coordinate reference system"):
        picture.require_crs("the photo")
    with pytest.raises(GeoreferenceMissing):
        ground_area(picture)


def test_a_reference_system_has_a_name_for_people() -> None:
    wkt = CRS("+proj=laea +lat_0=12.3 +lon_0=4.5").to_wkt().replace("unknown", "Local plain", 1)
    assert Grid.north_up(0, 0, 30, 4, 4, 32631).crs_name == "EPSG:32631"
    assert Grid.north_up(0, 0, 30, 4, 4, CRS(wkt)).crs_name == "Local plain"
    assert Grid(4, 4).crs_name == ""


def test_a_grid_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="found 3 × 0"):
        Grid(0, 3)


def _area_below(latitude: float) -> float:
    """Square metres per radian of longitude between the equator and a latitude: the closed form on WGS 84."""
    short, e = 6_356_752.314245, 0.0818191908426
    s = math.sin(math.radians(latitude))
    return short**2 / 2 * (s / (1 - (e * s) ** 2) + math.log((1 + e * s) / (1 - e * s)) / (2 * e))


@pytest.mark.parametrize("south", [0, 45, 80, -33])
def test_areas_are_those_of_the_ellipsoid(south: int) -> None:
    degree = Grid.north_up(2, south + 1, 0.01, 100, 100, 4326)
    exact = math.radians(1) * (_area_below(south + 1) - _area_below(south))
    assert ground_area(degree) == pytest.approx(exact, rel=1e-5)
    mercator = Grid.north_up(0, 8_399_737.9, 10.0, 100, 100, 3857)  # at 60° north a Mercator metre is half a metre
    assert pixel_area(mercator) == pytest.approx(25, rel=0.01)


def test_parts_add_up_to_the_whole() -> None:
    whole = ground_area(LAMBERT)
    assert sum(ground_area(LAMBERT, strip) for strip in LAMBERT.window.strips(700)) == pytest.approx(whole, rel=1e-9)
    assert pixel_area(LAMBERT) == pytest.approx(0.04, rel=2e-3)
    assert ground_sampling_distance(LAMBERT) == pytest.approx(0.2, rel=1e-3)


def test_the_antimeridian_is_no_border() -> None:
    fiji = Grid.north_up(179.5, -16.0, 0.01, 100, 100, 4326)
    here = Grid.north_up(10.5, -16.0, 0.01, 100, 100, 4326)
    assert ground_area(fiji) == pytest.approx(ground_area(here), rel=1e-9)
    lons = ground_outline(fiji)[:, 0]
    assert np.ptp(lons) == pytest.approx(1.0)


def test_a_raster_agrees_with_itself() -> None:
    grid = Grid(2, 3)
    raster = Raster(np.zeros((2, 2, 3)), np.ones((2, 3), bool), grid, ("red", "nir"))
    assert raster.band("nir").shape == (2, 3)
    with pytest.raises(InvalidSetting, match="disagree"):
        Raster(np.zeros((3, 2, 3)), np.ones((2, 3), bool), grid, ("red", "nir"))
    with pytest.raises(InvalidSetting, match="disagree"):
        Raster(np.zeros((2, 2, 3)), np.ones((3, 2), bool), grid, ("red", "nir"))


def test_a_strip_knows_where_it_ends() -> None:
    assert Strip(7, np.zeros((1, 5, 9))).row_end == 12
