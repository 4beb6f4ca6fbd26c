import warnings

import numpy as np
import pytest
import rasterio
import rasterio.control
import rasterio.warp
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS
from pyproj import Transformer

from arpent.core import Grid, Window
from arpent.errors import GeoreferenceMissing, NoOverlap, UnknownName
from arpent.io import open_image

NOISE = np.random.default_rng(5)
SIDE = 420  # of the scenes


def noise(*shape, dtype="uint16", high=10_001):
    return NOISE.integers(1, high, shape).astype(dtype)


@st.composite
def windows(draw, height, width):
    rows, cols = draw(st.integers(1, height)), draw(st.integers(1, width))
    return Window(draw(st.integers(0, height - rows)), draw(st.integers(0, width - cols)), rows, cols)


def test_the_same_pixels_are_read_straight(write_tiff, utm):
    pixels = noise(2, 40, 40)
    path = write_tiff("a.tif", pixels, utm(40, 40))
    grid = utm(60, 30, left=499_900.0, top=5_000_050.0)  # 10 columns to the left, 5 rows higher
    with open_image(path, grid=grid) as image:
        found = image.read(grid.window)
    np.testing.assert_array_equal(found.pixels[:, 5:45, 10:], pixels[:, :, :20])
    assert found.valid[5:45, 10:].all()
    assert found.valid.sum() == 40 * 20


def test_outside_is_filled_with_the_no_data_number(write_tiff, utm):
    path = write_tiff("a.tif", noise(1, 10, 10, dtype="int16"), utm(10, 10), nodata=-9999)
    grid = utm(10, 20, left=499_900.0)
    with open_image(path, grid=grid) as image:
        found = image.read(Window(0, 0, 10, 15))
        beside = image.read(Window(0, 0, 10, 5))
    assert (found.pixels[0, :, :10] == -9999).all()
    assert not beside.valid.any()
    assert (beside.pixels == -9999).all()


@pytest.mark.parametrize(("nodata", "fill"), [(None, 0), (0, 0), (65535, 65535)])
def test_a_warped_image_says_where_it_is(write_tiff, utm, nodata, fill):
    path = write_tiff("a.tif", noise(2, 40, 40), utm(40, 40), nodata=nodata)
    grid = utm(80, 80, 10.0, left=499_795.0, top=5_000_205.0)  # half a pixel off
    with open_image(path, grid=grid) as image:
        found = image.read(grid.window)
    assert 39**2 <= found.valid.sum() <= 41**2
    assert found.valid[25:55, 25:55].all()
    assert (found.pixels[:, ~found.valid] == fill).all()


def test_no_data_is_never_averaged_into_its_neighbours(write_tiff, utm):
    pixels = np.full((2, 60, 60), 1000, "int16")
    pixels[0, 20:30, 20:30] = -9999  # in one band only
    path = write_tiff("a.tif", pixels, utm(60, 60), nodata=-9999)
    grid = utm(30, 30, 17.3, left=500_031.0, top=4_999_969.0)
    with open_image(path, grid=grid) as image:
        found = image.read(grid.window)
    assert not found.valid.all()
    assert (found.pixels[:, found.valid] == 1000).all()


@pytest.mark.parametrize("nodata", [None, float("nan")])
def test_not_a_number_stays_where_it_is(write_tiff, utm, nodata):
    pixels = np.full((2, 60, 60), 10.0, "float32")
    pixels[1, 20:40, 20:40] = np.nan
    path = write_tiff("a.tif", pixels, utm(60, 60), nodata=nodata)
    grid = utm(30, 30, 17.3, left=500_031.0, top=4_999_969.0)
    with open_image(path, grid=grid) as image:
        found = image.read(grid.window)
    hole = (~found.valid).sum() * 17.3**2
    assert 180**2 < hole < 240**2  # 200 m wide, and the pixels that would have been made from it
    assert (found.pixels[:, found.valid] == 10).all()


def test_an_unknown_resampling_is_told_at_once(write_tiff, utm):
    with pytest.raises(UnknownName, match="Did you mean 'bilinear'"):
        open_image(write_tiff("a.tif", noise(1, 8, 8), utm(8, 8)), resampling="bilinaer")


def test_control_points_are_no_georeference(write_tiff, utm):
    path = write_tiff("raw.tif", noise(1, 20, 30), Grid(20, 30))
    corners = [(0, 0, 2.0, 43.0), (0, 30, 2.3, 43.0), (20, 0, 2.0, 42.8), (20, 30, 2.3, 42.8)]
    with warnings.catch_warnings(action="ignore"), rasterio.open(path, "r+") as dataset:
        dataset.gcps = [rasterio.control.GroundControlPoint(*corner) for corner in corners], "EPSG:4326"
    with open_image(path) as image:
        assert image.grid.crs is None
    with pytest.raises(GeoreferenceMissing):
        open_image(path, grid=utm(20, 30))


