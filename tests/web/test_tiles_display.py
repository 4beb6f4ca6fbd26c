"""Display images: where they lie, what their bytes mean, and which files they are never made of."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer

from arpent.core import ByteScale, Grid, Strip
from arpent.errors import FileMissing, GeoreferenceMissing, InvalidSetting, NoOverlap, UnreadableFile
from arpent.io import CogWriter, RasterSpec
from arpent.web.layers import Entry, Legend
from arpent.web.tiles import Shelf, canvas_of, colour_bands, display, palette_of
from arpent.web.tiles.canvas import TILE, WORLD, pixel_size
from arpent.web.tiles.tones import tones_of

LEGEND = Legend(tuple(Entry(value, f"#{value:02x}00ff", f"class {value}", f"classe {value}") for value in (7, 3, 200)))


def write(path: Path, pixels: NDArray[np.generic], grid: Grid, nodata: float | None = 0) -> Path:
    names = tuple(f"b{number}" for number in range(len(pixels)))
    with CogWriter(path, RasterSpec(grid, names, str(pixels.dtype), nodata, overviews="nearest")) as writer:
        writer.write(Strip(0, pixels))
    return path


def some_classes(side: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    coarse = rng.choice([7, 3, 200], (1, side // 4, side // 4), p=[0.5, 0.4, 0.1]).astype(np.uint8)
    fine = coarse.repeat(4, axis=1).repeat(4, axis=2)
    lost = rng.random(fine.shape) < 0.05
    fine[lost] = rng.choice([7, 3, 200], int(lost.sum()))
    fine[:, : side // 8, : side // 8] = 0
    return fine


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classes in UTM, 640 × 640 pixels of 10 m."""
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 640, 640, 32631)
    return write(tmp_path_factory.mktemp("source") / "classes.tif", some_classes(640), grid)


@pytest.fixture(scope="module")
def shown(source: Path) -> display.Display:
    return display.make(source, "classes", LEGEND, source.with_name("shown.tif"))


def test_pixels_are_never_coarser_than_those_of_the_image_nor_twice_as_fine(shown: display.Display) -> None:
    with rasterio.open(shown.file) as dataset:
        assert dataset.block_shapes == [(TILE, TILE)]
        assert dataset.dtypes == ("uint8",)
        # 10 m at 45° N are 14.2 m of the map.
        assert 7.1 < dataset.res[0] <= 14.2
        assert dataset.res[0] == pixel_size(shown.maxzoom)
        assert max(dataset.shape) / 2 ** len(dataset.overviews(1)) <= TILE
        assert ((dataset.transform.c + WORLD) / dataset.res[0]) % TILE == pytest.approx(0, abs=1e-6)


def test_at_native_zoom_the_map_shows_the_classes_of_the_image(source: Path, shown: display.Display) -> None:
    with rasterio.open(shown.file) as dataset, rasterio.open(source) as analytic:
        bytes_ = dataset.read(1)
        rows, cols = np.meshgrid(*(np.arange(0, side, 3) for side in bytes_.shape), indexing="ij")
        xs, ys = dataset.transform @ (cols + 0.5, rows + 0.5)
        xs, ys = Transformer.from_crs(3857, analytic.crs, always_xy=True).transform(xs, ys)
        there_cols, there_rows = (np.floor(one).astype(int) for one in ~analytic.transform @ (xs, ys))
        inside = (there_rows >= 0) & (there_cols >= 0) & (there_rows < 640) & (there_cols < 640)
        truth = analytic.read(1)[np.where(inside, there_rows, 0), np.where(inside, there_cols, 0)]
    values = np.array([0, *(entry.value for entry in LEGEND.entries)])
    same = values[bytes_[rows, cols]] == np.where(inside, truth, 0)
    assert same[inside].mean() >= 0.99
    assert same[~inside].mean() >= 0.99


def test_every_zoom_shows_the_shares_of_the_classes_within_a_point(source: Path, shown: display.Display) -> None:
    with rasterio.open(source) as analytic:
        counts = np.bincount(analytic.read(1).ravel(), minlength=256)
    truth = np.array([counts[entry.value] for entry in LEGEND.entries]) / counts[1:].sum()
    for level in range(-1, shown.maxzoom - shown.minzoom):
        options = {} if level < 0 else {"overview_level": level}
        with rasterio.open(shown.file, **options) as dataset:
            found = np.bincount(dataset.read(1).ravel(), minlength=4)[1:4]
        assert np.abs(found / found.sum() - truth).max() < 0.01


