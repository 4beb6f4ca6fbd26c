import os
import subprocess
import sys
import threading
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

from arpent.core import Grid, Window
from arpent.errors import (
    BandMismatch,
    FileMissing,
    GeoreferenceMissing,
    InvalidSetting,
    UnknownName,
    UnreadableFile,
)
from arpent.io import ImageReader, cache, open_image

NOISE = np.random.default_rng(5)
SIDE = 420  # of the scenes


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


@pytest.mark.parametrize("bands", [None, ("red", "nir"), ("nir",)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_band_with_a_name_is_no_mask_although_it_is_marked_alpha(write_tiff, utm, bands, masked):
    pixels = noise(4, 20, 20, dtype="uint8", high=255)
    pixels[3] = 0  # water: as alpha, it would hide everything
    mask = np.full((20, 20), 255, "uint8")
    if masked:
        mask[:, :8] = 0
    names = ("red", "green", "blue", "nir")
    options = {"mask": mask} if masked else {}
    path = write_tiff("rgbn.tif", pixels, utm(20, 20), photometric="RGB", alpha="YES", names=names, **options)
    with open_image(path, bands=bands) as image:
        found = image.read(image.grid.window)
        assert image.bands == (bands or names)
    np.testing.assert_array_equal(found.valid, mask > 0)
    np.testing.assert_array_equal(found.pixels, pixels[[names.index(name) for name in image.bands]])
    with open_image(path, bands=bands, grid=utm(18, 18, 10.0, left=500_003.0)) as image:
        warped = image.read(image.grid.window)
    assert warped.valid[1:-1, 9:-1].all()
    assert warped.valid[:, :6].any() != masked
    assert not warped.pixels[image.bands.index("nir")].any() if "nir" in image.bands else True


def test_an_image_without_a_single_valid_pixel_opens(write_tiff, utm):
    with open_image(write_tiff("a.tif", np.zeros((1, 8, 8), "uint8"), utm(8, 8), nodata=0)) as image:
        assert not image.read(image.grid.window).valid.any()


# --- threads and lives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warped", [False, True])
def test_many_threads_read_the_same_image(scenes, across, warped):
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
from arpent.testing.memory import peak_memory
print(peak_memory())
"""


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
