import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.control
import rasterio.shutil
import rasterio.warp
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS

from arpent.core import Grid, Window
from arpent.errors import (
    BandMismatch,
    FileMissing,
    GeoreferenceMissing,
    InvalidSetting,
    NoOverlap,
    UnknownName,
    UnreadableFile,
)
from arpent.io import ImageReader, cache, open_image

NOISE = np.random.default_rng(5)


def noise(*shape, dtype="uint16", high=10_001):
    return NOISE.integers(1, high, shape).astype(dtype)


@st.composite
def windows(draw, height, width):
    rows, cols = draw(st.integers(1, height)), draw(st.integers(1, width))
    return Window(draw(st.integers(0, height - rows)), draw(st.integers(0, width - cols)), rows, cols)


# --- on its own grid ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_pixels_come_back_as_they_were_written(write_tiff, utm, dtype):
    pixels = noise(3, 50, 70, dtype=dtype, high=200)
    path = write_tiff("a.tif", pixels, utm(50, 70))
    with open_image(path) as image:
        found = image.read(Window(3, 5, 40, 60))
        assert image.dtype == np.dtype(dtype)
        assert image.grid.matches(utm(50, 70))
        assert image.gsd == pytest.approx(10.0, rel=1e-3)
    np.testing.assert_array_equal(found.pixels, pixels[:, 3:43, 5:65])
    assert found.pixels.dtype == np.dtype(dtype)
    assert found.valid.all()
    assert found.grid.matches(utm(50, 70).crop(Window(3, 5, 40, 60)))


@given(data=st.data())
@settings(max_examples=40)
def test_any_window_is_the_crop_of_the_whole(scenes, data):
    window = data.draw(windows(SIDE, SIDE))
    with rasterio.open(scenes["noise"]) as dataset:
        whole = dataset.read()
    with open_image(scenes["noise"]) as image:
        found = image.read(window)
    np.testing.assert_array_equal(found.pixels, whole[(slice(None), *window.slices)])


def test_one_pixel(write_tiff, utm):
    with open_image(write_tiff("one.TIF", noise(1, 1, 1), utm(1, 1), tiled=False)) as image:
        assert image.read(image.grid.window).pixels.shape == (1, 1, 1)


def test_names_with_spaces_and_accents(write_tiff, utm):
    pixels = noise(1, 8, 8)
    path = write_tiff("été à Évreux/orthophoto n° 1.TIF", pixels, utm(8, 8))
    for source in (path, str(path), f"file://{path}"):
        with open_image(source) as image:
            np.testing.assert_array_equal(image.read(image.grid.window).pixels, pixels)


@pytest.mark.parametrize("window", [Window(0, 0, 0, 5), Window(-1, 0, 5, 5), Window(0, 6, 5, 5), Window(8, 8, 9, 1)])
def test_a_window_outside_is_refused(write_tiff, utm, window):
    path = write_tiff("a.tif", noise(1, 10, 10), utm(10, 10))
    with open_image(path) as image, pytest.raises(InvalidSetting, match="reaches outside"):
        image.read(window)


def test_scale_and_offset_are_told_and_not_applied(write_tiff, utm):
    pixels = noise(2, 8, 8)
    path = write_tiff("a.tif", pixels, utm(8, 8), scale=(1e-4, 2.0), offset=(-0.1, 0.0))
    with open_image(path, bands=("band_2", "band_1")) as image:
        assert image.scale == (2.0, 1e-4)
        assert image.offset == (0.0, -0.1)
        np.testing.assert_array_equal(image.read(image.grid.window).pixels, pixels[::-1])


def test_a_picture_without_georeference(write_tiff):
    pixels = noise(1, 20, 30)
    path = write_tiff("picture.tif", pixels, Grid(20, 30))
    with open_image(path) as image:
        assert image.grid == Grid(20, 30)
        assert image.gsd is None
        np.testing.assert_array_equal(image.read(image.grid.window).pixels, pixels)
    with open_image(path, grid=Grid(20, 30)) as image:
        np.testing.assert_array_equal(image.read(image.grid.window).pixels, pixels)


def test_a_local_drawing_frame_is_no_georeference(write_tiff, utm):
    path = write_tiff("local.tif", noise(1, 8, 8), Grid(8, 8, Affine(1, 0, 10, 0, -1, 10)))
    with rasterio.open(path, "r+") as dataset:
        dataset.crs = 'LOCAL_CS["site",UNIT["metre",1]]'
    with open_image(path) as image:
        assert image.grid.crs is None


