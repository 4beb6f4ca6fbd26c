"""Values of analytic rasters: at a place, inside an area, cut out."""

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from arpent.core import Grid, Strip, ground_area
from arpent.errors import FileMissing, InvalidSetting, NoOverlap, UnreadableFile
from arpent.io import CogWriter, RasterSpec
from arpent.web.layers import Bounds, Entry, Frame, Kind, Layer, Legend
from arpent.web.tiles import OpenFiles
from arpent.web.values import areas_in, clipped, drawn_area, values_at

GRID = Grid.north_up(500_000, 5_000_000, 10.0, 200, 300, 32631)
TO_LONLAT = Transformer.from_crs(32631, 4326, always_xy=True)
LEGEND = Legend((Entry(1, "#ff0000", "red", "rouge"), Entry(2, "#0000ff", "blue", "bleu")))
RAMP = Legend((), ("#000000", "#ffffff"), 0.0, 10.0)


def write(path: Path, pixels: NDArray[np.generic], grid: Grid = GRID, nodata: float | None = 0) -> Path:
    names = tuple(f"b{number}" for number in range(len(pixels)))
    with CogWriter(path, RasterSpec(grid, names, str(pixels.dtype), nodata, overviews="nearest")) as writer:
        writer.write(Strip(0, pixels))
    return path


def layer_of(*files: Path, kind: Kind = "classes", legend: Legend = LEGEND, **more: Any) -> Layer:
    frames = tuple(Frame(dt.date(2024, 3, 1 + place), file) for place, file in enumerate(files))
    return Layer("a", "a", kind, "A", "A", frames, legend, **more)


@pytest.fixture
def files() -> Iterator[OpenFiles]:
    opened = OpenFiles(8)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """West of the middle 1, east of it 2, and nothing in the last ten rows."""
    pixels = np.ones((1, *GRID.shape), np.uint8)
    pixels[:, :, 150:] = 2
    pixels[:, 190:] = 0
    return write(tmp_path_factory.mktemp("halves") / "halves.tif", pixels)


def lonlat(col: float, row: float, grid: Grid = GRID) -> tuple[float, float]:
    x, y = grid.transform @ (col, row)
    lon, lat = TO_LONLAT.transform(x, y)
    return float(lon), float(lat)


def box(col: float, row: float, col_end: float, row_end: float) -> dict[str, Any]:
    corners = [(col, row), (col_end, row), (col_end, row_end), (col, row_end), (col, row)]
    return {"type": "Polygon", "coordinates": [[lonlat(*corner) for corner in corners]]}


def test_the_value_at_a_place_is_that_of_its_pixel(halves: Path, files: OpenFiles) -> None:
    layer = layer_of(halves, halves)
    west, east, hole, outside = (
        values_at(files, layer, *lonlat(*at)) for at in ((149.9, 0.1), (150.1, 0.1), (5, 195), (-1, 5))
    )
    assert [one.value for one in west] == [1, 1]
    assert [one.date for one in west] == [dt.date(2024, 3, 1), dt.date(2024, 3, 2)]
    assert west[0].entry == LEGEND.entries[0]
    assert (east[0].value, east[0].colour) == (2, "#0000ff")
    assert hole[0].value is None
    assert outside[0].value is None
    assert outside[0].colour is None
    assert values_at(files, layer, lonlat(5, 5)[0] + 360, lonlat(5, 5)[1])[0].value == 1


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 299.99), st.floats(0.01, 189.99))
def test_any_place_has_the_pixel_that_it_lies_in(halves: Path, col: float, row: float) -> None:
    if abs(col - round(col)) < 1e-3 or abs(row - round(row)) < 1e-3:
        return
    opened = OpenFiles(1)
    assert values_at(opened, layer_of(halves), *lonlat(col, row))[0].value == (1 if col < 150 else 2)
    opened.close()


def test_quantities_have_the_colour_of_their_ramp_and_bands_are_chosen(tmp_path: Path, files: OpenFiles) -> None:
    pixels = np.stack([np.full(GRID.shape, value, np.float32) for value in (0, 5, 40)])
    layer = layer_of(
        write(tmp_path / "a.tif", pixels, nodata=np.nan), kind="embedding", legend=RAMP, bands=("x", "y", "z")
    )
    place = lonlat(5, 5)
    assert [values_at(files, layer, *place, band=band)[0].colour for band in (1, 2, 3)] == [
        "#000000",
        "#808080",
        "#ffffff",
    ]
    assert values_at(files, layer, *place)[0].numbers == (0, 5, 40)
    with pytest.raises(InvalidSetting, match="has no band 4"):
        values_at(files, layer, *place, band=4)
    with pytest.raises(InvalidSetting, match="no such place"):
        values_at(files, layer, 0, 91)


