"""Runs of every kind, made by the writers that every run is made by, and a map that shows them.

Django is set up once for the whole process, with a folder of its own; what a test registers, it takes off again.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from pyproj import Transformer

from arpent.core import Grid, Strip, nomenclature, write_file
from arpent.io import CogWriter, RasterSpec, RowWriter, stac_item
from arpent.io.vectors import vector_field
from arpent.store import RunFolder
from arpent.tasks.landcover.outlining import ClassFields

CLASSES = nomenclature("commune")
SIDE = 96
GRID = Grid.north_up(380_000, 4_920_000, 10.0, SIDE, SIDE, 32631)
ISSUE = dt.date(2024, 3, 3)
CLAIM = pa.struct(
    [
        (name, pa.string() if kind is str else pa.float64() if kind is float else pa.int32())
        for name, kind in {
            "language": str,
            "sentence": int,
            "said": str,
            "axis": str,
            "index": str,
            "measured": float,
        }.items()
    ]
)
TEXTS = {
    "en": ("The vegetation is dense, with a mean NDVI of 0.72.", "The soil is dry, with a mean NDMI of -0.10."),
    "fr": ("La végétation est dense (NDVI moyen de 0,72).", "Le sol est sec (NDMI moyen de -0,10)."),
}


FAR = Grid.north_up(181_130, 8_050_000, 10.0, SIDE, SIDE, 32701)
"""Where 180° passes through the middle."""


class Maker:
    """A run that is being written, product by product."""

    def __init__(self, run: RunFolder, grid: Grid = GRID) -> None:
        self.run, self.grid = run, grid

    def raster(self, name: str, pixels: NDArray[np.generic], day: dt.date = ISSUE, **more: Any) -> None:
        facts = more.pop("facts", {})
        bands = more.pop("bands", tuple(f"b{number}" for number in range(len(pixels))))
        spec = RasterSpec(self.grid, bands, str(pixels.dtype), **more)
        path = self.run.scratch / f"{name}.tif"
        with CogWriter(path, spec) as writer:
            writer.write(Strip(0, pixels))
        start = dt.datetime.combine(day, dt.time(), dt.UTC)
        item = stac_item(name, f"./{name}.tif", grid=self.grid, raster=spec, **{"start": start, **facts})
        self.run.publish(path, kind="raster", stac=item)

    def classes(self, name: str, moved: int = 0, **more: Any) -> None:
        """Bands of four classes from north to south, moved to the south."""
        numbers = np.array([entry.id for entry in CLASSES.classes[:4]], np.uint8)
        rows = numbers[(np.arange(SIDE) - moved) // (SIDE // 4) % 4]
        pixels = np.repeat(rows[None, :, None], SIDE, axis=2)
        self.raster(name, pixels, nodata=CLASSES.nodata, classes=CLASSES, overviews="mode", bands=("class",), **more)

    def table(self, name: str, schema: pa.Schema, rows: list[dict[str, Any]], **more: Any) -> None:
        path = self.run.scratch / f"{name}.parquet"
        kind, crs = more.get("kind", "vector"), more.get("crs", CRS("EPSG:4326"))
        with RowWriter(path, schema=schema, crs=crs) as writer:
            writer.write(pa.Table.from_pylist(rows, schema))
        self.run.publish(path, kind=kind, name=name)

    def polygons(self, name: str) -> None:
        """As land cover is outlined: with the numbers of CoSIA, which are not those of the map."""
        fields, ids = ClassFields(CLASSES), np.array([entry.id for entry in CLASSES.classes[:4]], np.uint8)
        columns = fields.columns(np.ones((4, 4), np.int32), ids)
        schema = pa.schema([*fields.fields, ("area_m2", pa.float64()), ("geometry", pa.binary())])
        shapes = squares(4, self.grid, self.grid.crs)
        made = pa.table([*columns, pa.array([1e4] * 4), pa.array(shapes, pa.binary())], schema)
        self.table(name, schema, made.to_pylist(), crs=self.grid.crs)


def squares(count: int, grid: Grid = GRID, crs: CRS | None = None) -> list[bytes]:
    """Squares side by side on the ground of the rasters, in degrees if nothing else is asked for."""
    turn = Transformer.from_crs(grid.require_crs("squares"), crs or 4326, always_xy=True)
    bounds, step = grid.bounds, SIDE * 10.0 / count
    left = bounds.left + step * np.arange(count)
    shapes = [shapely.box(x, bounds.top - step, x + step * 0.8, bounds.top) for x in left]
    return [
        shapely.to_wkb(shapely.transform(shape, lambda at: np.column_stack(turn.transform(*at.T)))) for shape in shapes
    ]


def _landcover(made: Maker, folder: Path) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 4000, (3, SIDE, SIDE)).astype(np.uint16)
    image = folder / "inputs" / "s2_20240301.tif"
    image.parent.mkdir(parents=True, exist_ok=True)
    with CogWriter(image, RasterSpec(GRID, ("red", "green", "blue"), "uint16", nodata=0)) as writer:
        writer.write(Strip(0, colours))
    made.run.add_input(image, "image")
    made.classes("classes")
    names = tuple(entry.en for entry in CLASSES.classes[:3])
    made.raster("probabilities", rng.integers(0, 101, (3, SIDE, SIDE)).astype(np.uint8), bands=names, nodata=255)
    made.polygons("polygons")
    made.run.warn("warning: The image is far from those of the training.")


def _change(made: Maker, folder: Path) -> None:
    rng = np.random.default_rng(1)
    slope = np.linspace(-1, 1, SIDE * SIDE, dtype=np.float32).reshape(1, SIDE, SIDE)
    made.raster("cosine_map", slope, bands=("cosine",), nodata=float("nan"))
    dates = np.full((1, SIDE, SIDE), 2024061, np.int32)
    dates[:, SIDE // 2 :] = 2024100
    for name in ("before_date", "after_date"):
        made.raster(name, dates, bands=("date",), nodata=0)
    made.raster("quality_fmask", rng.integers(0, 4, (1, SIDE, SIDE)).astype(np.uint8), bands=("quality",), nodata=255)
    made.raster("infer_0", rng.random((3, SIDE, SIDE), np.float32), bands=("red", "green", "blue"))
    made.raster("feature_maps_0", rng.random((4, SIDE, SIDE), np.float32))
    made.raster("mosaic_persistence", (slope + 1) / 2, bands=("persistence",), nodata=float("nan"))
    made.raster("mosaic_agreement", (slope + 1) / 2, bands=("agreement",), nodata=float("nan"))
    made.raster("series_confidence", (slope + 1) / 2, bands=("confidence",), nodata=float("nan"))


def _forecast(made: Maker, folder: Path) -> None:
    dates = []
    for horizon in range(-2, 4):
        day = ISSUE + dt.timedelta(days=horizon)
        label = f"classes_{day.isoformat()}"
        made.classes(label, moved=4 * (horizon + 2), day=day)
        kind = "forecast" if horizon > 0 else "observed"
        scores = {"water": 0.9 - horizon / 10} if horizon > 0 else {}
        dates.append(
            {
                "date": day.isoformat(),
                "kind": kind,
                "horizon": horizon,
                "classes": f"{label}.tif",
                "side": "test",
                "iou": scores,
                "persistence": {name: value - 0.2 for name, value in scores.items()},
            }
        )
    document = {"format": 1, "place": "river", "issue": ISSUE.isoformat(), "step_days": 1.0, "dates": dates}
    made.run.publish(write_file(made.run.scratch / "timeline.json", json.dumps(document)), kind="text")


def _rivers(made: Maker) -> None:
    """A forecast of several places, more than are listed without being folded."""
    for place in ("Lot", "Dordogne", "Aveyron", "Célé"):
        dates = []
        for horizon, kind in enumerate(("observed", "forecast")):
            day = ISSUE + dt.timedelta(days=horizon)
            entry = {"date": day.isoformat(), "kind": kind, "horizon": horizon}
            for name in ("classes", "probabilities"):
                entry[name] = f"{name}_{day}_{place}.tif"
            made.classes(f"classes_{day}_{place}", day=day)
            made.raster(f"probabilities_{day}_{place}", np.full((2, SIDE, SIDE), 50, np.uint8), day=day, nodata=255)
            dates.append(entry)
        document = {"format": 1, "place": place, "issue": ISSUE.isoformat(), "step_days": 1.0, "dates": dates}
        made.run.publish(write_file(made.run.scratch / f"timeline_{place}.json", json.dumps(document)), kind="text")


def _describe(made: Maker, folder: Path) -> None:
    keys = {"place": "T31", "image": "s2_20240301", "taken": dt.date(2024, 3, 1)}
    common = [("parcel", pa.string()), ("place", pa.string()), ("image", pa.string()), ("taken", pa.date32())]
    told = [("ndvi_mean", pa.float64()), ("text_en", pa.string()), ("text_fr", pa.string())]
    claims = [
        {"language": language, "sentence": place, "said": "", "axis": axis, "index": index, "measured": measured}
        for language in ("en", "fr")
        for place, (axis, index, measured) in enumerate((("vigour", "NDVI", 0.72), ("moisture", "NDMI", -0.1)))
    ]
    shapes = squares(5)
    rows = [
        {
            **keys,
            "parcel": f"field {number}",
            "ndvi_mean": 0.72,
            "text_en": " ".join(TEXTS["en"][: 1 + number % 2]),
            "text_fr": " ".join(TEXTS["fr"][: 1 + number % 2]),
            "claims": claims,
            "geometry": shape,
        }
        for number, shape in enumerate(shapes)
    ]
    made.table(
        "descriptions", pa.schema([*common, *told, ("claims", pa.list_(CLAIM)), ("geometry", pa.binary())]), rows
    )
    vectors = np.random.default_rng(2).normal(size=(5, 8)).astype(np.float32)
    vectors[1] = 2 * vectors[0] + 0.01  # field 1 is like field 0
    embedded = [
        {**keys, "parcel": f"field {number}", "valid": 1.0, "embedding": vectors[number].tolist(), "geometry": shape}
        for number, shape in enumerate(shapes)
    ]
    schema = pa.schema(
        [*common, ("valid", pa.float64()), vector_field("embedding", pa.float32(), 8), ("geometry", pa.binary())],
        metadata={"arpent:encoder": "encoder"},
    )
    made.table("embeddings", schema, embedded, kind="table")


def _classify(made: Maker, folder: Path) -> None:
    schema = pa.schema([("picture", pa.string()), ("labels", pa.string()), ("geometry", pa.binary())])
    made.table("places", schema, [{"picture": "a.jpg", "labels": "harbor", "geometry": squares(1)[0]}])


MAKERS: dict[str, Callable[[Maker, Path], None]] = {
    "landcover": _landcover,
    "change": _change,
    "forecast": _forecast,
    "describe": _describe,
    "classify": _classify,
}


def make_run(folder: Path, task: str, name: str = "valley") -> Path:
    """A finished run of a task in a folder of runs."""
    with RunFolder.create(folder, task, name) as run:
        MAKERS[task](Maker(run), folder)
        return run.finish().path


@pytest.fixture(scope="session")
def new_run() -> Callable[..., Path]:
    """Makes another run: ``new_run(folder, task, name)``."""
    return make_run


@pytest.fixture(scope="session")
def far_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose ground lies on both sides of the antimeridian; on no map yet."""
    with RunFolder.create(tmp_path_factory.mktemp("far"), "landcover", "Taveuni") as run:
        made = Maker(run, FAR)
        made.classes("classes")
        made.polygons("polygons")
        return run.finish().path


