"""What shapes on the map cost: importing and registering them, those in a box, those that look like one.

    python bench/map_shapes.py [--shapes 100000] [--large 0] [--width 256] [--json]

`--shapes` fields as a GeoJSON file, which is imported, and as parcels with embeddings of `--width` numbers; `--large`
polygons more, each step in a process of its own, whose peak memory is printed beside that of a process that registers
a hundredth of them. Boxes are those of a screen at zooms 10 to 16, likeness is asked for by parcels drawn by a seed,
beside numpy's product with all vectors in memory; both are medians and 99th percentiles in milliseconds of the clock.
`DATABASE_URL` says which database; SQLite in a temporary folder if it does not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from odc.geo.crs import CRS

from arpent.io import RowWriter
from arpent.store import RunFolder
from arpent.testing.memory import peak_memory

SIDE = 0.0005  # degrees of a field
BATCH = 16_384
ASKED = 200


def fields(count: int, start: int = 0) -> np.ndarray:
    """Fields of seventeen corners, row by row, about four fifths of the ground."""
    numbers = np.arange(start, start + count)
    across = 1000
    angles = np.linspace(0, 2 * np.pi, 17)[:-1]
    ring = 0.45 * SIDE * np.stack([np.cos(angles), np.sin(angles)], 1)
    centres = np.stack([2 + SIDE * (numbers % across), 45 + SIDE * (numbers // across)], 1)
    made: np.ndarray = shapely.polygons(centres[:, None] + ring)
    return made


def parcels(folder: Path, count: int, width: int) -> Path:
    """A run of parcels with embeddings; without, if `width` is 0."""
    columns = [("parcel", pa.string()), ("place", pa.string()), ("area_m2", pa.float64())]
    embedding = [("embedding", pa.list_(pa.float32(), width))] if width else []
    schema = pa.schema([*columns, *embedding, ("geometry", pa.binary())], {b"arpent:encoder": b"bench"})
    rng = np.random.default_rng(0)
    with RunFolder.create(folder, "describe", f"{count}-{width}") as run:
        path = run.scratch / "embeddings.parquet"
        with RowWriter(path, schema=schema, crs=CRS("EPSG:4326")) as writer:
            for start in range(0, count, BATCH):
                size = min(BATCH, count - start)
                vectors = rng.normal(size=size * width).astype(np.float32)
                arrays = [
                    pa.array([f"field {start + number}" for number in range(size)]),
                    pa.array(["bench"] * size),
                    pa.array(rng.random(size) * 1e4),
                    *([pa.FixedSizeListArray.from_arrays(pa.array(vectors), width)] if width else []),
                    pa.array(shapely.to_wkb(fields(size, start)), pa.binary()),
                ]
                writer.write(pa.Table.from_arrays(arrays, schema=schema))
        run.publish(path, kind="vector", name="embeddings")
        return run.finish().path


def predictions(path: Path, count: int) -> Path:
    """A GeoJSON file of predictions."""
    lines = (
        f'{{"type":"Feature","geometry":{shape},"properties":'
        f'{{"date":"2026-07-{14 + place % 3}","horizon":{place % 3},"prob":0.5,"class":"water"}}}}'
        for place, shape in enumerate(shapely.to_geojson(fields(count)))
    )
    path.write_text(f'{{"type":"FeatureCollection","features":[{",".join(lines)}]}}')
    return path


def spent(step: Callable[[], object]) -> dict[str, float]:
    """Seconds of the clock and of the processor that a step takes."""
    begun, used = time.perf_counter(), time.process_time()
    step()
    return {"seconds": time.perf_counter() - begun, "cpu_s": time.process_time() - used}


def times(ask: Callable[[int], object]) -> dict[str, float]:
    """Milliseconds of many answers."""
    clock, used = [], time.process_time()
    for number in range(ASKED):
        begun = time.perf_counter()
        ask(number)
        clock.append(1e3 * (time.perf_counter() - begun))
    return {
        "p50_ms": float(np.percentile(clock, 50)),
        "p99_ms": float(np.percentile(clock, 99)),
        "cpu_ms": 1e3 * (time.process_time() - used) / ASKED,
    }


def map_in(folder: Path) -> None:
    """An empty map in this process."""
    os.environ["DATA_PATH"] = str(folder)
    from arpent.web.site.serving import migrate, set_up

    set_up()
    migrate()


def measured(folder: Path, count: int, width: int) -> dict[str, dict[str, float]]:
    """Everything but memory."""
    map_in(folder / "map")
    from arpent.web.index.boxes import Box
    from arpent.web.index.features import features_within
    from arpent.web.index.importing import load_predictions
    from arpent.web.index.likeness import features_like
    from arpent.web.index.models import Feature, Frame, Layer
    from arpent.web.index.registering import register

    file, run = predictions(folder / "p.geojson", count), parcels(folder / "runs", count, width)
    found = {"import": spent(lambda: load_predictions(file)), "register": spent(lambda: register(run))}
    layer = Layer.objects.get(kind="parcels")
    frames = list(Frame.objects.filter(layer=layer))
    first = Feature.objects.filter(layer=layer).order_by("id").values_list("id", flat=True)[0]
    rng = np.random.default_rng(1)
    west, south, spans = (
        2 + 0.4 * rng.random(ASKED),
        45 + 0.04 * rng.random(ASKED),
        1.4 / 2 ** rng.integers(0, 7, ASKED),
    )

    def box(number: int) -> object:
        x, y, span = west[number], south[number], spans[number]
        return features_within(layer, frames, Box(x, y, x + span, y + span / 2), 0, 500)

    asked = Feature.objects.in_bulk([first + int(place) for place in rng.integers(0, count, ASKED)])
    features = list(asked.values())
    matrix = rng.normal(size=(count, width)).astype(np.float32)
    found["a box of 500 features at most"] = times(box)
    found["like one: first"] = spent(lambda: features_like(features[0], 10))
    found["like one"] = times(lambda number: features_like(features[number % len(features)], 10))
    found["numpy, in memory"] = times(lambda number: matrix @ matrix[number])
    return found


def child(folder: Path, count: int) -> None:
    """Registers polygons and prints what this process has needed."""
    run = parcels(folder / "runs", count, 0)
    map_in(folder / "map")
    from arpent.web.index.registering import register

    figures = spent(lambda: register(run))
    print(json.dumps({**figures, "peak_mib": peak_memory() / 2**20}))


def large(folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Peak memory of registering polygons, by their number."""
    found = {}
    for number in (count // 100, count):
        words = [sys.executable, __file__, "--child", str(folder / str(number)), "--shapes", str(number)]
        answer = subprocess.run(words, check=True, capture_output=True, text=True)
        found[f"register {number:,} polygons"] = json.loads(answer.stdout)
    return found


def main() -> None:
    """Prints the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.child:
        child(wanted.child, wanted.shapes)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), wanted.shapes, wanted.width) if wanted.shapes else {}
        if wanted.large:
            figures |= large(Path(folder), wanted.large)
    if wanted.json:
        json.dump(figures, sys.stdout, indent=1)
        return
    for name, row in figures.items():
        print(f"{name:32} {'  '.join(f'{key} {value:.2f}' for key, value in row.items())}")


if __name__ == "__main__":
    main()
