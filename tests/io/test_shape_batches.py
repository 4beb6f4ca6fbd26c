"""Shapes read a few thousand at a time: the same as all at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from odc.geo.crs import CRS

from arpent.errors import FileMissing, GeoreferenceMissing, UnreadableFile
from arpent.io import RowWriter
from arpent.io.named_shapes import read_shapes, shape_batches

COUNT = 9000
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("area", pa.float64()),
        ("claims", pa.list_(pa.string())),
        ("geometry", pa.binary()),
    ],
    {b"arpent:encoder": b"toy"},
)


@pytest.fixture(scope="module", params=[".parquet", ".gpkg"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes") / f"shapes{request.param}"
    corners = np.arange(COUNT, dtype=np.float64)
    rows = {
        "name": [None if number % 7 == 0 else f"n{number}" for number in range(COUNT)],
        "area": corners,
        "claims": [[f"c{number}"] * (number % 3) for number in range(COUNT)],
        "geometry": shapely.to_wkb(shapely.box(corners, 0, corners + 0.5, 1)),
    }
    with RowWriter(path, schema=SCHEMA, crs=CRS("EPSG:32631")) as writer:
        writer.write(pa.Table.from_pydict(rows, SCHEMA))
    return path


def test_batches_together_are_the_whole(file: Path) -> None:
    whole = read_shapes(file, "shapes")
    parts = list(shape_batches(file, "shapes"))
    assert len(parts) >= 3 and max(len(part.geometry) for part in parts) <= 2048
    assert (np.concatenate([part.geometry for part in parts]) == whole.geometry).all()
    for name in ("name", "area"):
        assert [value for part in parts for value in part.columns[name].to_pylist()] == whole.columns[name]
    assert {part.crs for part in parts} == {whole.crs}


def test_columns_are_left_out_and_lists_come_where_they_are_asked_for(file: Path) -> None:
    bare = next(shape_batches(file, "shapes", bare=True, nested=("claims",)))
    assert len(bare.geometry) == 2048 and bare.columns.schema.names == []
    if file.suffix == ".parquet":
        first = next(shape_batches(file, "shapes", nested=("claims", "name", "absent")))
        assert first.columns.schema.names == ["name", "area", "claims"]
        assert first.columns["claims"][:4].to_pylist() == [[], ["c1"], ["c2", "c2"], []]
        assert first.columns.schema.metadata[b"arpent:encoder"] == b"toy"


def test_damage_is_told_at_once_or_on_the_way(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    cut = tmp_path / f"cut{file.suffix}"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFile, match="no shapes that can be read"):
        list(shape_batches(cut, "shapes"))
    with pytest.raises(FileMissing):
        next(shape_batches(tmp_path / f"none{file.suffix}", "shapes"))
    if file.suffix == ".parquet":
        spoilt = tmp_path / "spoilt.parquet"
        spoilt.write_bytes(b"PAR1" + b"\xff" * 200_000 + content[200_004:])
        with pytest.raises(UnreadableFile, match="no shapes that can be read"):
            list(shape_batches(spoilt, "shapes"))


def test_a_table_without_geometries_is_told_in_words(tmp_path: Path) -> None:
    pq.write_table(pa.table({"name": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(UnreadableFile) as told:
        read_shapes(tmp_path / "t.parquet", "parcels")
    assert told.value.found == "a Parquet file without geometries"


def test_a_file_without_a_reference_system_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lost.parquet"
    with RowWriter(path, schema=SCHEMA, crs=None) as writer:
        writer.write(pa.Table.from_pylist([{"name": "a", "geometry": shapely.to_wkb(shapely.Point(0, 0))}], SCHEMA))
    with pytest.raises(GeoreferenceMissing):
        list(shape_batches(path, "shapes"))