def test_a_grid_on_the_other_side_of_the_date_line(write_tiff):
    pixels = np.full((1, 200, 200), 9, "uint8")
    path = write_tiff("fiji.tif", pixels, Grid.north_up(779_000, 8_120_000, 100, 200, 200, "EPSG:32760"))
    with open_image(path, grid=Grid.north_up(179.7, -16.85, 0.001, 150, 150, "EPSG:4326")) as image:
        assert image.read(image.grid.window).valid.any()
    beyond = Grid.north_up(160_000, 8_130_000, 100, 300, 600, "EPSG:32701")
    with open_image(path, grid=beyond) as image:
        assert image.read(beyond.window).valid.any()


def test_an_invalid_pixel_by_mask_is_never_averaged_either(write_tiff, utm):
    pixels = np.full((1, 60, 60), 100, "uint8")
    pixels[:, :30] = 255
    mask = np.full((60, 60), 255, np.uint8)
    mask[:30] = 0
    path = write_tiff("a.tif", pixels, utm(60, 60), mask=mask)
    grid = utm(30, 30, 17.3, left=500_031.0, top=4_999_969.0)
    with open_image(path, grid=grid) as image:
        found = image.read(grid.window)
    assert 0.3 < found.valid.mean() < 0.7
    assert (found.pixels[0, found.valid] == 100).all()


def test_alpha_through_a_warp(write_tiff, utm):
    pixels = np.full((4, 60, 60), 100, "uint8")
    pixels[3] = 255
    pixels[3, :30] = 0
    path = write_tiff("a.tif", pixels, utm(60, 60), photometric="RGB", alpha="YES")
    grid = utm(30, 30, 17.3, left=500_031.0, top=4_999_969.0)
    with open_image(path, grid=grid, bands=("blue", "red")) as image:
        found = image.read(grid.window)
    assert found.pixels.shape == (2, 30, 30)
    assert 0.3 < found.valid.mean() < 0.7


def test_bands_of_a_warped_image_are_those_asked_for(write_tiff, utm):
    pixels = np.stack([np.full((40, 40), value, "uint16") for value in (100, 200, 300, 400)])
    path = write_tiff("a.tif", pixels, utm(40, 40), names=("b", "g", "r", "n"))
    grid = utm(20, 20, 11.0, left=500_050.0, top=4_999_950.0)
    with open_image(path, grid=grid, bands=("n", "g", "n")) as image:
        found = image.read(grid.window)
    np.testing.assert_array_equal(found.pixels[:, 10, 10], [400, 200, 400])


@pytest.mark.parametrize("how", ["nodata", "mask", "alpha"])
def test_some_bands_of_a_warped_image_keep_its_holes(write_tiff, utm, how):
    pixels = np.full((4, 60, 60), 100, "uint8")
    hole = np.zeros((60, 60), bool)
    hole[20:40, 20:40] = True
    options = {}
    if how == "nodata":
        pixels[:, hole], options = 0, {"nodata": 0}
    elif how == "mask":
        options = {"mask": np.where(hole, 0, 255).astype("uint8")}
    else:
        pixels[3], options = np.where(hole, 0, 255), {"photometric": "RGB", "alpha": "YES"}
    path = write_tiff("a b&c<d>.tif", pixels, utm(60, 60), **options)
    grid = utm(40, 40, 10.0, left=500_104.0, top=4_999_896.0)
    first = "red" if how == "alpha" else "band_1"
    with open_image(path, bands=(first,), grid=grid) as image:
        found = image.read(grid.window)
    assert 18**2 <= (~found.valid).sum() <= 20**2
    assert (found.pixels[0, found.valid] == 100).all()


def test_coordinates_that_are_nowhere(write_tiff, utm):
    path = write_tiff("lost.tif", noise(1, 8, 8), utm(8, 8, left=1e12))
    with pytest.raises(NoOverlap):
        open_image(path, grid=Grid.north_up(2, 45, 0.001, 8, 8, "EPSG:4326"))


def test_no_common_ground(write_tiff, utm):
    path = write_tiff("a.tif", noise(1, 10, 10), utm(10, 10))
    for grid in (utm(10, 10, left=600_000.0), Grid.north_up(-60, 10, 0.01, 10, 10, "EPSG:4326")):
        with pytest.raises(NoOverlap, match=r"a\.tif does not reach the area .* Check"):
            open_image(path, grid=grid)
    own = Grid.north_up(0, 0, 30, 10, 10, "+proj=laea +lat_0=-40 +lon_0=100")  # a system without a number has a name
    with pytest.raises(NoOverlap) as apart:
        open_image(path, grid=own)
    assert "EPSG:32631" in str(apart.value) and "PROJCRS" not in str(apart.value)