def test_quantities_lie_between_the_ends_of_their_ramp(tmp_path: Path) -> None:
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 32, 32, 32631)
    pixels = np.linspace(-1, 1, 1024, dtype=np.float32).reshape(1, 32, 32)
    pixels[0, 0, 0] = np.nan
    source = write(tmp_path / "a.tif", pixels, grid, np.nan)
    made = display.make(source, "change", Legend((), ("#000000", "#ffffff"), -0.5, 0.5), tmp_path / "d" / "a.tif")
    with rasterio.open(made.file) as dataset:
        bytes_ = dataset.read(1)
    assert set(np.unique(bytes_)) == set(range(256))
    assert made.bands == 1


def test_dates_are_places_in_their_legend_and_strange_numbers_nothing(tmp_path: Path) -> None:
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 40, 40, 32631)
    pixels = np.full((1, 40, 40), 2024245, np.int32)
    pixels[:, :10], pixels[:, 10:20], pixels[:, 20:30] = -100, 2024061, 1999001
    legend = Legend(tuple(Entry(day, "#000000", "", "") for day in (2024245, 2024061)))
    made = display.make(write(tmp_path / "a.tif", pixels, grid, -100), "date", legend, tmp_path / "d.tif")
    with rasterio.open(made.file) as dataset:
        numbers = dataset.read(1)
    assert set(np.unique(numbers)) == {0, 1, 2}
    assert (numbers == 1).sum() == pytest.approx((numbers == 2).sum(), rel=0.15)


def test_of_many_bands_the_first_can_be_shown(tmp_path: Path) -> None:
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 20, 20, 32631)
    pixels = np.zeros((70, 20, 20), np.float32)
    pixels[3] = 1
    source = write(tmp_path / "a.tif", pixels, grid, np.nan)
    made = display.make(source, "embedding", Legend((), ("#000000", "#ffffff"), 0, 1), tmp_path / "d.tif")
    assert made.bands == 64
    with rasterio.open(made.file) as dataset:
        assert [dataset.read(band).max() for band in (1, 4)] == [1, 255]


def test_a_picture_without_data_is_an_empty_one(tmp_path: Path) -> None:
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 20, 20, 32631)
    source = write(tmp_path / "a.tif", np.zeros((3, 20, 20), np.uint8), grid, 0)
    made = display.make(source, "composite", Legend(), tmp_path / "d.tif")
    with rasterio.open(made.file) as dataset:
        assert not dataset.read().any()


def test_pictures_are_stretched_and_their_bands_chosen(tmp_path: Path) -> None:
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 64, 64, 32631)
    rng = np.random.default_rng(1)
    pixels = rng.integers(1000, 3000, (4, 64, 64)).astype(np.uint16)
    spec = RasterSpec(grid, ("B02", "B03", "B04", "B08"), "uint16", 0)
    with CogWriter(tmp_path / "a.tif", spec) as writer:
        writer.write(Strip(0, pixels))
    made = display.make(tmp_path / "a.tif", "composite", Legend(), tmp_path / "d.tif")
    with rasterio.open(made.file) as dataset:
        assert dataset.descriptions == ("B04", "B03", "B02")
        low, high = np.percentile(dataset.read(1)[dataset.read(1) > 0], [5, 95])
    assert made.bands == 1
    assert low < 70 < 185 < high


