"""The row sink: four formats, any batches, any crash."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS

from arpent.errors import DiskFull, InvalidSetting, NotWritable, OutputError, RunDamaged
from arpent.io import RowWriter

LAMBERT = CRS("EPSG:2154")
SUFFIXES = (".parquet", ".gpkg", ".csv", ".jsonl")


def parcels(count: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1e5, (count, 2))
    shapes = shapely.box(*corners.T, *(corners + 50).T)
    return pa.table(
        {
            "id": np.arange(count),
            "nom": [f'« blé ; "dur", n° {i}' for i in range(count)],
            "part": pa.array(rng.random(count)),
            "dates": pa.array([datetime(2024, 5, 1, tzinfo=UTC)] * count, pa.timestamp("us", "UTC")),
            "claims": [[{"kind": "crop", "value": 0.5}]] * count,
            "geometry": pa.array(shapely.to_wkb(shapes), pa.binary()),
        }
    )


def write(path: Path, table: pa.Table, cut: int = 1000, **options: Any) -> Path:
    with RowWriter(path, **options) as rows:
        for begin in range(0, table.num_rows, cut):
            rows.write(table.slice(begin, cut))
    return path


def test_many_small_tables_are_each_looked_at_once(tmp_path: Path) -> None:
    table, calls = parcels(1), 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.endswith("io/table.py")

    with RowWriter(tmp_path / "a.parquet", crs=LAMBERT) as rows:
        sys.setprofile(count)
        try:
            for _ in range(300):
                rows.write(table)
        finally:
            sys.setprofile(None)
    assert calls < 300 * 20


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_rows_give_the_same_bytes_at_any_time(tmp_path: Path, suffix: str) -> None:
    one, two = (write(tmp_path / name / f"a{suffix}", parcels(300), crs=LAMBERT) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_geoparquet_says_what_version_1_1_demands(tmp_path: Path) -> None:
    table = parcels(40_000)
    path = write(tmp_path / "a.parquet", table, 7000, crs=LAMBERT)
    file = pq.ParquetFile(path)
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == "geometry"
    column = geo["columns"]["geometry"]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 2154}
    corners = ["xmin", "ymin", "xmax", "ymax"]
    assert column["covering"] == {"bbox": {corner: ["bbox", corner] for corner in corners}}
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    assert column["bbox"] == pytest.approx(list(shapely.total_bounds(shapes)))
    struct = file.schema_arrow.field("bbox").type
    assert [(field.name, field.type) for field in struct] == [(corner, pa.float64()) for corner in corners]
    assert file.schema_arrow.field("geometry").type == pa.binary()
    assert file.metadata.num_row_groups == 3
    boxes = file.read()["bbox"].combine_chunks()
    assert np.array_equal(np.column_stack([boxes.field(corner) for corner in corners]), shapely.bounds(shapes))
    # Readers skip row groups by these.
    box_columns = [i for i in range(file.metadata.num_columns) if file.schema.column(i).path.startswith("bbox.")]
    assert all(file.metadata.row_group(0).column(i).statistics.has_min_max for i in box_columns)


def test_others_read_geoparquet(tmp_path: Path) -> None:
    table = parcels(500)
    path = write(tmp_path / "a.parquet", table, crs=LAMBERT)
    found = pq.read_table(path)
    assert found.drop_columns(["bbox"]).equals(table)
    rows = duckdb.execute(f"SELECT count(*), max(bbox.xmax) FROM '{path}' WHERE bbox.xmin > 50000").fetchone()
    assert rows is not None
    left = shapely.bounds(shapely.from_wkb(table["geometry"].to_numpy()))[:, 0]
    assert rows[0] == (left > 50_000).sum()


def test_kinds_and_missing_geometries(tmp_path: Path) -> None:
    shapes = [
        shapely.Point(1, 2),
        None,
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1)]),
        shapely.LineString([(0, 0), (9, 9)]),
    ]
    table = pa.table({"bbox": [1, 2, 3, 4], "shape": pa.array(shapely.to_wkb(shapes), pa.binary())})
    path = write(tmp_path / "a.parquet", table, geometry="shape")
    column = json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"]["shape"]
    assert column["geometry_types"] == ["LineString", "MultiPolygon", "Point"]
    assert column["crs"] is None
    assert column["covering"]["bbox"]["xmin"] == ["shape_bbox", "xmin"]
    assert pq.read_table(path)["shape_bbox"].to_pylist()[1] is None
    layer = write(tmp_path / "a.gpkg", table, geometry="shape")
    assert pyogrio.read_info(layer)["features"] == 4


def test_a_geopackage_comes_back(tmp_path: Path) -> None:
    table = parcels(3000)
    path = write(tmp_path / "parcels.gpkg", table, crs=LAMBERT)
    info = pyogrio.read_info(path)
    assert (info["crs"], info["geometry_type"], info["features"]) == ("EPSG:2154", "Polygon", 3000)
    assert (info["layer_name"], info["geometry_name"]) == ("parcels", "geometry")
    _, found = pyogrio.read_arrow(path)
    assert found["nom"].to_pylist() == table["nom"].to_pylist()
    assert json.loads(found["claims"][0].as_py()) == table["claims"][0].as_py()
    shapes = [shapely.from_wkb(column.to_numpy()) for column in (found["geometry"], table["geometry"])]
    assert shapely.equals_exact(*shapes).all()
    assert [file.name for file in tmp_path.iterdir()] == ["parcels.gpkg"]


def test_csv_and_json_lines_come_back(tmp_path: Path) -> None:
    table = parcels(50)
    with write(tmp_path / "a.csv", table).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["nom"] for row in rows] == table["nom"].to_pylist()
    assert [float(row["part"]) for row in rows] == table["part"].to_pylist()
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    assert shapely.equals_exact(shapely.from_wkt([row["geometry"] for row in rows]), shapes).all()
    lines_of_json = write(tmp_path / "a.jsonl", table).read_text("utf-8").splitlines()
    objects = [json.loads(line) for line in lines_of_json]
    assert objects[3]["nom"] == table["nom"][3].as_py()
    assert objects[3]["claims"] == [{"kind": "crop", "value": 0.5}]
    assert objects[3]["dates"] == "2024-05-01T00:00:00+00:00"
    assert shapely.geometry.shape(objects[3]["geometry"]).equals(shapes[3])


def test_json_lines_hold_what_json_has(tmp_path: Path) -> None:
    table = pa.table({"a": [float("nan"), 1.0], "b": pa.array([b"\x01", None]), "c": [{"x": float("inf")}, None]})
    lines = write(tmp_path / "a.jsonl", table).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"a": None, "b": "01", "c": {"x": None}},
        {"a": 1.0, "b": None, "c": None},
    ]


def test_tables_without_geometry_are_plain(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    for suffix in SUFFIXES:
        write(tmp_path / f"a{suffix}", table)
    assert b"geo" not in (pq.read_metadata(tmp_path / "a.parquet").metadata or {})
    assert pyogrio.read_info(tmp_path / "a.gpkg")["geometry_type"] is None
    assert (tmp_path / "a.csv").read_text() == '"a","b"\n1,"x"\n2,\n'


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_table_has_its_columns(suffix: str, tmp_path: Path) -> None:
    schema = parcels(1).schema
    path = write(tmp_path / f"a{suffix}", parcels(0), schema=schema, crs=LAMBERT)
    assert path.exists()
    if suffix == ".parquet":
        column = json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"]["geometry"]
        assert (column["geometry_types"], "bbox" in column) == ([], False)
    with pytest.raises(InvalidSetting, match="neither rows nor columns"), RowWriter(tmp_path / f"b{suffix}"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [f"a{suffix}"]


@settings(max_examples=15)
@given(data=st.data(), suffix=st.sampled_from([".parquet", ".csv", ".jsonl"]))
def test_a_killed_table_resumes_to_the_same_bytes(
    data: st.DataObject, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    table = parcels(data.draw(st.integers(0, 3000)))
    options: dict[str, Any] = {"schema": table.schema, "crs": LAMBERT}
    whole = write(folder / f"whole{suffix}", table, 999, **options)
    path, state, deaths = folder / f"resumed{suffix}", None, 0
    while not path.exists():
        rows = RowWriter(path, **options) if state is None else RowWriter.resume(path, state, **options)
        alive = True
        while alive and rows.rows_written < table.num_rows:
            rows.write(table.slice(rows.rows_written, data.draw(st.integers(1, 2000))))
            if data.draw(st.booleans()):
                state = json.loads(json.dumps(rows.checkpoint()))
            alive = deaths > 2 or data.draw(st.booleans())
        if alive:
            rows.close()
        else:
            deaths += 1
            rows.suspend()
    assert path.read_bytes() == whole.read_bytes()


def test_resuming_takes_the_columns_from_its_parts(tmp_path: Path) -> None:
    rows = RowWriter(tmp_path / "a.parquet", crs=LAMBERT)
    rows.write(parcels(10))
    state = rows.checkpoint()
    rows.write(parcels(99))
    rows.checkpoint()
    rows.suspend()
    rows = RowWriter.resume(tmp_path / "a.parquet", state, crs=LAMBERT)
    assert pq.read_table(rows.close()).num_rows == 10
    with pytest.raises(RunDamaged, match="does not hold its checkpoint"):
        RowWriter.resume(tmp_path / "a.parquet", state)


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="no table format"):
        RowWriter(tmp_path / "a.xlsx")
    with pytest.raises(InvalidSetting, match="rows do not fit"), RowWriter(tmp_path / "a.csv") as rows:
        rows.write(pa.table({"a": [1]}))
        rows.write(pa.table({"b": [1]}))
    with pytest.raises(InvalidSetting, match="do not fit the columns"), RowWriter(tmp_path / "a.csv") as rows:
        rows.write(pa.table({"a": [1]}))
        rows.write(pa.table({"a": ["x"]}))
    with pytest.raises(OutputError, match="closed or failed"):
        rows.write(pa.table({"a": [1]}))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable):
        RowWriter(tmp_path / "file" / "a.csv")


LIMITED = """
import resource, sys
import numpy as np, pyarrow as pa
from arpent.errors import DiskFull
from arpent.io import RowWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1))
try:
    with RowWriter(sys.argv[1]) as rows:
        rows.write(pa.table({"a": np.random.default_rng(0).random(100_000)}))
