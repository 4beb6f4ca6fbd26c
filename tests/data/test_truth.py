"""Outlines as truth: drawn on the image's own pixels, in any reference system, alike in windows and as a whole."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from arpent.core import ClassMap, Grid, LandClass, Normalisation, Strip, Window, nomenclature
from arpent.data import Normaliser, PatchLoader, Sample, count_labels
from arpent.data.patches import PatchRef
from arpent.data.truth import OutlinePool, legend_of
from arpent.errors import DatasetError, GeoreferenceMissing, UnknownName, UnreadableFile
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.io.annotations import open_annotations

GRID = Grid.north_up(650_000, 6_860_000, 0.5, 120, 150, 2154)
CLASSES = nomenclature("commune")
WATER = next(entry for entry in CLASSES.classes if entry.en == "water")

TO_DEGREES = Transformer.from_crs(2154, 4326, always_xy=True)


def in_map(points):
    """Pixel columns and rows to Lambert-93."""
    points = np.asarray(points, float)
    return np.column_stack([650_000 + 0.5 * points[:, 0], 6_860_000 - 0.5 * points[:, 1]])


def write(path, shapes, values, crs=2154, field="classe", **facts):
    """Outlines, given in pixels of GRID, as a file in some reference system."""
    between = Transformer.from_crs(2154, crs, always_xy=True)
    moved = [shapely.transform(s, lambda p: np.column_stack(between.transform(*in_map(p).T))) for s in shapes]
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array(moved, object)),
        field_data=[np.array(values)],
        fields=[field],
        crs=f"EPSG:{crs}",
        geometry_type="Polygon",
        **facts,
    )
    return path


def mask_of(path, legend=None, **facts):
    with open_annotations(path, GRID, legend or legend_of(CLASSES), **facts) as reader:
        raster = reader.read(GRID.window)
    return np.where(raster.valid, raster.pixels[0], 255)


def centres_in(shape):
    cols, rows = np.meshgrid(np.arange(150) + 0.5, np.arange(120) + 0.5)
    return shapely.contains_xy(shape, cols, rows)


@pytest.mark.parametrize(
    ("suffix", "crs"), [(".gpkg", 2154), (".gpkg", 4326), (".gpkg", 32631), (".fgb", 3857), (".geojson", 4326)]
)
def test_a_pixel_belongs_to_the_outline_that_holds_its_centre(tmp_path, crs, suffix):
    shape = shapely.Polygon([(10.2, 7.3), (131.4, 22.8), (90.1, 109.6), (30.7, 80.2)])
    path = write(tmp_path / f"a{suffix}", [shape], [WATER.fr], crs)
    assert (mask_of(path, field="classe") == np.where(centres_in(shape), WATER.id, 255)).mean() > 0.9995


def test_geoparquet_is_read_too(tmp_path):
    shape = shapely.Polygon([(10.2, 7.3), (131.4, 22.8), (90.1, 109.6)])
    moved = shapely.transform(shape, lambda p: np.column_stack(TO_DEGREES.transform(*in_map(p).T)))
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    table = pa.table({"geometry": [shapely.to_wkb(moved)], "numero": [WATER.id]})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "a.parquet")
    assert (mask_of(tmp_path / "a.parquet") == np.where(centres_in(shape), WATER.id, 255)).mean() > 0.9995


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(-20, 340), st.integers(-20, 280)), min_size=3, max_size=7), st.data())
def test_windows_agree_with_the_whole(tmp_path_factory, corners, data):
    """Also where corners and sides run exactly through the centres of pixels."""
    shape = shapely.Polygon(np.array(corners) / 2).convex_hull
    if shape.geom_type != "Polygon":
        return
    path = write(tmp_path_factory.mktemp("w") / "a.gpkg", [shape], [WATER.id])
    with open_annotations(path, GRID, legend_of(CLASSES), field="classe") as reader:
        whole = reader.read(GRID.window)
        row, col = data.draw(st.integers(0, 100)), data.draw(st.integers(0, 130))
        window = Window(row, col, data.draw(st.integers(1, 120 - row)), data.draw(st.integers(1, 150 - col)))
        part = reader.read(window)
    assert np.array_equal(part.valid, whole.valid[window.slices])
    assert np.array_equal(part.pixels[0], whole.pixels[0][window.slices])


def test_the_last_outline_lies_on_top_and_the_rest_is_unknown_or_background(tmp_path):
    whole, part = shapely.box(0, 0, 60, 60), shapely.box(20, 20, 40, 40)
    other = next(entry for entry in CLASSES.classes if entry.id != WATER.id)
    path = write(tmp_path / "a.gpkg", [whole, part], [f"{WATER.id}", other.en.upper()])
    made = mask_of(path, field="classe")
    assert (made[20:40, 20:40] == other.id).all()
    assert (made[:20, :60] == WATER.id).all()
    assert (made[60:] == 255).all()
    ground = legend_of(CLASSES, background=other.fr)
    assert (mask_of(path, ground, field="classe")[60:] == other.id).all()


def test_values_that_mean_nothing_are_listed_with_their_counts(tmp_path):
    box = shapely.box(0, 0, 9, 9)
    path = write(tmp_path / "a.gpkg", [box, box, box], ["lava", "lava", WATER.en])
    with pytest.raises(DatasetError, match=r"no class \(found 'lava' \(2 outlines\)"):
        mask_of(path, field="classe")
    with pytest.raises(UnknownName, match="Did you mean 'classe'"):
        mask_of(path, field="class")
    with pytest.raises(UnknownName, match="class of commune"):
        legend_of(CLASSES, background="lava")
    (tmp_path / "b.gpkg").write_bytes(b"nothing")
    with pytest.raises(UnreadableFile, match="no outlines"):
        mask_of(tmp_path / "b.gpkg", field="classe")
    with pytest.raises(GeoreferenceMissing):
        open_annotations(path, Grid(9, 9), legend_of(CLASSES), field="classe")


def test_a_patch_is_learnt_from_outlines(tmp_path):
    with CogWriter(tmp_path / "image.tif", RasterSpec(GRID, ("red",), "uint8")) as writer:
        writer.write(Strip(0, np.full((1, 120, 150), 9, np.uint8)))
    path = write(tmp_path / "a.gpkg", [shapely.box(0, 0, 150, 60)], [WATER.fr], 4326)
    sample = Sample(str(tmp_path / "image.tif"), str(path), attributes={"mask_field": "classe"})
    rule = Normalisation(origin="", mean=(0,), std=(1,))
    with PatchLoader(Normaliser(rule), classes=CLASSES) as load:
        target = load(PatchRef(sample, Window(50, 100, 64, 64))).target
    inside = np.zeros((64, 64), bool)
    inside[:10, :50] = True
    assert np.array_equal(target, np.where(inside, CLASSES.index_of_id[WATER.id], -1))


def test_the_blocks_of_an_image_share_their_outlines(tmp_path):
    with CogWriter(tmp_path / "image.tif", RasterSpec(GRID, ("red",), "uint8")) as writer:
        writer.write(Strip(0, np.full((1, 120, 150), 9, np.uint8)))
    whole, water = shapely.box(0, 0, 150, 120), shapely.box(0, 0, 150, 60)
    files = [str(write(tmp_path / f"{k}.gpkg", [shape], [WATER.id])) for k, shape in enumerate((whole, water))]
    told = {"mask_field": "classe"}
    image = str(tmp_path / "image.tif")
    one, other = (Sample(image, files[0], window=Window(row, 0, 60, 150), attributes=told) for row in (0, 60))
    counts = count_labels([one, other], CLASSES)
    assert counts.by_class[CLASSES.index_of_id[WATER.id]] == 120 * 150
    pool = OutlinePool()
    with open_image(image) as opened:
        assert pool.of(one, opened, CLASSES) is pool.of(other, opened, CLASSES)
        assert pool.of(Sample(image, files[1], attributes=told), opened, CLASSES) is not pool.of(one, opened, CLASSES)
        with pytest.raises(UnknownName):
            pool.of(Sample(image, files[0], attributes={"mask_field": "class"}), opened, CLASSES)


@pytest.mark.requires("data")
def test_new_brunswick_is_learnt_from_its_outlines(data_folder):
    """Four classes drawn in one reference system over images in another; 255 says that nothing is known."""
    folder = data_folder / "landcover" / "new_brunswick"
    names = ("forest", "water", "road", "building")
    entries = tuple(LandClass(id=n, en=name, fr=name, colour="#000000") for n, name in enumerate(names, start=1))
    classes = ClassMap(name="new-brunswick", classes=entries, nodata=255)
    counts = np.zeros(4, np.int64)
    outlines = str(folder / "BakerLake_2017_clipped.gpkg")
    rule = Normalisation(origin="", mean=(0,) * 3, std=(1,) * 3)
    with PatchLoader(Normaliser(rule), classes=classes) as load:
        for name in ("1of2", "2of2"):
            sample = Sample(
                str(folder / f"23322E759967N_clipped_1m_{name}.tif"),
                outlines,
                attributes={"mask_field": "Quatreclasses"},
            )
            target = load(PatchRef(sample, Window(0, 0, 320, 280))).target
            counts += np.bincount(target[target >= 0], minlength=4)
    areas = dict.fromkeys(range(1, 5), 0.0)
    facts, table = pyogrio.read_arrow(outlines, columns=["Quatreclasses"])
    for value, shape in zip(
        table["Quatreclasses"].to_pylist(), shapely.from_wkb(table[facts["geometry_name"]].to_numpy()), strict=True
    ):
        areas[int(value)] = areas.get(int(value), 0.0) + shape.area
    assert (counts > 0).sum() >= 3
    assert (counts * 0.25 <= [1.01 * areas[n] + 1 for n in range(1, 5)]).all()
