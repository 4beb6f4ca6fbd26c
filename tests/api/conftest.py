"""Run folders as the tasks leave them, made by the store and the writers themselves: no network is needed to look."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from odc.geo.crs import CRS

import arpent as ap
from arpent.core import ClassMap, Grid, Strip, nomenclature
from arpent.engine.published_maps import publish_map
from arpent.io import CogWriter, RasterSpec, RowWriter
from arpent.report import figures
from arpent.store import Place, RunFolder

GRID = Grid.north_up(500_000, 4_690_000, 10, 30, 40, "EPSG:32631")
COMMUNE = nomenclature("commune")


def write(run: RunFolder, name: str, values: Any, **facts: Any) -> None:
    """Publishes a raster of those values, ``(bands, 30, 40)``."""
    values = np.asarray(values)
    grid = facts.pop("grid", GRID)
    bands = facts.pop("bands", tuple(f"b{place}" for place in range(len(values))))
    taken = facts.pop("taken", None)
    properties = facts.pop("properties", None)
    spec = RasterSpec(grid, bands, str(values.dtype), **facts)
    with CogWriter(run.scratch / f"{name}.tif", spec) as writer:
        writer.write(Strip(0, values))
    if grid.crs is None:
        run.publish(run.scratch / f"{name}.tif", kind="raster", name=name)
    else:
        publish_map(run, run.scratch / f"{name}.tif", spec, taken=taken, facts=properties)


def classes_of(classes: ClassMap) -> np.ndarray[Any, Any]:
    """A map with a stripe of each of the first three classes, and nothing in its first row."""
    numbers = np.repeat(classes.ids[[0, 1, 2, 2]], 10)[None, None].repeat(30, 1).astype(np.uint8)
    numbers[0, 0] = classes.nodata
    return numbers


def odds_of() -> np.ndarray[Any, Any]:
    """Probabilities that grow from left to right, with a hole."""
    values = np.linspace(0, 1, 40, dtype=np.float32)[None, None].repeat(30, 1)
    values[0, :5, :5] = -100.0
    return values


@pytest.fixture(scope="session")
def land_cover(tmp_path_factory: pytest.TempPathFactory) -> ap.Run[None]:
    """A class map with its probabilities and polygons, made in French, with a warning and a preview."""
    home = tmp_path_factory.mktemp("land-cover") / "run"
    with Place(exact=home).begin("landcover", "ortho", {"language": "fr"}) as run:
        write(run, "classes", classes_of(COMMUNE), bands=("class",), classes=COMMUNE, nodata=0, overviews="mode")
        chances = np.full((5, 30, 40), 20, np.uint8)
        write(run, "probabilities", chances, bands=tuple("abcde"), nodata=255, unit="%")
        run.warn("<b>une image</b> loin de celles de l’apprentissage")
        run.add_metrics({"miou": 0.75, "nothing": float("nan")})
        drawn = figures.canvas(9.0, 3.0)
        figures.publish(drawn, run.scratch / "preview.png")
        run.publish(run.scratch / "preview.png", kind="picture")
        run.finish()
    return ap.open_run(home)


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> ap.Run[None]:
    """Two dates compared by a model with a change head."""
    home = tmp_path_factory.mktemp("comparison") / "run"
    with Place(exact=home).begin("change", "a-b", {"score": "auto"}) as run:
        write(run, "cosine_map", 1 - odds_of(), bands=("cosine",), nodata=101.0, title="Likeness")
        write(run, "quality_fmask", np.ones((1, 30, 40), np.uint8), bands=("quality",), nodata=255)
        days = np.full((1, 30, 40), 2022100, np.int32)
        write(run, "after_date", days, bands=("after_date",), nodata=-100)
        write(run, "change_probability", odds_of(), bands=("probability",), nodata=-100.0, title="Chance of change")
        run.add_metrics({"threshold/change_probability": 0.4, "threshold/cosine_map": 0.6})
        run.finish()
    return ap.open_run(home)


@pytest.fixture(scope="session")
def foretold(tmp_path_factory: pytest.TempPathFactory) -> ap.Run[None]:
    """Two observed dates and one to come."""
    home = tmp_path_factory.mktemp("foretold") / "run"
    classes = nomenclature("sar")
    first = dt.date(2023, 3, 1)
    with Place(exact=home).begin("forecast", "river", {}) as run:
        dates = []
        for number in range(3):
            day = first + dt.timedelta(days=6 * number)
            kind = "observed" if number < 2 else "forecast"
            write(run, f"classes_{day}", classes_of(classes), bands=("class",), classes=classes, nodata=0)
            dates.append({"date": str(day), "kind": kind, "horizon": number - 1, "classes": f"classes_{day}.tif"})
        document = {"format": 1, "place": "river", "issue": str(first), "step_days": 6, "dates": dates}
        (run.scratch / "timeline.json").write_text(json.dumps(document), "utf-8")
        run.publish(run.scratch / "timeline.json", kind="text")
        run.finish()
    return ap.open_run(home)


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ap.Run[None]]:
    """A run with one table of two parcels, in the format of that ending; one run for each."""
    home = tmp_path_factory.mktemp("tables")

    def make(ending: str) -> ap.Run[None]:
        folder = home / ending.removeprefix(".")
        if not folder.exists():
            import shapely

            shapes = [shapely.to_wkb(shapely.box(place, 42, place + 0.1, 42.1)) for place in (1, 2)]
            columns: dict[str, Any] = {"parcel": ["north", "south"], "ndvi": [0.5, 0.25]}
            if ending != ".csv":
                columns["geometry"] = pa.array(shapes, pa.binary())
            table = pa.table(columns)
            with Place(exact=folder).begin("embed", "fields", {}) as run:
                with RowWriter(run.scratch / f"parcels{ending}", schema=table.schema, crs=CRS("EPSG:4326")) as writer:
                    writer.write(table)
                run.publish(Path(run.scratch / f"parcels{ending}"), kind="table")
                run.finish()
        return ap.open_run(folder)

    return make