def test_a_grid_asked_of_a_picture_without_georeference(write_tiff, utm):
    path = write_tiff("picture.tif", noise(1, 20, 30), Grid(20, 30))
    with pytest.raises(GeoreferenceMissing, match=r"picture\.tif has no coordinate reference system"):
        open_image(path, grid=utm(20, 30))


def test_a_grid_without_place_asked_of_a_map(write_tiff, utm):
    path = write_tiff("map.tif", noise(1, 20, 30), utm(20, 30))
    with pytest.raises(GeoreferenceMissing, match="the grid asked for"):
        open_image(path, grid=Grid(20, 30))


# --- which pixels count ---------------------------------------------------------------------------------------------


def test_a_pixel_counts_when_all_its_bands_do(write_tiff, utm):
    pixels = noise(2, 10, 10, dtype="int16")
    pixels[0, 2, 3] = pixels[1, 7, 7] = -9999
    with open_image(write_tiff("a.tif", pixels, utm(10, 10), nodata=-9999)) as image:
        assert image.nodata == -9999
        valid = image.read(image.grid.window).valid
    assert not valid[2, 3]
    assert not valid[7, 7]
    assert valid.sum() == 98


@pytest.mark.parametrize("nodata", [None, float("nan"), -99.0])
def test_numbers_that_are_none_never_count(write_tiff, utm, nodata):
    pixels = noise(2, 10, 10).astype("float32")
    pixels[0, 1, 1], pixels[1, 2, 2], pixels[0, 3, 3] = np.nan, np.inf, -np.inf
    pixels[0, 4, 4] = -99
    with open_image(write_tiff("a.tif", pixels, utm(10, 10), nodata=nodata)) as image:
        valid = image.read(image.grid.window).valid
    assert valid.sum() == (96 if nodata == -99 else 97)
    assert not valid[1, 1] and not valid[2, 2] and not valid[3, 3]


def test_the_largest_negative_float_as_no_data(write_tiff, utm):
    lowest = float(np.finfo(np.float32).min)
    pixels = noise(1, 4, 4).astype("float32")
    pixels[0, 0, 0] = lowest
    with open_image(write_tiff("a.tif", pixels, utm(4, 4), nodata=lowest)) as image:
        assert image.read(image.grid.window).valid.sum() == 15


def test_a_no_data_number_that_no_pixel_can_have(write_tiff, utm, tmp_path):
    path = write_tiff("a.tif", noise(1, 8, 8, dtype="uint8", high=255), utm(8, 8))
    vrt = tmp_path / "a.vrt"
    rasterio.shutil.copy(path, vrt, driver="VRT")
    vrt.write_text(vrt.read_text().replace("<ColorInterp>", "<NoDataValue>-9999</NoDataValue><ColorInterp>", 1))
    with open_image(vrt) as image:
        assert image.nodata is None
        assert image.read(image.grid.window).valid.all()


def test_a_mask_inside_the_file(write_tiff, utm):
    mask = np.full((10, 10), 255, np.uint8)
    mask[:4] = 0
    with open_image(write_tiff("a.tif", noise(3, 10, 10), utm(10, 10), mask=mask)) as image:
        np.testing.assert_array_equal(image.read(image.grid.window).valid, mask > 0)


def test_alpha_is_a_mask_and_no_band(write_tiff, utm):
    pixels = noise(4, 10, 10, dtype="uint8", high=255)
    pixels[3] = 255
    pixels[3, 5:] = 0
    path = write_tiff("rgba.tif", pixels, utm(10, 10), photometric="RGB", alpha="YES")
    with open_image(path) as image:
        found = image.read(image.grid.window)
        assert image.bands == ("red", "green", "blue")
    np.testing.assert_array_equal(found.pixels, pixels[:3])
    np.testing.assert_array_equal(found.valid, pixels[3] > 0)


def test_a_near_infrared_band_that_a_writer_called_alpha(write_tiff, utm):
    pixels = noise(4, 10, 10, dtype="uint8", high=255)
    pixels[3, 0, 0] = 0
    path = write_tiff("rgbn.tif", pixels, utm(10, 10), photometric="RGB", alpha="YES")
    grid = utm(10, 10, 10.0, left=500_003.0)
    with open_image(path, sensor="bd-ortho") as image:
        found = image.read(image.grid.window)
        assert image.bands == ("red", "green", "blue", "nir")
        assert found.valid.all()
        np.testing.assert_array_equal(found.pixels, pixels)
    with open_image(path, sensor="bd-ortho", grid=grid) as image:
        assert image.read(Window(0, 0, 9, 9)).valid.all()


def test_an_image_without_a_single_valid_pixel_opens(write_tiff, utm):
    with open_image(write_tiff("a.tif", np.zeros((1, 8, 8), "uint8"), utm(8, 8), nodata=0)) as image:
        assert not image.read(image.grid.window).valid.any()