def test_nearest_makes_no_new_numbers(write_tiff, utm):
    classes = NOISE.integers(0, 12, (1, 60, 60)).astype("uint8")
    path = write_tiff("classes.tif", classes, utm(60, 60))
    grid = utm(50, 50, 7.3, left=500_031.0, top=4_999_969.0)
    with open_image(path, grid=grid, resampling="nearest") as image:
        found = image.read(grid.window)
    there = ~utm(60, 60).transform
    cols, rows = np.meshgrid(np.arange(50) + 0.5, np.arange(50) + 0.5)
    xs, ys = grid.transform.c + 7.3 * cols, grid.transform.f - 7.3 * rows
    picked = classes[0][np.floor(there.e * ys + there.f).astype(int), np.floor(there.a * xs + there.c).astype(int)]
    np.testing.assert_array_equal(found.pixels[0], picked)


# --- a window equals the crop of the whole, also through reprojection -----------------------------------------------


@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "nearest", "average"])
@pytest.mark.parametrize("resolution", [10.0, 5.7, 30.0])
@pytest.mark.parametrize(("kind", "limit"), [("noise", 5.0), ("smooth", 1.0)])
def test_window_invariance_between_utm_zones(scenes, across, kind, limit, resolution, resampling):
    grid = across(resolution)
    with open_image(scenes[kind], grid=grid, resampling=resampling) as image:
        whole = image.read(grid.window)

    @given(window=windows(grid.height, grid.width))
    @settings(max_examples=8)
    def check(window):
        with open_image(scenes[kind], grid=grid, resampling=resampling) as image:  # another cache of blocks
            part = image.read(window)
        difference = np.abs(part.pixels[0].astype(float) - whole.pixels[0][window.slices])
        assert difference.max() <= limit
        assert difference.max() == 0  # what is promised is more than what was asked
        np.testing.assert_array_equal(part.valid, whole.valid[window.slices])

    check()


def test_the_warp_puts_pixels_where_they_belong(scenes, across):
    grid = across(10.0)
    with open_image(scenes["smooth"], grid=grid) as image:
        found = image.read(grid.window).pixels[0]
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    xs, ys = grid.transform.c + 10 * cols, grid.transform.f - 10 * rows
    back_x, back_y = rasterio.warp.transform("EPSG:32631", "EPSG:32630", xs.ravel(), ys.ravel())
    col = (np.reshape(back_x, cols.shape) - 700_000) / 10 - 0.5
    row = (4_900_000 - np.reshape(back_y, cols.shape)) / 10 - 0.5
    truth = 5000 + 4000 * np.sin(col / 37) * np.cos(row / 53)
    inside = (col > 1) & (col < SIDE - 2) & (row > 1) & (row < SIDE - 2)
    assert np.abs(found - truth)[inside].max() < 2.0  # bilinear interpolation flattens the tops by 0.4 or so


def test_degrees_and_rotated_grids(scenes):
    lonlat = Grid.north_up(-0.49, 44.22, 1.3e-4, 200, 200, "EPSG:4326")
    turned = Grid(
        150, 150, Affine.translation(701_500, 4_898_500) @ Affine.rotation(30) @ Affine.scale(10, -10), CRS(32630)
    )
    for grid in (lonlat, turned):
        with open_image(scenes["smooth"], grid=grid) as image:
            whole = image.read(grid.window)
            assert whole.valid.any()
            part = image.read(Window(31, 47, 60, 50))
        np.testing.assert_array_equal(part.pixels, whole.pixels[:, 31:91, 47:97])


ANTIMERIDIAN = {
    "UTM 60": ("EPSG:32760", 796_000, 8_120_000, 100),
    "UTM 1": ("EPSG:32701", 165_000, 8_120_000, 100),
    "degrees to 180.2": ("EPSG:4326", 179.8, -16.96, 0.001),
    "degrees from -180.2": ("EPSG:4326", -180.2, -16.9604, 0.001),
}


@pytest.mark.parametrize("own", ANTIMERIDIAN)
@pytest.mark.parametrize("wanted", ANTIMERIDIAN)
def test_the_antimeridian_is_ground_like_any_other(write_tiff, own, wanted):
    grids = []
    for name in (own, wanted):
        crs, left, top, resolution = ANTIMERIDIAN[name]
        grids.append(Grid.north_up(left, top, resolution, 380, 400, CRS(crs)))
    path = write_tiff("a.tif", slope(grids[0])[None], grids[0], nodata=-9999)
    with open_image(path, grid=grids[1], resampling="bilinear") as image:
        found = image.read(grids[1].window)
    # What is shared reaches from 179.8° to 180.2°, or nearly so.
    assert found.valid.mean() > 0.75
    assert np.abs(found.pixels[0] - slope(grids[1]))[found.valid].max() < 2


def slope(grid):
    """Numbers that say where on earth each pixel lies; the image of a plane, a pixel is about 3."""
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    t = grid.transform
    x, y = t.a * cols + t.c, t.e * rows + t.f
    there = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = there.transform(x, y) if not grid.crs.geographic else (x, y)
    return (3000 * (lon % 360 - 179) + 1000 * (lat + 18)).astype(np.float32)
