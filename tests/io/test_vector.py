"""Polygons of class maps: whole, without seams, gaps or overlaps, however the map is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.features import shapes, sieve

from arpent.core import Grid, Strip, Window, ground_area, nomenclature
from arpent.errors import BandMismatch, GeoreferenceMissing, InvalidSetting, UnknownName
from arpent.io import ClassStrips, CogWriter, RasterSpec, open_image, polygonise, vector

CLASSES = nomenclature("commune")
IDS = (0, 1, 3, 4)


def utm(height: int, width: int) -> Grid:
    return Grid.north_up(500_000, 5_000_000, 10, height, width, "EPSG:32631")


class Found:
    """A table of polygons, read back."""

    def __init__(self, path: Path) -> None:
        self.table = pq.read_table(path)
        self.shapes: NDArray[Any] = shapely.from_wkb(self.table["geometry"].to_numpy())
        self.numbers = np.array(self.table["numero"].to_pylist(), int)
        self.area = float(np.nansum(self.table["area_m2"].to_numpy()))


Run = Callable[..., Found]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Polygons of an array; `band` rows are worked on at once, `rows` come at once."""
    return _runner(tmp_path, monkeypatch)


def _runner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def start(
        values: NDArray[Any], *, band: int = 4096, rows: int = 50, grid: Grid | None = None, **options: Any
    ) -> Found:
        place = grid or utm(*values.shape)

        def strips() -> Iterator[Strip]:
            for row in range(0, len(values), rows):
                yield Strip(row, values[None, row : row + rows])

        with monkeypatch.context() as patch:
            patch.setattr(vector, "_band_rows", lambda width: band)
            polygonise(ClassStrips(place, strips()), folder / "a.parquet", classes=CLASSES, **options)
        return Found(folder / "a.parquet")

    return start


def patches_of(values: NDArray[Any], grid: Grid) -> dict[int, list[Any]]:
    """The same by GDAL, on the whole map at once."""
    found: dict[int, list[Any]] = {}
    for shape, value in shapes(values, mask=values > 0, connectivity=4, transform=grid.transform):
        found.setdefault(int(value), []).append(shapely.geometry.shape(shape))
    return found


def sorted_shapes(found: Any) -> list[Any]:
    return sorted(found, key=lambda shape: (shape.bounds, shape.area))


def assert_same(found: Found, wanted: dict[int, list[Any]]) -> None:
    assert set(found.numbers.tolist()) == set(wanted)
    for number, polygons in wanted.items():
        mine = sorted_shapes(found.shapes[found.numbers == number])
        assert len(mine) == len(polygons)
        assert shapely.equals(mine, sorted_shapes(polygons)).all()


maps = st.tuples(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 10_000), st.sampled_from([2, 3, 4])
)


def drawn(height: int, width: int, scale: int, seed: int, classes: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).choice(IDS[:classes], (height, width)).astype("uint8")
    return np.kron(noise, np.ones((scale, scale), "uint8"))


@settings(max_examples=20)
@given(shape=maps, band=st.integers(1, 45), rows=st.integers(1, 45))
def test_polygons_equal_those_of_the_whole_map(
    shape: tuple[int, ...], band: int, rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = drawn(*shape)
    with pytest.MonkeyPatch.context() as patch:
        run = _runner(tmp_path_factory.mktemp("map"), patch)
        found = run(values, band=band, rows=rows, simplify=0)
    grid = utm(*values.shape)
    assert_same(found, patches_of(values, grid))
    assert shapely.is_valid(found.shapes).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(found.shapes)).all()
    valid = (values > 0).sum() / values.size * ground_area(grid)
    assert found.area == pytest.approx(valid, rel=1e-4)  # pixels differ in size by as much over the map


