"""Runs as a static STAC catalog, and in the database of a map."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pystac
import pytest

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec, stac_item
from arpent.store import RunFolder
from arpent.testing.items import validate_stac

Command = Callable[..., Any]


def make(place: str | Path, left: float = 500_000, placed: bool = True, maps: Sequence[str] = ("classes",)) -> None:
    """A run with one map, or more, and one table beside it."""
    with RunFolder.create(place, "landcover", "map", exact=True) as run:
        grid = Grid.north_up(left, 5_000_000, 10, 32, 32, "EPSG:32631") if placed else Grid(32, 32)
        for name in maps:
            with CogWriter(run.scratch / f"{name}.tif", RasterSpec(grid, ("class",), "uint8", 0)) as writer:
                writer.write(Strip(0, np.ones((1, 32, 32), np.uint8)))
            item = stac_item(f"map-{name}", f"./{name}.tif", grid=grid, start=dt.datetime(2024, 5, 6))
            run.publish(run.scratch / f"{name}.tif", kind="raster", stac=item)
        (run.scratch / "areas.csv").write_text("class,area\n")
        run.publish(run.scratch / "areas.csv", kind="table")
        run.finish()


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """Every file of a catalog, with its links checked."""
    for file in folder.rglob("*.json"):
        document = json.loads(file.read_text())
        for link in document["links"]:
            assert link["href"].startswith("."), link
            assert (file.parent / link["href"]).is_file(), link
        yield document


def test_a_catalog_of_runs_is_valid_and_can_be_moved(arpent: Command, tmp_path: Path) -> None:
    make(tmp_path / "runs" / "a")
    make(tmp_path / "runs" / "b", left=600_000)
    make(tmp_path / "runs" / "nowhere", placed=False)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "manifest.json").write_text("{")
    said = arpent("runs", "catalog", tmp_path / "runs", "--json")
    assert said.code == 0, said.err
    assert (said.document["runs"], said.document["items"]) == (3, 3)
    assert "broken" in said.document["damaged"][0]
    moved = (tmp_path / "runs").rename(tmp_path / "moved")
    found = list(documents(moved / "catalog"))
    for document in found:
        validate_stac(document)
    assert {document["type"] for document in found} == {"Catalog", "Collection", "Feature"}
    catalog = pystac.Catalog.from_file(moved / "catalog" / "catalog.json")
    files = {item.assets["data"].get_absolute_href() for item in catalog.get_items(recursive=True)}
    assert files == {str(moved / name / "classes.tif") for name in ("a", "b", "nowhere")}
    first = catalog.get_child("a")
    assert isinstance(first, pystac.Collection)
    assert first.extent.temporal.intervals[0][0] == dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    assert Path(str(first.assets["areas"].get_absolute_href())).is_file()
    assert arpent("runs", "catalog", moved).code == 0  # once more: the catalog is no run


def test_a_catalog_of_nothing(arpent: Command, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    said = arpent("runs", "catalog", tmp_path / "runs")
    assert (said.code, "no run in" in said.err) == (2, True)


def test_a_catalog_in_a_store(arpent: Command, s3: Any, tmp_path: Path) -> None:
    make("s3://land/runs/a")
    said = arpent("runs", "catalog", "s3://land/runs")
    assert said.code == 0, said.err
    assert "s3://land/runs/catalog/catalog.json: 1 run, 1 item" in said.out
    key = "runs/catalog/a/a-classes/a-classes.json"
    item = json.loads(s3.client.get_object(Bucket="land", Key=key)["Body"].read())
    validate_stac(item)
    assert item["assets"]["data"]["href"] == "../../../a/classes.tif"
    assert arpent("runs", "catalog", "s3://land/runs", "-o", tmp_path / "here").code == 0
    own = json.loads((tmp_path / "here" / "a" / "a-classes" / "a-classes.json").read_text())
    assert own["assets"]["data"]["href"] == "s3://land/runs/a/classes.tif"


def test_publishing_asks_for_a_database(arpent: Command, tmp_path: Path) -> None:
    said = arpent("runs", "publish", tmp_path, "--to", "mysql://localhost/x")
    assert (said.code, "expected postgresql://" in said.err) == (2, True)


PGSTAC = """
CREATE SCHEMA pgstac;
CREATE TABLE pgstac.collections (id text PRIMARY KEY, content jsonb);
CREATE TABLE pgstac.items (id text PRIMARY KEY, collection text REFERENCES pgstac.collections, content jsonb);
CREATE FUNCTION pgstac.upsert_collection(data jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO pgstac.collections VALUES (data->>'id', data)
    ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content $$;
CREATE FUNCTION pgstac.upsert_items(data jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO pgstac.items SELECT one->>'id', one->>'collection', one FROM jsonb_array_elements(data) one
  ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content $$;
CREATE FUNCTION pgstac.delete_item(_id text, _collection text) RETURNS void LANGUAGE sql AS $$
  DELETE FROM pgstac.items WHERE id = _id AND collection = _collection $$;
"""


@pytest.fixture
def land() -> Iterator[str]:
    """Address of an empty database with PostGIS."""
    import psycopg

    given = os.environ["ARPENT_POSTGIS_URL"]
    name = f"arpent_publish_{os.getpid()}"
    address = urlsplit(given)._replace(path=f"/{name}").geturl()  # the socket's folder may stand in its query
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    try:
        with psycopg.connect(address, autocommit=True) as database:
            database.execute("CREATE EXTENSION postgis")
        yield address
    finally:
        with psycopg.connect(given, autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.requires("postgis")
def test_published_runs_are_on_the_map_and_in_pgstac(arpent_process: Command, tmp_path: Path, land: str) -> None:
    """The schema of pgstac is stood in for by the three functions of its interface that are used."""
    import psycopg

    make(tmp_path / "runs" / "a")
    words = ("runs", "publish", tmp_path / "runs", "--to", land, "--json")
    env = {"DATA_PATH": str(tmp_path / "data")}
    said = arpent_process(*words, env=env)
    assert said.code == 0, said.err
    assert (said.document["new"], said.document["pgstac_items"]) == (1, None)
    with psycopg.connect(land, autocommit=True) as database:
        rows = database.execute("SELECT path FROM index_run").fetchall()
        assert rows == [(str(tmp_path / "runs" / "a"),)]
        database.execute(PGSTAC)
    said = arpent_process(*words, env=env)
    assert (said.document["new"], said.document["pgstac_items"]) == (0, 1)
    with psycopg.connect(land, autocommit=True) as database:
        ((identity, collection, item),) = database.execute("SELECT * FROM pgstac.items").fetchall()
    assert (identity, collection) == ("a-classes", "a")
    validate_stac(item)
    assert item["assets"]["data"]["href"] == str(tmp_path / "runs" / "a" / "classes.tif")


@pytest.mark.requires("postgis")
def test_runs_of_one_name_stand_beside_each_other_in_pgstac(arpent_process: Command, tmp_path: Path, land: str) -> None:
    import psycopg

    def published(*years: str) -> dict[str, list[str]]:
        """By collection, the files of its items, after these years were published."""
        places = [tmp_path / year / "map" for year in years]
        said = arpent_process("runs", "publish", *places, "--to", land, env={"DATA_PATH": str(tmp_path / "data")})
        assert said.code == 0, said.err
        with psycopg.connect(land) as database:
            found: dict[str, list[str]] = {
                name: [] for (name,) in database.execute("SELECT id FROM pgstac.collections ORDER BY id")
            }
            question = "SELECT collection, content #>> '{assets,data,href}' FROM pgstac.items ORDER BY id"
            for collection, file in database.execute(question):
                found[collection].append(str(Path(file).relative_to(tmp_path)))
        return found

    with psycopg.connect(land, autocommit=True) as database:
        database.execute(PGSTAC)
    make(tmp_path / "2023" / "map")
    make(tmp_path / "2024" / "map", maps=("classes", "doubt"))
    found = published("2023", "2024")
    first, second = found
    assert (first, second.startswith("map-")) == ("map", True)
    assert found == {first: ["2023/map/classes.tif"], second: ["2024/map/classes.tif", "2024/map/doubt.tif"]}
    shutil.rmtree(tmp_path / "2024")
    make(tmp_path / "2024" / "map", maps=("doubt",))
    assert published("2024") == {first: ["2023/map/classes.tif"], second: ["2024/map/doubt.tif"]}