except DiskFull as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", [".parquet", ".gpkg"])
def test_a_full_disk_is_said_and_leaves_nothing(suffix: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / f"a{suffix}")]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.stdout.startswith("no space is left to write"), answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_small_full_disk(suffix: str, tmp_path: Path) -> None:
    """The parts just fit; the product beside them does not."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "x", tmp_path]).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        noise = pa.table({"a": np.random.default_rng(0).random(100_000)})
        with pytest.raises(DiskFull):
            write(tmp_path / f"a{suffix}", noise, 100_000)
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".geoparquet"])
def test_halves_and_floats_come_back_in_every_format(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(2).normal(size=(500, 2)).astype(np.float16)
    columns = {"half": values[:, 0], "single": values[:, 1].astype(np.float32), "id": np.arange(500)}
    path = write(tmp_path / f"a{suffix}", pa.table(columns), 77)
    if suffix.endswith("parquet"):
        with duckdb.connect() as base:
            found = base.execute("SELECT half, single FROM read_parquet(?) ORDER BY id", [str(path)]).fetchnumpy()
        assert pq.ParquetFile(path).schema_arrow.field("half").type == pa.float16()
    elif suffix == ".gpkg":
        read = pyogrio.raw.read_arrow(path)[1]
        found = {name: read[name].to_numpy() for name in ("half", "single")}
    else:
        lines = path.read_text().splitlines()
        rows = [json.loads(line) for line in lines] if suffix == ".jsonl" else list(csv.DictReader(lines))
        found = {name: [float(row[name]) for row in rows] for name in ("half", "single")}
    for number, name in enumerate(("half", "single")):
        np.testing.assert_array_equal(np.asarray(found[name], np.float16), values[:, number])


def test_a_table_keeps_what_arpent_notes_of_it_and_nothing_else(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())], metadata={"arpent:patches": "{}", "pandas": "{}"})
    path = tmp_path / "a.parquet"
    writer = RowWriter(path)
    writer.write(pa.table({"id": [1, 2]}, schema=schema))
    state = writer.checkpoint()
    writer.suspend()
    with RowWriter.resume(path, state) as rows:
        rows.write(pa.table({"id": [3]}))
    metadata = pq.ParquetFile(path).schema_arrow.metadata
    assert metadata[b"arpent:patches"] == b"{}"
    assert b"pandas" not in metadata
