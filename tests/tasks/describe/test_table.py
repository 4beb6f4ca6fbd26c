"""The table of measurements is read as it was written, and nothing else is taken for one."""

from __future__ import annotations

import datetime as dt
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from odc.geo.crs import CRS

from arpent.errors import FileMissing, UnreadableFile
from arpent.io import RowWriter
from arpent.language import Measured
from arpent.tasks.describe.table import Measurement, measured_of, read_measured, read_rows, schema_of, table_of

FULL = Measured(
    parcel="north",
    indices={"NDVI": 0.5, "CIre": 1.25},
    shares={"vegetation": 0.5, "soil": 0.25, "water": 0.0},
    valid=0.75,
    cloud=0.25,
    taken=dt.date(2022, 6, 1),
    area=1234.5,
    crop="wheat",
    place="Here",
)
BARE = Measured("south", {"NDVI": math.nan}, valid=0.0)


def written(path, rows, indices=("NDVI", "CIre")):
    table = table_of(rows, indices)
    with RowWriter(path, schema=table.schema, crs=CRS("EPSG:4326")) as writer:
        writer.write(table)
    return path


def test_rows_come_back_as_they_were(tmp_path):
    rows = [
        Measurement(FULL, "a", 40, {"NDVI": 0.1}, shapely.to_wkb(shapely.box(3, 42, 3.1, 42.1))),
        Measurement(BARE, "a", 7),
    ]
    file = written(tmp_path / "t.parquet", rows)
    assert read_measured(file) == [FULL, Measured("south", {}, valid=0.0)]
    kept = read_rows(file).to_pylist()
    assert (kept[0]["ndvi_std"], kept[0]["cire_std"], kept[1]["ndvi_mean"], kept[1]["geometry"]) == (
        0.1,
        None,
        None,
        None,
    )
    assert kept[0]["pixels"] == 40
    assert read_measured(tmp_path) == read_measured(file)  # a run folder


def test_columns_are_those_that_others_count_on():
    names = schema_of(("NDVI", "CIre")).names
    assert names == [
        "parcel", "place", "image", "taken", "pixels", "valid", "cloud", "area_m2", "crop", "vegetation", "soil",
        "water", "ndvi_mean", "ndvi_std", "cire_mean", "cire_std", "geometry",
    ]  # fmt: skip


def test_unknown_columns_are_passed_over():
    row = {"parcel": 7, "valid": None, "taken": "2022", "ndvi_mean": True, "evi_mean": 0.25, "other": object()}
    assert measured_of(row) == Measured("7", {"NDVI": 1.0, "EVI": 0.25}, valid=0.0)


def test_what_is_no_table_of_measurements(tmp_path):
    with pytest.raises(FileMissing, match="describe indices IMAGES -o TABLE"):
        read_rows(tmp_path / "no.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UnreadableFile, match="is damaged, or no Parquet file"):
        read_rows(tmp_path / "bad.parquet")
    (tmp_path / "a.csv").write_text("parcel\n", "utf-8")
    with pytest.raises(UnreadableFile, match=r"cannot|can be read again.*Write it as Parquet"):
        read_rows(tmp_path / "a.csv")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(UnreadableFile, match=r"no column parcel, valid, taken \(found x\)"):
        read_rows(tmp_path / "x.parquet")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileMissing):
        read_rows(tmp_path / "folder")