def test_values_across_the_antimeridian(tmp_path: Path, files: OpenFiles) -> None:
    grid = Grid.north_up(179.0, 10.0, 0.01, 100, 200, 4326)
    pixels = np.repeat([[1, 2]], 100, axis=1).reshape(1, 1, 200).repeat(100, axis=1).astype(np.uint8)
    layer = layer_of(write(tmp_path / "a.tif", pixels, grid))
    assert [values_at(files, layer, lon, 9.5)[0].value for lon in (179.5, -179.5, 180.5)] == [1, 2, 2]
    area = drawn_area({"type": "Polygon", "coordinates": [[(179.5, 9.2), (180.5, 9.2), (180.5, 9.8), (179.5, 9.8)]]})
    assert [round(one.share, 6) for one in areas_in(layer, area)] == [0.5, 0.5]


def test_areas_are_those_of_the_ellipsoid(halves: Path) -> None:
    found = areas_in(layer_of(halves), drawn_area(box(140.5, 20, 170, 60.25)))
    pixel = ground_area(GRID) / GRID.window.size
    assert [one.entry for one in found] == list(LEGEND.entries)
    assert [one.area_m2 for one in found] == pytest.approx([9.5 * 40.25 * pixel, 20 * 40.25 * pixel], rel=2e-3)
    assert sum(one.share for one in found) == pytest.approx(1)
    corners = np.array(box(140.5, 20, 170, 60.25)["coordinates"][0])
    whole, _ = Geod(ellps="WGS84").polygon_area_perimeter(*corners.T)
    assert sum(one.area_m2 for one in found) == pytest.approx(abs(whole), rel=2e-3)


def test_ground_without_data_and_ground_outside_count_for_nothing(halves: Path) -> None:
    layer = layer_of(halves)
    beyond = areas_in(layer, drawn_area(box(-50, 180, 20, 300)))
    pixel = ground_area(GRID) / GRID.window.size
    assert [one.area_m2 for one in beyond] == pytest.approx([20 * 10 * pixel], rel=2e-3)
    assert areas_in(layer, drawn_area(box(10, 192, 20, 198))) == []
    with pytest.raises(NoOverlap):
        areas_in(layer, drawn_area(box(400, 10, 420, 30)))
    ring = box(100, 0, 200, 100)
    ring["coordinates"].append(box(120, 20, 180, 80)["coordinates"][0])
    assert sum(one.area_m2 for one in areas_in(layer, drawn_area(ring))) == pytest.approx(6400 * pixel, rel=2e-3)


def test_areas_larger_than_a_block_equal_a_plain_count(tmp_path: Path) -> None:
    grid = Grid.north_up(2.0, 48.0, 0.001, 900, 1100, 4326)
    pixels = np.random.default_rng(0).integers(0, 3, (1, 900, 1100)).astype(np.uint8)
    layer = layer_of(write(tmp_path / "a.tif", pixels, grid))
    area = drawn_area({"type": "Polygon", "coordinates": [[(2.1, 47.95), (2.95, 47.9), (2.8, 47.2), (2.15, 47.3)]]})
    cols, rows = np.meshgrid(2.0 + (np.arange(1100) + 0.5) * 0.001, 48.0 - (np.arange(900) + 0.5) * 0.001)
    inside = shapely.contains_xy(area, cols, rows)
    metres = np.array([ground_area(grid, strip) / strip.size for strip in grid.window.strips(1)])[:, None]
    expected = [float((metres * (inside & (pixels[0] == value))).sum()) for value in (1, 2)]
    assert [one.area_m2 for one in areas_in(layer, area)] == pytest.approx(expected, rel=1e-3)


def test_quantities_have_their_mean(tmp_path: Path) -> None:
    pixels = np.full((1, *GRID.shape), 2.5, np.float32)
    pixels[0, :, 100:] = np.nan
    layer = layer_of(write(tmp_path / "a.tif", pixels, nodata=np.nan), kind="continuous", legend=RAMP)
    (found,) = areas_in(layer, drawn_area(box(50, 50, 150, 100)))
    assert found.entry is None
    assert found.mean == pytest.approx(2.5)