# --- on another grid ------------------------------------------------------------------------------------------------


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

SIDE = 420


def across(resolution, crs="EPSG:32631"):
    """A grid of about three fifths of the scene, in the next zone."""
    (x,), (y,) = rasterio.warp.transform("EPSG:32630", crs, [702_100.0], [4_897_900.0])
    side = int(SIDE * 10 * 0.8 / resolution)
    return Grid.north_up(x - side * resolution / 2, y + side * resolution / 2, resolution, side, side, crs)


@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "nearest", "average"])
@pytest.mark.parametrize("resolution", [10.0, 5.7, 30.0])
@pytest.mark.parametrize(("kind", "limit"), [("noise", 5.0), ("smooth", 1.0)])
def test_window_invariance_between_utm_zones(scenes, kind, limit, resolution, resampling):
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


def test_the_warp_puts_pixels_where_they_belong(scenes):
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


# --- threads and lives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warped", [False, True])
def test_many_threads_read_the_same_image(scenes, warped):
    grid = across(10.0) if warped else None
    with open_image(scenes["noise"], grid=grid) as image:
        whole = image.read(image.grid.window).pixels
        rng = np.random.default_rng(1)
        asked = [Window(*map(int, rng.integers(0, 200, 2)), *map(int, rng.integers(1, 120, 2))) for _ in range(120)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(image.read, asked))
    for window, raster in zip(asked, found, strict=True):
        np.testing.assert_array_equal(raster.pixels, whole[(slice(None), *window.slices)])


def test_files_are_closed_with_the_reader(scenes):
    def open_files():
        links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
        return sum(link.readlink() == scenes["noise"] for link in links)

    image = open_image(scenes["noise"])
    barrier = threading.Barrier(3)

    def read(_):
        barrier.wait()
        return image.read(image.grid.window)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(read, range(3)))
    assert 1 <= open_files() <= 3
    image.close()
    assert open_files() == 0
    image.close()  # twice does no harm
    with pytest.raises(ValueError, match="closed"):
        image.read(Window(0, 0, 1, 1))


def test_a_forked_child_opens_its_own_files(scenes):
    with open_image(scenes["noise"]) as image:
        whole = image.read(image.grid.window).pixels
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover the child is not measured
            same = np.array_equal(image.read(Window(0, 0, 300, 300)).pixels, whole[:, :300, :300])
            os.write(writer, b"1" if same else b"0")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 1) == b"1"


def test_the_cache_is_as_large_as_the_open_images_need(write_tiff, utm, monkeypatch):
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    least = cache.limit()["GDAL_CACHEMAX"]
    wide = write_tiff("wide.tif", np.zeros((4, 16, 30_000), "uint8"), utm(16, 30_000))
    with open_image(wide), open_image(wide) as second:
        assert cache.limit()["GDAL_CACHEMAX"] == 2 * 4 * 30_000 * cache.ROWS_KEPT
        del second
    image = open_image(wide)
    del image  # never closed
    assert cache.limit()["GDAL_CACHEMAX"] == least
    monkeypatch.setenv("GDAL_CACHEMAX", "100")
    assert cache.limit() == {}