@settings(max_examples=20)
@given(shape=maps, band=st.integers(1, 45), tolerance=st.sampled_from([0.75, 1.0, 1.5, 4.0]))
def test_simplified_polygons_still_fit_together(
    shape: tuple[int, ...], band: int, tolerance: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = drawn(*shape)
    with pytest.MonkeyPatch.context() as patch:
        run = _runner(tmp_path_factory.mktemp("map"), patch)
        exact, found = run(values, band=band, simplify=0), run(values, band=band, simplify=tolerance)
    assert shapely.is_valid(found.shapes).all()
    assert shapely.coverage_is_valid(found.shapes)
    assert np.array_equal(found.numbers, exact.numbers)
    assert (shapely.area(found.shapes) > 0).all()
    assert len(shapely.get_coordinates(found.shapes)) <= len(shapely.get_coordinates(exact.shapes))
    for before, after in zip(exact.shapes, found.shapes, strict=True):
        points = shapely.points(shapely.get_coordinates(before))
        assert shapely.distance(points, after.boundary).max() <= 10 * tolerance + 1e-6  # pixels of 10 m


def spiral(side: int) -> NDArray[np.uint8]:
    values, y, x, dy, dx = np.full((side, side), 3, "uint8"), 0, 0, 0, 1
    values[0, 0] = 1
    for _ in range(side * side):
        ahead, beyond = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
        inside = all(0 <= value < side for value in ahead)
        if not inside or (all(0 <= value < side for value in beyond) and values[beyond] == 1):
            dy, dx = dx, -dy
            ahead = (y + dy, x + dx)
            if values[y + 2 * dy, x + 2 * dx] == 1:
                break
        y, x = ahead
        values[y, x] = 1
    return values


def test_a_spiral_is_two_polygons(run: Run) -> None:
    values = spiral(41)
    for band in (1, 7, 100):
        found = run(values, band=band, simplify=0)
        assert sorted(found.numbers.tolist()) == [1, 3]
        assert_same(found, patches_of(values, utm(41, 41)))


def test_a_comb_is_joined_at_its_back(run: Run) -> None:
    values = np.zeros((60, 61), "uint8")
    values[:, ::2] = 1
    values[-1] = 1
    for band in (1, 8, 60):
        found = run(values, band=band, simplify=0)
        assert len(found.shapes) == 1
        assert found.shapes[0].area == 100 * (values > 0).sum()


def test_a_checkerboard_does_not_connect_at_corners(run: Run) -> None:
    values = (np.indices((30, 31)).sum(axis=0) % 2 * 2 + 1).astype("uint8")
    for simplify in (0, 3):
        found = run(values, band=7, simplify=simplify)
        assert len(found.shapes) == values.size
        assert (shapely.area(found.shapes) == 100).all()


def test_holes_that_touch_each_other_at_corners_are_holes(run: Run) -> None:
    values = np.full((9, 9), 1, "uint8")
    values[2, 2] = values[3, 3] = values[4, 4] = 0
    values[6, 6] = 3
    found = run(values, band=2, simplify=0)
    outer = found.shapes[found.numbers == 1][0]
    assert len(outer.interiors) == 4
    assert shapely.is_valid(found.shapes).all()
    assert_same(found, patches_of(values, utm(9, 9)))


def test_straight_borders_show_no_band_edges(run: Run) -> None:
    values = np.full((64, 20), 1, "uint8")
    values[:, 9:] = 3
    for band in (1, 5, 64):
        found = run(values, band=band)
        assert [len(shape.exterior.coords) for shape in found.shapes] == [5, 5]


@pytest.mark.parametrize("seed", range(4))
def test_sieved_patches_join_their_largest_neighbour(run: Run, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.kron(rng.choice(IDS[1:], (6, 7)), np.ones((9, 9), int)).astype("uint8")
    specks = rng.random(values.shape) < 0.06
    noisy = np.where(specks, rng.choice(IDS[1:], values.shape), values).astype("uint8")
    results = [
        run(noisy, band=band, rows=rows, min_area=1500, simplify=0) for band, rows in ((1, 3), (10, 54), (99, 7))
    ]
    for found in results:
        assert (shapely.area(found.shapes) >= 1500 * 0.999).all()  # square metres on the ground and on the map differ
        assert shapely.area(found.shapes).sum() == 100 * noisy.size
        assert shapely.coverage_is_valid(found.shapes)
        assert len(found.shapes) < sum(map(len, patches_of(noisy, utm(*noisy.shape)).values())) / 3
        assert_same(found, {n: list(results[0].shapes[results[0].numbers == n]) for n in set(results[0].numbers)})


def test_a_lone_speck_disappears_as_with_other_sieves(run: Run) -> None:
    values = np.full((20, 20), 1, "uint8")
    values[:, 10:] = 3
    values[4, 4], values[9, 12:14] = 4, 4
    found = run(values, min_area=350, simplify=0)
    assert_same(found, patches_of(sieve(values, 4, connectivity=4), utm(20, 20)))


def test_merging_joins_neighbours_of_the_same_class(run: Run) -> None:
    """A thin line between two fields of one class gives way, and the fields become one."""
    values = np.full((11, 20), 1, "uint8")
    values[5] = 3
    found = run(values, min_area=2100, simplify=0)
    assert found.numbers.tolist() == [1]
    assert found.shapes[0].area == 22_000


def test_an_island_in_no_data_stays(run: Run) -> None:
    values = np.zeros((9, 9), "uint8")
    values[4, 4] = 1
    found = run(values, min_area=1e6)
    assert found.shapes[0].area == 100


@pytest.mark.parametrize(
    "grid",
    [
        Grid.north_up(2.0, 60.0, 0.01, 60, 80, "EPSG:4326"),
        Grid.north_up(179.8, -16.0, 0.01, 60, 80, "EPSG:4326"),
        Grid.north_up(-180, 90, 4.5, 40, 80, "EPSG:4326"),
        Grid.north_up(-2_000_000, 2_000_000, 50_000, 80, 80, "EPSG:3995"),
        Grid.north_up(-18_000_000, 18_000_000, 400_000, 90, 90, "EPSG:3857"),
        Grid.north_up(652_000, 6_862_000, 0.2, 50, 60, "EPSG:2154"),
    ],
)
def test_areas_are_those_of_the_ellipsoid(run: Run, grid: Grid) -> None:
    values = np.full(grid.shape, 1, "uint8")
    values[grid.height // 3 :, grid.width // 4 :] = 3
    found = run(values, grid=grid, simplify=0)
    assert found.area == pytest.approx(sum(ground_area(grid, w) for w in _cells(grid)), rel=2e-4)
    lower = Window.between(grid.height // 3, grid.width // 4, grid.height, grid.width)
    measured = sum(ground_area(grid, w) for w in _cells(grid, lower))
    row = found.numbers.tolist().index(3)
    assert found.table["area_m2"][row].as_py() == pytest.approx(measured, rel=2e-4)


def _cells(grid: Grid, window: Window | None = None) -> Iterator[Window]:
    """Pieces small enough for `ground_area` on a grid of the whole earth."""
    whole = window or grid.window
    for strip in whole.strips(5):
        for col in range(strip.col, strip.col_end, 5):
            yield Window.between(strip.row, col, strip.row_end, min(col + 5, strip.col_end))


def test_the_area_is_that_of_the_polygon_as_written(run: Run) -> None:
    rows, cols = np.mgrid[:90, :90]
    values = np.where((rows - 45) ** 2 + (cols - 45) ** 2 < 30**2, 1, 0).astype("uint8")
    grid = Grid.north_up(2.0, 48.0, 1e-4, 90, 90, "EPSG:4326")
    found = run(values, grid=grid)
    geodesic, _ = Geod(ellps="WGS84").geometry_area_perimeter(found.shapes[0])
    assert found.area == pytest.approx(abs(geodesic), rel=1e-6)


def test_a_map_that_grows_to_the_north_and_a_picture(run: Run) -> None:
    values = drawn(8, 9, 2, 5, 3)
    upward = replace(utm(16, 18), transform=Affine(10, 0, 5e5, 0, 10, 4e6))
    found = run(values, grid=upward, simplify=0)
    assert_same(found, patches_of(values, upward))
    assert shapely.is_ccw(shapely.get_exterior_ring(found.shapes)).all()
    picture = run(values, grid=Grid(16, 18), simplify=0)
    assert picture.table["area_m2"].null_count == len(picture.shapes)
    assert shapely.area(picture.shapes).sum() == (values > 0).sum()
    with pytest.raises(GeoreferenceMissing, match="a smallest area"):
        run(values, grid=Grid(16, 18), min_area=5)


def test_fields_speak_the_language_and_the_code_list(run: Run) -> None:
    values = np.array([[5, 13]], "uint8")
    french = run(values, language="fr", numbering="cosia").table.to_pylist()
    assert [(row["numero"], row["classe"]) for row in french] == [(6, "surface d'eau"), (4, "piscine")]
    assert run(values).table["classe"].to_pylist() == ["water", "swimming pool"]
    with pytest.raises(InvalidSetting, match="code list 'corine'"):
        run(values, numbering="corine")


def test_a_cog_is_read_with_its_mask(tmp_path: Path) -> None:
    values = drawn(30, 20, 8, 3, 4)
    grid = utm(*values.shape)
    with CogWriter(tmp_path / "map.tif", RasterSpec(grid, ("class",), "uint8", 0, CLASSES, "mode")) as writer:
        writer.write(Strip(0, values[None]))
    path = polygonise(tmp_path / "map.tif", tmp_path / "map.parquet", classes=CLASSES, simplify=0)
    assert_same(Found(path), patches_of(values, grid))
    assert {file.name for file in tmp_path.iterdir()} == {"map.tif", "map.tif.aux.xml", "map.parquet"}
    two = RasterSpec(grid, ("a", "b"), "uint8")
    with CogWriter(tmp_path / "two.tif", two) as writer:
        writer.write(Strip(0, np.stack([values, values])))
    with pytest.raises(BandMismatch, match="not a class map"):
        polygonise(tmp_path / "two.tif", tmp_path / "two.parquet", classes=CLASSES)


def test_what_is_no_class_map_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no class number is called '99'"):
        run(np.full((4, 4), 99, "uint8"))
    with pytest.raises(InvalidSetting, match="other values than class numbers"):
        run(np.full((4, 4), 1.5))
    assert len(run(np.full((4, 4), 3.0)).shapes) == 1
    with pytest.raises(InvalidSetting, match="ends early"):
        run(np.full((4, 4), 1, "uint8"), grid=utm(5, 4))
    with pytest.raises(InvalidSetting, match="does not fit the class map"):
        run(np.full((4, 4), 1, "uint8"), grid=utm(4, 5))
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_a_map_without_any_class_gives_an_empty_table(run: Run) -> None:
    found = run(np.zeros((50, 50), "uint8"), band=7, min_area=10)
    assert found.table.num_rows == 0
    assert found.table.schema.field("area_m2").type == pa.float64()


@pytest.mark.requires("data")
def test_a_real_map_loses_nothing(data_folder: Path, tmp_path: Path) -> None:
    """A map in FLAIR's nomenclature, sieved and simplified: the same ground, far fewer points."""
    with open_image(min((data_folder / "landcover" / "flair_maps").glob("*.tif"))) as image:
        values = (image.read(image.grid.window).pixels + 1).astype("uint8")
    grid = Grid.north_up(652_000, 6_862_000, 0.2, *values.shape[1:], "EPSG:2154")
    source = ClassStrips(grid, [Strip(0, values)])
    found = Found(
        polygonise(source, tmp_path / "a.parquet", classes=nomenclature("flair-19"), min_area=4, simplify=1.5)
    )
    assert found.area == pytest.approx(ground_area(grid), rel=1e-6)
    assert shapely.coverage_is_valid(found.shapes)
    plain = sum(len(shapely.get_coordinates(shape)) for some in patches_of(values[0], grid).values() for shape in some)
    assert len(shapely.get_coordinates(found.shapes)) < plain / 3
