"""Named points from any vector file, in any reference system."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely
from odc.geo.crs import CRS

from arpent.errors import FileMissing, GeoreferenceMissing, InputError, UnknownName, UnreadableFile
from arpent.io import RowWriter
from arpent.io.points import read_points

UTM = CRS("EPSG:32631")
PLACES = np.array([[500_000.5, 4_900_000.25], [500_100.0, 4_900_200.0], [500_200.0, 4_900_300.0]])


def write(path, shapes, crs=UTM, words=("wood", "Été", None)):
    table = pa.table(
        {"class": pa.array(words[: len(shapes)]), "geometry": pa.array(shapely.to_wkb(shapes), pa.binary())}
    )
    if path.suffix == ".geojson":
        options = {"geometry_name": "geometry", "geometry_type": "Point", "crs": crs.to_wkt()}
        pyogrio.write_arrow(table, path, driver="GeoJSON", **options)
        return path
    with RowWriter(path, crs=crs) as rows:
        rows.write(table)
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.parquet", "a.geoparquet", "a.geojson"])
def test_points_are_brought_to_the_system_asked_for(tmp_path, name):
    path = write(tmp_path / name, shapely.points(PLACES))
    found = read_points(path, "class", UTM)
    assert found.words.tolist() == ["wood", "Été"]  # a point without a word says nothing
    np.testing.assert_allclose(found.places, PLACES[:2], atol=0.05)
    degrees = read_points(path, "class", CRS("EPSG:4326"))
    assert np.abs(degrees.places - [3.0, 44.2]).max() < 0.1  # longitude first


def test_what_cannot_be_read_is_said(tmp_path):
    path = write(tmp_path / "a.gpkg", shapely.points(PLACES))
    with pytest.raises(UnknownName, match="class"):
        read_points(path, "klass", UTM)
    with pytest.raises(UnknownName, match="class"):
        read_points(write(tmp_path / "a.parquet", shapely.points(PLACES)), "klass", UTM)
    with pytest.raises(InputError, match="mask"):
        read_points(write(tmp_path / "b.gpkg", shapely.box(*PLACES.T, *(PLACES + 5).T)), "class", UTM)
    with pytest.raises(GeoreferenceMissing):
        read_points(write(tmp_path / "c.parquet", shapely.points(PLACES), crs=None), "class", UTM)
    with pytest.raises(FileMissing):
        read_points(tmp_path / "nothing.gpkg", "class", UTM)


@pytest.mark.parametrize("name", ["a.gpkg", "a.parquet", "a.geojson", "a.shp"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a file of points", bytes(4096)])
def test_damaged_files_are_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        read_points(path, "class", UTM)
    assert "\n" not in str(caught.value)