def test_dates_of_a_picture_share_their_tones(tmp_path: Path) -> None:
    """A field that has not changed has the same bytes on both dates, though one of them is full of bright clouds."""
    rng = np.random.default_rng(1)
    clear = rng.integers(500, 3000, (3, 64, 64)).astype(np.uint16)
    cloudy = clear.copy()
    cloudy[:, :32] = 9000
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 64, 64, 32631)
    dates = [write(tmp_path / f"{name}.tif", pixels, grid) for name, pixels in (("a", clear), ("b", cloudy))]
    photograph = write(tmp_path / "c.tif", (clear // 20).astype(np.uint8), grid)
    tones = tones_of([*dates, photograph])
    assert tones[dates[0]] == tones[dates[1]] != tones[photograph]
    assert tones[photograph] == tones_of([photograph])[photograph]

    def below(tones: Sequence[ByteScale | None]) -> list[NDArray[np.uint8]]:
        made = []
        for date, one in zip(dates, tones, strict=True):
            shown = display.make(date, "composite", Legend(), tmp_path / f"shown_{date.name}", one)
            with rasterio.open(shown.file) as dataset:
                made.append(dataset.read()[:, dataset.height // 2 + 20 :])
        return made

    first, second = below([tones[date] for date in dates])
    assert first.any() and (first == second).all()
    first, second = below([None, None])
    assert (first != second).any()


@pytest.mark.parametrize("crs", [32660, 4326])
def test_an_image_across_the_antimeridian_is_one_picture(tmp_path: Path, crs: int) -> None:
    if crs == 4326:
        grid = Grid.north_up(179.9, 10.1, 0.002, 100, 100, crs)
    else:
        x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(180.0, 10.0)
        grid = Grid.north_up(x - 10_000, y + 10_000, 200.0, 100, 100, crs)
    pixels = np.full((1, 100, 100), 7, np.uint8)
    made = display.make(write(tmp_path / "a.tif", pixels, grid), "classes", LEGEND, tmp_path / "d.tif")
    z = made.maxzoom
    shelf = Shelf()
    row = int((1 << z) * (0.5 - np.log(np.tan(np.pi / 4 + np.radians(10.0) / 2)) / (2 * np.pi)))
    palette = palette_of(LEGEND)
    west, east = (shelf.tile(made.file, z, col, row, palette=palette) for col in ((1 << z) - 1, 0))
    assert west is not None
    assert east is not None
    assert shelf.tile(made.file, z, 1 << (z - 1), row, palette=palette) is None


def test_a_single_pixel_has_its_tile(tmp_path: Path) -> None:
    grid = Grid.north_up(500_000, 5_000_000, 10.0, 1, 1, 32631)
    made = display.make(
        write(tmp_path / "a.tif", np.full((1, 1, 1), 3, np.uint8), grid), "classes", LEGEND, tmp_path / "d"
    )
    with rasterio.open(made.file) as dataset:
        assert (dataset.read(1) == 2).sum() >= 1
    assert made.minzoom <= made.maxzoom


def test_what_lies_beyond_the_map_is_cut_or_refused(tmp_path: Path) -> None:
    pixels = np.full((1, 60, 60), 7, np.uint8)
    beyond = write(tmp_path / "a.tif", pixels, Grid.north_up(0, 89.9, 0.05, 60, 60, 4326))
    with pytest.raises(NoOverlap, match="where the map does not reach"):
        display.make(beyond, "classes", LEGEND, tmp_path / "d.tif")
    across = write(tmp_path / "b.tif", pixels, Grid.north_up(0, 86, 0.05, 60, 60, 4326))
    made = display.make(across, "classes", LEGEND, tmp_path / "e.tif")
    with rasterio.open(made.file) as dataset:
        assert dataset.bounds.top <= WORLD + 1e-6
        assert dataset.read(1).any()
    polar = write(tmp_path / "c.tif", pixels, Grid.north_up(-1_500_000, 1_500_000, 50_000, 60, 60, 3413))
    made = display.make(polar, "classes", LEGEND, tmp_path / "f.tif")
    with rasterio.open(made.file) as dataset:
        assert dataset.bounds.right - dataset.bounds.left == pytest.approx(2 * WORLD)
        assert dataset.read(1).any()


def test_a_picture_without_a_place_and_legends_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    pixels = np.full((1, 8, 8), 7, np.uint8)
    nowhere = write(tmp_path / "a.tif", pixels, Grid(8, 8))
    with pytest.raises(GeoreferenceMissing):
        display.make(nowhere, "classes", LEGEND, tmp_path / "d.tif")
    somewhere = write(tmp_path / "b.tif", pixels, Grid.north_up(0, 10, 0.1, 8, 8, 4326))
    with pytest.raises(InvalidSetting, match="does not say what its numbers mean"):
        display.make(somewhere, "classes", Legend(), tmp_path / "d.tif")
    with pytest.raises(InvalidSetting, match="has no pixels"):
        display.make(somewhere, "parcels", LEGEND, tmp_path / "d.tif")
    many = Legend(tuple(Entry(value, "#000000", "", "") for value in range(300)))
    with pytest.raises(InvalidSetting, match="cannot be shown"):
        display.make(somewhere, "classes", many, tmp_path / "d.tif")
    huge = Grid.north_up(0, 10, 1e-7, 10_000_000, 10_000_000, 4326)
    with pytest.raises(InvalidSetting, match="too large for a map"):
        canvas_of(huge, "huge.tif")
    assert not (tmp_path / "d.tif").exists()


def test_memory_does_not_grow_with_the_height_of_the_image(tmp_path: Path) -> None:
    peaks = []
    for height in (600, 3000):
        grid = Grid.north_up(500_000, 5_000_000, 10.0, height, 200, 32631)
        source = write(tmp_path / f"{height}.tif", np.full((1, height, 200), 7, np.uint8), grid)
        tracemalloc.start()
        display.make(source, "classes", LEGEND, tmp_path / f"d{height}.tif")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_nothing_but_a_geotiff_is_opened(tmp_path: Path, source: Path) -> None:
    secret = tmp_path / "secret.tif"
    secret.write_bytes(source.read_bytes())
    vrt = tmp_path / "a.vrt"
    vrt.write_text(
        f'<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{secret}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    disguised = tmp_path / "b.tif"
    disguised.write_bytes(vrt.read_bytes())
    bad: list[str | Path] = [vrt, disguised, f"/vsizip/{secret}", "/vsicurl/http://127.0.0.1/a.tif", vrt.read_text()]
    for one in bad:
        with pytest.raises(UnreadableFile, match="is not shown on the map"):
            display.make(one, "classes", LEGEND, tmp_path / "d.tif")  # type: ignore[arg-type]
    for ending, content in ((".ovr", vrt.read_bytes()), (".msk", vrt.read_bytes())):
        aside = tmp_path / f"secret.tif{ending}"
        aside.write_bytes(content)
        with pytest.raises(UnreadableFile, match="is not shown on the map"):
            display.make(secret, "classes", LEGEND, tmp_path / "d.tif")
        aside.unlink()
    notes = tmp_path / "secret.tif.aux.xml"
    notes.write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/etc/passwd</MDI></Metadata></PAMDataset>'
    )
    with pytest.raises(UnreadableFile, match="pointer to another file"):
        display.make(secret, "classes", LEGEND, tmp_path / "d.tif")
    with pytest.raises(FileMissing):
        display.make(tmp_path / "none.tif", "classes", LEGEND, tmp_path / "d.tif")
    assert not (tmp_path / "d.tif").exists()


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-179, 179),
    st.floats(-80, 80),
    st.floats(1e-6, 0.05),
    st.integers(1, 3000),
    st.integers(1, 3000),
)
def test_canvases_hold_their_image_and_halve_without_rest(
    lon: float, lat: float, degrees: float, height: int, width: int
) -> None:
    grid = Grid.north_up(lon, lat, degrees, height, width, 4326)
    if grid.bounds.bottom < -84 or grid.bounds.right - grid.bounds.left > 350:
        return
    canvas = canvas_of(grid, "a.tif")
    size = pixel_size(canvas.zoom)
    assert size <= np.radians(degrees) * WORLD / np.pi * 1.00001 or canvas.zoom == 24
    levels = RasterSpec(canvas.grid, ("a",), "uint8", 0, side=TILE).levels
    assert canvas.grid.height % (1 << (len(levels) - 1)) == 0
    assert canvas.grid.width % (1 << (len(levels) - 1)) == 0
    assert canvas.grid.height % TILE == canvas.grid.width % TILE == 0
    left = np.radians(lon) * WORLD / np.pi
    assert (left - canvas.grid.bounds.left) % (2 * WORLD) < canvas.grid.width * size


@pytest.mark.parametrize(
    ("bands", "shown"),
    [
        (("Blue", "green", "RED"), ("RED", "green", "Blue")),
        (tuple(f"band_{place}" for place in range(1, 13)), ("band_4", "band_3", "band_2")),
        (tuple(f"band_{place}" for place in range(1, 6)), ("band_1", "band_2", "band_3")),
        (("x", "y"), ("x",)),
    ],
)
def test_a_picture_is_made_of_the_bands_that_are_its_colours(bands, shown):
    assert colour_bands(bands) == shown
