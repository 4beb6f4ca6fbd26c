"""Memory of the map: what a server gives back before it serves, and what registering many shapes needs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from odc.geo.crs import CRS

from arpent.io import RowWriter
from arpent.store import RunFolder
from arpent.web.site.memory import settle

PROGRAM = """
from arpent.web.site.memory import settle

def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096

# One block of a thousand stays: the heap cannot shrink from its end, and what lies between is given back only if asked.
blocks = [bytes(1000) for _ in range(100_000)]
kept = blocks[::1000]
del blocks
before = resident()
settle()
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="lacks the GNU C library")
def test_memory_that_is_free_goes_back_to_the_machine() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(answer.stdout) > 50 << 20, "of 100 MB"


def test_other_machines_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    settle()


PEAKS = """
import sys
from arpent.web.site.serving import migrate, set_up
set_up()
migrate()
import arpent.web.site.urls
from arpent.web.index.models import Feature, Vector
from arpent.web.index.registering import register
print("also:", *sorted({"numba", "torch", "matplotlib", "pandas", "duckdb"} & set(sys.modules)))
from django.db import connection
connection.cursor().execute("PRAGMA cache_size=-2000")
from arpent.testing.memory import peak_memory
for path in sys.argv[1:]:
    register(path)
    print(peak_memory(), Feature.objects.count(), Vector.objects.count())
"""


def many_parcels(folder: Path, count: int) -> Path:
    """A run of round parcels of 250 corners with embeddings: five kilobytes of each."""
    circle = np.exp(2j * np.pi * np.arange(251) / 250)
    ring = np.stack([circle.real, circle.imag], 1) * 4e-4
    schema = pa.schema(
        [("parcel", pa.string()), ("embedding", pa.list_(pa.float32(), 128)), ("geometry", pa.binary())],
        {b"arpent:encoder": b"toy"},
    )
    vectors = np.random.default_rng(0).normal(size=count * 128).astype(np.float32)
    with RunFolder.create(folder, "describe", f"n{count}") as run:
        path = run.scratch / "embeddings.parquet"
        with RowWriter(path, schema=schema, crs=CRS("EPSG:4326")) as writer:
            at = np.stack([np.arange(count) % 200, np.arange(count) // 200], 1) * 1e-3
            arrays = [
                pa.array([f"field {number}" for number in range(count)]),
                pa.FixedSizeListArray.from_arrays(pa.array(vectors), 128),
                pa.array(shapely.to_wkb(shapely.polygons(at[:, None] + ring)), pa.binary()),
            ]
            writer.write(pa.Table.from_arrays(arrays, schema=schema))
        run.publish(path, kind="vector", name="embeddings")
        return run.finish().path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a process says that registers a few parcels, then many."""
    folder = tmp_path_factory.mktemp("parcels")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("arpent.io.table._GROUP_ROWS", 1_000)  # a group of rows is held for as long as it is read
        runs = [many_parcels(folder, count) for count in (4_000, 10_000)]
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, *runs],
        env={**os.environ, "DATA_PATH": str(folder / "map")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_memory_does_not_grow_with_the_number_of_shapes(told: list[str]) -> None:
    """Of 6 000 parcels more, shapes, rows and vectors would take 80 MB; SQLite's own cache is kept small."""
    (few, *_), (many, *counted) = (map(int, line.split()) for line in told[1:])
    assert counted == [14_000, 14_000]
    assert many - few < 48 * 2**20, (few, many)


def test_a_server_that_registers_needs_neither_compiler_nor_figures(told: list[str]) -> None:
    """Filters, networks and figures live in rooms that it never enters: each would cost it a second and 50 MB."""
    assert told[0] == "also:"