@pytest.fixture(scope="session")
def rivers_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forecast of four places; on no map yet."""
    with RunFolder.create(tmp_path_factory.mktemp("rivers"), "forecast", "rivers") as run:
        _rivers(Maker(run))
        return run.finish().path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of every task by its name; together they have a layer of every kind."""
    folder = tmp_path_factory.mktemp("runs")
    return {task: make_run(folder, task) for task in MAKERS}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Django, set up with an empty map in a folder of its own; the folder."""
    data = tmp_path_factory.mktemp("map")
    os.environ["DATA_PATH"] = str(data)
    for name in ("DJANGO_SECRET_KEY", "DATABASE_URL", "ALLOWED_HOSTS", "DEBUG"):
        os.environ.pop(name, None)
    from arpent.web.site.serving import migrate, set_up

    set_up()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
    migrate()
    return data


@pytest.fixture(scope="session")
def registered(site: Path, runs: dict[str, Path]) -> dict[str, int]:
    """The map with all of these runs; their numbers by task."""
    from arpent.web.index.registering import register

    return {task: register(path).number for task, path in runs.items()}


@pytest.fixture(scope="session")
def served(registered: dict[str, int]) -> Iterator[str]:
    """Address of a living map that shows runs of every kind."""
    from arpent.web.site.serving import served_beside

    with served_beside() as address:
        yield address