def test_what_is_no_area_is_refused(halves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {"type": "Polygon", "coordinates": [[(lon / 1e5, lat) for lat in (1, 2) for lon in range(6000)]]}
    bad: list[Any] = [
        {},
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": "x"},
        {"type": "Polygon", "coordinates": [[(0, 0), (0, 1), (0, 2), (0, 0)]]},
        {"type": "Polygon", "coordinates": [[(0, 0), (0, 100), (1, 1), (0, 0)]]},
        {"type": "Polygon", "coordinates": [[(0, 0), (0, float("nan")), (1, 1), (0, 0)]]},
        {"type": "Polygon", "coordinates": [[(0, 0), (0, 10**400), (1, 1), (0, 0)]]},
        [1],
        many,
    ]
    for one in bad:
        with pytest.raises(InvalidSetting):
            drawn_area(one)
    monkeypatch.setattr("arpent.web.values.areas.MOST_PIXELS", 100)
    with pytest.raises(InvalidSetting, match="too large to be measured"):
        areas_in(layer_of(halves), drawn_area(box(10, 10, 30, 30)))


def test_a_tangle_is_refused_before_it_is_taken_apart(halves: Path) -> None:
    """Taken apart, the tangle would keep a thread of the server for hours."""
    bow = drawn_area({"type": "Polygon", "coordinates": [[(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)]]})
    assert bow.area == pytest.approx(2), "what crosses itself now and then is measured as it is drawn"
    corners = np.random.default_rng(0).random((2000, 2)).tolist()
    before = time.process_time()
    with pytest.raises(InvalidSetting, match="crosses itself too often"):
        drawn_area({"type": "Polygon", "coordinates": [[*corners, corners[0]]]})
    assert time.process_time() - before < 5


def test_an_outline_of_many_corners_costs_little_more_than_one_of_few(tmp_path: Path) -> None:
    """Of a comb with 2,000 teeth, each piece of the layer is given those that lie in it."""
    side = 2048
    grid = Grid.north_up(600_000, 5_000_000, 1.0, side, side, 32631)
    layer = layer_of(write(tmp_path / "wide.tif", np.ones((1, side, side), np.uint8), nodata=0, grid=grid))
    steps = np.repeat(np.arange(100, 1900, 0.9), 2)
    ends = np.where(np.arange(steps.size) // 2 % 2, 100.0, 1900.0)
    comb = [lonlat(col, row, grid) for col, row in zip([*steps, 1950, 100], [*ends, 1950, 1950], strict=True)]
    before = time.process_time()
    (found,) = areas_in(layer, drawn_area({"type": "Polygon", "coordinates": [[*comb, comb[0]]]}))
    assert time.process_time() - before < 6
    drawn = shapely.Polygon([*zip(steps, ends, strict=True), (1950, 1950), (100, 1950)]).area
    assert found.area_m2 == pytest.approx(drawn, rel=0.02), "teeth are finer than pixels"


def test_a_clip_holds_the_pixels_of_the_product_with_their_names(halves: Path, tmp_path: Path) -> None:
    west, north = lonlat(140, 10)
    east, south = lonlat(160, 40)
    made = clipped(layer_of(halves), 0, Bounds(west, south, east, north), tmp_path / "clip.tif")
    with rasterio.open(made) as dataset, rasterio.open(halves) as whole:
        assert dataset.crs == whole.crs
        window = rasterio.windows.from_bounds(*dataset.bounds, transform=whole.transform)
        assert np.array_equal(dataset.read(), whole.read(window=window))
        assert 20 <= dataset.width <= 23
        assert 30 <= dataset.height <= 33
        assert "rouge" in dataset.tags()["CLASSES"]
    with pytest.raises(NoOverlap):
        clipped(layer_of(halves), 0, Bounds(10, 10, 11, 11), tmp_path / "none.tif")
    with pytest.raises(InvalidSetting, match="no raster number 3"):
        clipped(layer_of(halves), 3, Bounds(west, south, east, north), tmp_path / "none.tif")
    assert not (tmp_path / "none.tif").exists()


def test_a_clip_is_bounded(halves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arpent.web.values.clip.MOST_BYTES", 1000)
    with pytest.raises(InvalidSetting, match="too much is seen"):
        clipped(layer_of(halves), 0, Bounds(2, 40, 4, 46), tmp_path / "none.tif")


def test_files_that_are_gone_or_lead_elsewhere_are_told(tmp_path: Path, files: OpenFiles) -> None:
    vrt = tmp_path / "a.tif"
    vrt.write_text("<VRTDataset/>")
    bounds = Bounds(2, 40, 4, 46)
    for path, error in ((vrt, UnreadableFile), (tmp_path / "none.tif", FileMissing)):
        with pytest.raises(error):
            values_at(files, layer_of(path), 3, 45)
        with pytest.raises(error):
            areas_in(layer_of(path), drawn_area(box(1, 1, 2, 2)))
        with pytest.raises(error):
            clipped(layer_of(path), 0, bounds, tmp_path / "clip.tif")