READ_ALL = """
import resource, sys
from arpent.core import Window
from arpent.io import open_image
with open_image(sys.argv[1]) as image:
    for row in range(0, image.grid.height, 512):
        image.read(Window(row, 0, 512, image.grid.width))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.alone
def test_memory_does_not_grow_with_the_height_of_the_image(tmp_path, utm):
    peaks = []
    for height in (4096, 20_480):
        path = tmp_path / f"{height}.tif"
        profile = {"driver": "GTiff", "count": 4, "dtype": "uint8", "height": height, "width": 4096, "tiled": True}
        grid = utm(height, 4096)
        with rasterio.open(path, "w", **profile, crs="EPSG:32631", transform=grid.transform, SPARSE_OK="TRUE"):
            """Nothing is written: GDAL makes zeros of it, and keeps those like other pixels."""
        environ = {name: value for name, value in os.environ.items() if name != "GDAL_CACHEMAX"}
        command = [sys.executable, "-c", READ_ALL, str(path)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] * 1.1


def test_a_reader_shows_what_it_is(scenes):
    with open_image(scenes["noise"]) as image:
        assert isinstance(image, ImageReader)
        assert "420 × 420, band_1" in repr(image)


# --- bad input: one line, and the cure ------------------------------------------------------------------------------


def test_a_missing_file_suggests_its_neighbour(write_tiff, utm):
    path = write_tiff("scene_2021.tif", noise(1, 8, 8), utm(8, 8))
    with pytest.raises(FileMissing, match=r"there is no .*scene_2012\.tif\. Did you mean 'scene_2021\.tif'\?"):
        open_image(path.with_name("scene_2012.tif"))
    with pytest.raises(FileMissing, match=r"The folder .* does not exist"):
        open_image(path.parent / "nowhere" / "a.tif")
    with pytest.raises(FileMissing, match="Check the path"):
        open_image(path.parent / "quite different")


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.tif").touch()
    with pytest.raises(UnreadableFile, match=r"empty\.tif is empty \(found 0 bytes\)\. Copy"):
        open_image(tmp_path / "empty.tif")


def test_text_that_is_called_an_image(tmp_path):
    (tmp_path / "notes.tif").write_text("not an image\n" * 20)
    with pytest.raises(UnreadableFile, match=r"notes\.tif is not an image that GDAL knows\. Check"):
        open_image(tmp_path / "notes.tif")


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.95])
def test_an_image_cut_short(write_tiff, utm, kept):
    path = write_tiff("cut.tif", noise(3, 300, 300), utm(300, 300))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UnreadableFile) as caught, open_image(path) as image:
        image.read(image.grid.window)
    assert "\n" not in str(caught.value)
    assert "cut.tif" in str(caught.value)


def test_a_wrong_band_or_sensor(write_tiff, utm):
    path = write_tiff("a.tif", noise(3, 8, 8), utm(8, 8), names=("red", "green", "nir"))
    with pytest.raises(BandMismatch, match=r"no band 'nirr' \(found bands red, green, nir\)\. Did you mean 'nir'\?"):
        open_image(path, bands=("nirr",))
    with pytest.raises(UnknownName, match="sentinel-2-l2a"):
        open_image(path, sensor="sentinel-2-l2")
    with pytest.raises(InvalidSetting, match="no band is asked for"):
        open_image(path, bands=())


def test_a_container_without_an_image_of_its_own(tmp_path, utm):
    path = tmp_path / "two.gpkg"
    grid = utm(8, 8)
    profile = {"driver": "GPKG", "count": 1, "dtype": "uint8", "height": 8, "width": 8, "crs": "EPSG:32631"}
    for table in ("first", "second"):
        extra = {"RASTER_TABLE": table, "APPEND_SUBDATASET": "YES" if path.exists() else "NO"}
        with rasterio.open(path, "w", **profile, transform=grid.transform, **extra) as dataset:
            dataset.write(np.ones((1, 8, 8), np.uint8))
    with pytest.raises(
        UnreadableFile, match=r"2 images inside\)\. Name one of them, for example GPKG:.*first"
    ) as caught:
        open_image(path)
    with open_image(str(caught.value).split("for example ")[1].rstrip(".")) as image:
        assert image.read(Window(0, 0, 8, 8)).pixels.any()


@pytest.mark.requires("data")
def test_real_images_of_many_kinds(data_folder):
    expected = {
        "landcover/naip/m_4709963_se_14_1_20120731.tif": ("bd-ortho", "nir", "uint8"),
        "s2/boadella/Boadella_2021-07-21.tif": ("sentinel-2-l2a", "B8A", "int16"),
        "sar/sen1floods11/Spain_7370579_S1Hand.tif": (None, "vh", "float32"),
        "sar/terramind_s1rtc/282D_485L_3_3.tif": ("sentinel-1", "vv", "float64"),
        "landcover/spacenet_wv2/sample_geotiff.tif": (None, "band_1", "uint16"),
    }
    for name, (sensor, band, dtype) in expected.items():
        with open_image(data_folder / name, sensor=sensor, bands=(band,)) as image:
            found = image.read(image.grid.window)
            assert found.pixels.dtype == np.dtype(dtype)
            assert found.valid.any()
            assert image.gsd is not None


@pytest.mark.requires("data")
def test_the_same_place_seen_by_two_sensors_on_one_grid(data_folder):
    """Two NAIP years differ by a row: on the grid of the first, the second is read straight and agrees with it."""
    folder = data_folder / "landcover" / "naip"
    with (
        open_image(folder / "m_4709963_se_14_1_20120731.tif", sensor="bd-ortho") as first,
        open_image(folder / "m_4709963_se_14_1_20150926.tif", sensor="bd-ortho") as own,
        open_image(folder / "m_4709963_se_14_1_20150926.tif", sensor="bd-ortho", grid=first.grid) as second,
    ):
        shared = second.grid.window_of(own.grid).intersect(second.grid.window)
        placed, straight = second.read(shared), own.read(shared.relative_to(second.grid.window_of(own.grid)))
    np.testing.assert_array_equal(placed.pixels, straight.pixels)
    assert placed.valid.mean() > 0.98
