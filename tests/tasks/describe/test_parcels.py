"""Parcels of any file on the pixels of a scene: repaired, named, counted, and told why they are left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyproj import Transformer

from arpent.core import Grid, Window
from arpent.errors import FileMissing, GeoreferenceMissing, InvalidSetting, UnknownName, UnreadableFile
from arpent.io import RowWriter
from arpent.tasks.describe.parcels import OUTSIDE, Fields, lay, read_parcels
from arpent.tasks.describe.parcels import Field as Ground
from arpent.tasks.describe.scene_settings import SceneSettings

GRID = Grid.north_up(500_000, 4_690_000, 10, 60, 90, "EPSG:32631")


def box(col: float, row: float, width: float, height: float) -> Any:
    """A rectangle of the grid, in its reference system."""
    left, top = 500_000 + 10 * col, 4_690_000 - 10 * row
    return shapely.box(left, top - 10 * height, left + 10 * width, top)


def moved(shapes: Sequence[Any], crs: str) -> list[Any]:
    between = Transformer.from_crs("EPSG:32631", crs, always_xy=True)
    return [shapely.transform(s, lambda p: np.column_stack(between.transform(p[:, 0], p[:, 1]))) for s in shapes]


def write(path: Path, shapes: Sequence[Any], crs: str = "EPSG:32631", **columns: Sequence[Any]) -> Path:
    if path.suffix == ".parquet":
        from odc.geo.crs import CRS

        rows = {name: pa.array(values) for name, values in columns.items()}
        table = pa.table({**rows, "geometry": pa.array(shapely.to_wkb(np.array(shapes)), pa.binary())})
        with RowWriter(path, schema=table.schema, crs=CRS(crs)) as writer:
            writer.write(table)
        return path
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(shapes, object)),
        [np.array(values) for values in columns.values()],
        np.array(list(columns)),
        geometry_type="Unknown" if path.suffix != ".shp" else "Polygon",
        crs=crs,
    )
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp", "a.parquet"])
@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:4326"])
def test_every_kind_of_file_in_every_system(tmp_path, name, crs):
    shapes = moved([box(10, 5, 20, 10), box(40, 20, 6, 30)], crs)
    found = read_parcels(write(tmp_path / name, shapes, crs, name=["north", "east"], use=["wheat", ""]), GRID,
                         SceneSettings(crop_column="use"))  # fmt: skip
    assert [parcel.name for parcel in found.items] == ["north", "east"]
    assert [parcel.crop for parcel in found.items] == ["wheat", None]
    assert [parcel.pixels for parcel in found.items] == [200, 180]
    first = found.items[0]
    assert first.mask(GRID.window)[5:15, 10:30].all()
    assert first.mask(GRID.window).sum() == 200
    assert first.mask().sum() == 200
    assert first.area == pytest.approx(20_000, rel=2e-3)
    assert shapely.area(first.geometry) == pytest.approx(20_000, rel=1e-4)
    assert first.geometry_wgs84.centroid.x == pytest.approx(3.0024, abs=1e-3)
    assert found.left_out == {}


def test_what_is_left_out_is_told_by_name(tmp_path):
    shapes = [
        box(10, 10, 5, 5), box(1000, 0, 5, 5), shapely.Polygon(), shapely.Point(500_100, 4_689_900),
        box(85, 50, 10, 20), shapely.LineString([(500_000, 4_690_000), (500_100, 4_689_900)]),
    ]  # fmt: skip
    names = ["in", "out", "empty", "point", "edge", "line"]
    found = read_parcels(write(tmp_path / "a.gpkg", shapes, name=names), GRID)
    assert [parcel.name for parcel in found.items] == ["in", "edge"]
    assert found.left_out == {"out": OUTSIDE} | dict.fromkeys(("empty", "point", "line"), "it has no area")
    edge = found.items[1]
    assert edge.window == Window(50, 85, 10, 5)
    assert edge.mask().sum() == 50
    assert edge.pixels == 200  # a quarter of it lies on the image


def test_outlines_that_cross_themselves_are_repaired_and_said(tmp_path):
    bow = shapely.Polygon([(500_100, 4_689_900), (500_300, 4_689_700), (500_300, 4_689_900), (500_100, 4_689_700)])
    assert not bow.is_valid
    found = read_parcels(write(tmp_path / "a.gpkg", [bow], name=["bow"]), GRID)
    assert found.items[0].pixels == pytest.approx(200, abs=20)
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("bow: its outline was not valid (self-intersection)")


def test_names_from_columns_and_rows(tmp_path):
    shapes = [box(10 * at, 0, 5, 5) for at in range(4)]
    file = write(tmp_path / "a.gpkg", shapes, Nom=["a", "b", "a", ""], kind=[1.0, 2.0, 3.0, np.nan])
    found = read_parcels(file, GRID)
    assert [parcel.name for parcel in found.items] == ["a", "b", "a (2)", "4"]
    assert found.items[2].warnings == ("its name occurs several times: a number was added",)
    found = read_parcels(file, GRID, SceneSettings(name_column="kind", crop_column="Nom"))
    assert [parcel.name for parcel in found.items] == ["1", "2", "3", "4"]
    plain = write(tmp_path / "b.geojson", shapes, value=[9, 9, 9, 9])
    assert [parcel.name for parcel in read_parcels(plain, GRID).items] == ["1", "2", "3", "4"]
    with pytest.raises(UnknownName, match=r"column of a\.gpkg is called 'crop'"):
        read_parcels(file, GRID, SceneSettings(crop_column="crop"))


def test_a_strip_narrower_than_a_pixel_has_the_pixels_it_touches(tmp_path):
    strip = box(10.1, 10, 0.2, 12)
    found = read_parcels(write(tmp_path / "a.gpkg", [strip], name=["hedge"]), GRID)
    hedge = found.items[0]
    assert hedge.touched
    assert hedge.pixels == 12
    assert hedge.mask()[:, 0].all()
    assert hedge.mask(GRID.window).sum() == 12


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(FileMissing, match="Give a file of parcels"):
        read_parcels(tmp_path / "no.gpkg", GRID)
    (tmp_path / "bad.gpkg").write_bytes(b"nothing")
    with pytest.raises(UnreadableFile, match="holds no parcels that can be read"):
        read_parcels(tmp_path / "bad.gpkg", GRID)
    file = write(tmp_path / "a.gpkg", [box(0, 0, 5, 5)], name=["a"])
    with pytest.raises(GeoreferenceMissing, match="the image under the parcels"):
        read_parcels(file, Grid(60, 90))
    with pytest.raises(InvalidSetting, match="both along parcels and into squares"):
        read_parcels(file, GRID, SceneSettings(chip=10))
    (tmp_path / "far.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "pole"},
                    "geometry": shapely.geometry.mapping(shapely.box(170, -89, 179, -80))}]}), "utf-8")  # fmt: skip
    assert read_parcels(tmp_path / "far.geojson", GRID).left_out == {"pole": OUTSIDE}


def test_a_scene_is_one_parcel_or_squares():
    whole = read_parcels(None, GRID, name="scene").items
    assert [(one.name, one.pixels) for one in whole] == [("scene", 5400)]
    assert whole[0].mask().all()
    assert whole[0].area == pytest.approx(540_000, rel=2e-3)
    chips = read_parcels(None, GRID, SceneSettings(chip=40)).items
    assert [chip.name for chip in chips] == ["r000c000", "r000c001", "r000c002", "r001c000", "r001c001", "r001c002"]
    assert sum(chip.pixels for chip in chips) == 5400
    assert chips[5].window == Window(40, 80, 20, 10)
    assert chips[5].mask(Window(50, 70, 10, 20)).tolist() == [[False] * 10 + [True] * 10] * 10
    with pytest.raises(InvalidSetting, match=r"squares of 1 pixels would be 120560400 parcels.*larger --chip"):
        read_parcels(None, Grid(10_980, 10_980), SceneSettings(chip=1))
    assert read_parcels(None, Grid(5, 5)).items[0].geometry_wgs84 is None
    assert read_parcels(None, Grid(5, 5)).items[0].area is None


corners = st.lists(st.tuples(st.floats(-20, 110), st.floats(-20, 80)), min_size=3, max_size=8)


@given(corners, st.integers(1, 59), st.integers(1, 89))
@hypothesis_settings(max_examples=50, deadline=None)
def test_a_mask_drawn_in_parts_is_the_mask_drawn_whole(points, row, col):
    ring = shapely.Polygon([(500_000 + 10 * x, 4_690_000 - 10 * y) for x, y in points])
    shape = shapely.make_valid(ring)
    polygons = [part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon"]
    field = Ground("a", shapely.multipolygons(polygons) if polygons else shapely.Polygon())
    found = lay(Fields((field,), "EPSG:32631"), GRID)
    for parcel in found.items:
        whole = parcel.mask(GRID.window)
        assert whole.sum() == parcel.mask().sum() > 0
        assert parcel.pixels >= whole.sum()
        for part in (Window(0, 0, row, col), Window(row, col, 60 - row, 90 - col), Window(0, col, row, 90 - col)):
            assert np.array_equal(parcel.mask(part), whole[part.slices])
