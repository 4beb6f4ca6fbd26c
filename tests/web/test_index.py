"""The index: one contract for SQLite and for PostgreSQL with PostGIS, and registering on both."""

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import shapely
from django.core.management import call_command
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import FileMissing, InvalidSetting, UnknownName
from arpent.web.index.boxes import Box, boxes_of, enclosing, on_the_globe, outermost
from arpent.web.index.folding import folded, terms

DATABASES = ["sqlite", pytest.param("postgis", marks=pytest.mark.requires("postgis"))]


@pytest.fixture(scope="module", params=DATABASES)
def database(request: pytest.FixtureRequest, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The map over an empty database of its own; what other tests have registered is there again afterwards."""
    from django.conf import settings as site_settings
    from django.db import connections

    from arpent.web.site.environment import Environment
    from arpent.web.site.serving import migrate

    data = tmp_path_factory.mktemp(request.param)
    schema, address = f"arpent_{os.getpid()}", ""
    if request.param == "postgis":
        given = os.environ["ARPENT_POSTGIS_URL"]
        execute(given, f"CREATE SCHEMA {schema}")
        address = f"{given}{'&' if '?' in given else '?'}options={quote(f'-c search_path={schema},public')}"
    before, data_before = connections.settings["default"], site_settings.DATA_PATH
    connections["default"].close()
    made = Environment(data=data, database=address).databases()
    connections.settings["default"] = connections.configure_settings(made)["default"]
    del connections["default"]
    site_settings.DATA_PATH = data
    migrate()
    yield request.param
    connections["default"].close()
    connections.settings["default"] = before
    del connections["default"]
    site_settings.DATA_PATH = data_before
    if request.param == "postgis":
        execute(given, f"DROP SCHEMA {schema} CASCADE")


def execute(address: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def store(database: str) -> Iterator[Callable[..., Any]]:
    """Makes a layer of some shapes and gives it; it is gone after the test."""
    from arpent.core import Silent
    from arpent.web.index.models import Frame, Layer, Run
    from arpent.web.index.registering import _drop
    from arpent.web.index.rows import store_features
    from arpent.web.index.shapes import ShapeTable
    from arpent.web.layers import Legend

    run = Run.objects.create(id=1, path="1", digest="", name="r", task="t", created=dt.datetime.now(dt.UTC))

    def make(shapes: list[Any], number: int = 2, **columns: list[Any]) -> Layer:
        placed = on_the_globe(np.array(shapes, dtype=object))
        table = ShapeTable(placed, boxes_of(placed), columns or {"parcel": [f"p{n}" for n in range(len(shapes))]})
        box = enclosing(table.boxes)
        layer = Layer.objects.create(
            id=number, run=run, place=0, key="k", name="n", kind="polygons", source="vector", title_en="Things",
            title_fr="Choses", west=box.west, south=box.south, east=box.east, north=box.north, words="things choses",
        )  # fmt: skip
        frame = Frame.objects.create(id=number << 40, layer=layer, place=0, file="", digest="")
        with Silent().bar("") as bar:
            store_features(layer, [frame], table, Legend(), bar)
        return layer

    yield make
    _drop(Run.objects.filter(id=1))


def found_in(layer: Any, box: Box | None, limit: int = 2000) -> list[str]:
    """Names of the features that pages give, page after page."""
    from arpent.web.index.features import features_within
    from arpent.web.index.models import Frame

    names, after = [], 0
    while True:
        page = features_within(layer, list(Frame.objects.filter(layer=layer)), box, after, limit)
        features = json.loads(page.collection)["features"]
        assert len(features) <= limit
        names += [feature["properties"]["parcel"] for feature in features]
        if page.next is None:
            return names
        after = page.next


@pytest.fixture(scope="module")
def scattered() -> list[Any]:
    """Squares all over the globe, some of which cross the antimeridian."""
    rng = np.random.default_rng(5)
    lon, lat, size = rng.uniform(-180, 185, 300), rng.uniform(-80, 78, 300), rng.uniform(0.01, 3, 300)
    lon[:5] = 180 - size[:5] / 2
    return [shapely.box(x, y, x + side, y + side / 2) for x, y, side in zip(lon, lat, size, strict=True)]


def test_a_box_gives_the_features_whose_boxes_meet_it_page_by_page(
    store: Callable[..., Any], scattered: list[Any]
) -> None:
    layer = store(scattered)
    bounds = boxes_of(on_the_globe(np.array(scattered, dtype=object)))
    assert (bounds[:, 0] > bounds[:, 2]).sum() >= 2

    def meets(box: Box, one: Any) -> bool:
        west, south, east, north = one
        spans = [(west, east)] if west <= east else [(west, 180), (-180, east)]
        asked = [(part.west, part.east) for part in box.parts]
        across = any(a <= d and b >= c for a, b in spans for c, d in asked)
        return bool(across and south <= box.north and north >= box.south)

    @settings(max_examples=25)
    @given(
        st.floats(-180, 180), st.floats(-85, 80), st.floats(0, 120), st.floats(0, 60), st.sampled_from([3, 50, 2000])
    )
    def check(west: float, south: float, width: float, height: float, limit: int) -> None:
        box = Box.parse(f"{west},{south},{west + width},{south + height}")
        expected = [f"p{number}" for number, one in enumerate(bounds) if meets(box, one)]
        assert found_in(layer, box, limit) == expected

    check()
    assert len(found_in(layer, None, 7)) == 300


def test_a_small_box_is_looked_up_in_the_tree_and_gives_the_same(store: Callable[..., Any]) -> None:
    from arpent.web.index.models import Frame
    from arpent.web.index.repository import which

    layer = store([shapely.box(x, 45, x + 0.5, 45.5) for x in range(100)])
    (frame,) = Frame.objects.filter(layer=layer)
    for share in (0.0, 1.0):
        numbers = which().within(frame.id, Box(10.5, 45.5, 12.0, 46.0), share=share, after=0, limit=10)
        assert len(numbers) == 3, share  # edges that touch count
        assert which().within(frame.id, Box(10.6, 45, 10.9, 46), share=share, after=0, limit=10) == []
        assert which().within(frame.id, Box(0, 45, 99, 46), share=share, after=numbers[0], limit=2) == [
            numbers[0] + 1,
            numbers[0] + 2,
        ]


def test_words_find_texts_whatever_their_accents_and_cases(store: Callable[..., Any]) -> None:
    from arpent.web.index.features import features_with

    shapes = [shapely.Point(number, 45) for number in range(4)]
    store(
        shapes,
        parcel=["Champ d'été", "pré", "'; DROP TABLE index_feature; --", "œuf"],
        text_en=["Vegetation is dense here.", "The soil is dry.", "", ""],
        text_fr=["La végétation est dense.", "Le sol est sec. Une forêt la borde.", "", ""],
    )

    def names(words: str, language: str = "en") -> list[str]:
        return [one.feature.parcel for one in features_with(words, language, 10)]

    assert names("VEGETATION dense") == names("végét") == ["Champ d'été"]
    assert names("foret") == names("Forêts"[:5]) == ["pré"]
    assert names("dense dry") == []
    assert names("oeuf") == ["œuf"]
    assert names("drop table") == ["'; DROP TABLE index_feature; --"]
    assert names("' OR 1=1 --") == []
    assert names('* : & | ! ( " NEAR') == []
    (found,) = features_with("forêt", "fr", 10)
    assert (found.snippet, found.score) == ("Une forêt la borde.", None)


def test_what_is_told_of_a_place_comes_before_its_mere_name(store: Callable[..., Any]) -> None:
    from arpent.web.index.features import features_with

    shapes = [shapely.Point(number, 45) for number in range(9)]
    parcels = ["forest"] * 8 + ["field"]
    store(shapes, parcel=parcels, text_en=[""] * 8 + ["A long story of a field that lies beside a small forest."])
    assert [one.feature.parcel for one in features_with("forest", "en", 3)] == ["field", "forest", "forest"]


@settings(max_examples=30)
@given(st.text(max_size=40))
def test_terms_are_letters_and_digits_alone(text: str) -> None:
    assert all(term.isalnum() and term.isascii() for term in terms(text))
    assert folded(folded(text)) == folded(text) or not text.isascii()


def test_a_run_is_registered_once_and_found_again_where_it_was_moved(
    database: str, new_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from arpent.web.index.models import Feature, Frame, Run, Vector
    from arpent.web.index.reading import version
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path / "runs", "describe")
    first, before = register(path), version()
    assert (first.is_new, first.problems) == (True, ())
    frames = set(Frame.objects.values_list("id", flat=True))
    again = register(path)
    assert (again.is_new, again.number, version()) == (False, first.number, before)
    assert Feature.objects.filter(layer__run_id=first.number).count() >= 10

    moved = path.rename(tmp_path / "runs" / "elsewhere")
    assert register(moved).number == first.number
    assert version() > before
    assert [row.path for row in Run.objects.all()] == [str(moved.resolve())]
    assert set(Frame.objects.values_list("id", flat=True)) == frames, "addresses of tiles and permalinks must last"

    call_command("rebuild")
    assert capsys.readouterr().out == "1 runs are on the map, 0 could not be registered again.\n"
    assert [row.id for row in Run.objects.all()] == [first.number]
    assert set(Frame.objects.values_list("id", flat=True)) == frames

    remove(first.number)
    assert not Run.objects.exists() and not Feature.objects.exists() and not Vector.objects.exists()
    with pytest.raises(UnknownName, match="no run"):
        remove(first.number)


def test_a_run_made_anew_takes_the_place_of_the_old_one(
    database: str, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    import shutil

    from django.conf import settings as site_settings

    from arpent.web.index.models import Run
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path, "forecast")
    first = register(path)
    displays = Path(site_settings.DATA_PATH) / "display"
    assert len(list(displays.glob("*.tif"))) == 6
    shutil.rmtree(path)
    path = new_run(tmp_path, "forecast")
    second = register(path)
    assert second.number != first.number
    assert [run.id for run in Run.objects.all()] == [second.number]
    next(displays.glob("*.tif")).unlink()
    assert register(path).is_new, "what is missing is made again"
    Run.objects.filter(id=second.number).update(digest="")
    assert register(path).is_new, "as a migration would ask for"
    remove(second.number)
    assert not list(displays.glob("*.tif"))


def test_one_layer_that_cannot_be_shown_hides_no_other(
    database: str, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path, "change")
    content = (path / "infer_0.tif").read_bytes()
    (path / "infer_0.tif").write_bytes(content[: len(content) // 2])
    (path / "cosine_map.tif").unlink()
    done = register(path)
    assert done.layers >= 7
    assert any("infer_0" in line for line in done.problems)
    assert any("cosine_map" in line for line in done.problems)
    remove(done.number)


def test_parcels_like_this_one_come_in_the_order_of_their_likeness(
    database: str, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.index.likeness import features_like
    from arpent.web.index.models import Feature
    from arpent.web.index.registering import register, remove

    done = register(new_run(tmp_path, "describe"))
    own = Feature.objects.filter(parcel="field 0").exclude(texts="").get()  # the description has no vector of its own
    found = features_like(own, 3)
    assert found[0].feature.parcel == "field 1"
    assert found[0].score > 0.99
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.feature.parcel != "field 0" for one in found)
    remove(done.number)


def test_vectors_that_are_lost_are_told_and_made_again(
    database: str, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from django.conf import settings as site_settings

    from arpent.web.index.likeness import features_like
    from arpent.web.index.models import Feature, Matrix
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path, "describe")
    done = register(path)
    own = Feature.objects.filter(parcel="field 0").exclude(texts="").get()
    before = [(one.feature.parcel, one.score) for one in features_like(own, 9)]
    file = Path(site_settings.DATA_PATH) / "vectors" / Matrix.objects.get().file
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(FileMissing, match="gone"):
        features_like(own, 9)
    assert register(path).is_new
    assert file.read_bytes() == content
    own = Feature.objects.filter(parcel="field 0").exclude(texts="").get()
    assert [(one.feature.parcel, one.score) for one in features_like(own, 9)] == before
    remove(done.number)
    assert not file.exists()


def test_shapes_that_are_damaged_on_the_way_leave_nothing_and_hide_no_other_layer(
    database: str, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    """The outlines are whole, so the damage shows only once their columns are read, in the middle of writing."""
    import pyarrow.parquet as pq

    from arpent.web.index.models import Feature, Matrix
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path, "describe")
    file = path / "embeddings.parquet"
    group = pq.read_metadata(file).row_group(0)
    (column,) = (
        group.column(place) for place in range(group.num_columns) if "valid" in group.column(place).path_in_schema
    )
    content = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(content)
    done = register(path)
    assert [line for line in done.problems if "embeddings.parquet" in line]
    assert done.layers >= 1
    assert not Matrix.objects.exists()
    assert Feature.objects.filter(layer__run_id=done.number).exclude(texts="").count() == 5
    assert not Feature.objects.filter(layer__key="embeddings").exists()
    remove(done.number)


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,10,1,5", "nan,0,1,1", "inf,0,1,1", "1e9,0,1e9,1"])
def test_what_is_no_box_is_told(text: str) -> None:
    with pytest.raises(InvalidSetting, match="bbox is no box"):
        Box.parse(text)


@settings(max_examples=40)
@given(st.floats(-700, 700), st.floats(0, 400))
def test_boxes_of_maps_that_were_turned_around_the_globe_are_brought_back(west: float, width: float) -> None:
    box = Box.parse(f"{west},0,{west + width},1")
    assert -180 <= box.west <= 180 and -180 <= box.east <= 180
    covered = sum(part.east - part.west for part in box.parts)
    assert covered == pytest.approx(min(width, 360), abs=1e-6)


def test_a_layer_on_both_sides_of_the_antimeridian_has_a_narrow_box() -> None:
    shapes = np.array([shapely.box(179, 0, 179.5, 1), shapely.box(180.5, 0, 181, 1), shapely.box(179.9, 2, 180.1, 3)])
    boxes = boxes_of(on_the_globe(shapes))
    assert boxes[2].tolist() == pytest.approx([179.9, 2, -179.9, 3])
    box = enclosing(boxes)
    assert (box.west, box.east) == pytest.approx((179, -179))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(0, 200)), min_size=1, max_size=12), st.integers(1, 5))
def test_the_box_around_all_is_that_around_the_outermost_of_each_part(spans: list[Any], size: int) -> None:
    ends = [(west, (west + width + 180) % 360 - 180) for west, width in spans]
    boxes = np.array([(west, place, east, place + 1.5) for place, (west, east) in enumerate(ends)])
    parts = [outermost(boxes[start : start + size]) for start in range(0, len(boxes), size)]
    assert enclosing(np.concatenate(parts)) == enclosing(boxes)
    assert len(outermost(np.repeat(boxes, 9, axis=0))) <= 7


def test_a_run_says_in_which_language_its_warnings_are(
    site: Path, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.index.registering import register, remove

    for name, asked, language in (("parcelles", {"language": "fr"}, "fr"), ("fields", {}, "en")):
        file = new_run(tmp_path, "landcover", name) / "manifest.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | asked))
        done = register(file.parent)
        told = {run["id"]: run["language"] for run in Client().get("/api/layers").json()["runs"]}
        remove(done.number)
        assert told[done.number] == language


def test_runs_that_an_earlier_map_knew_are_looked_at_again_for_their_language(
    database: str, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.index.models import Run
    from arpent.web.index.registering import register, remove
    from arpent.web.site.serving import migrate

    file = new_run(tmp_path, "landcover", "parcelles") / "manifest.json"
    earlier = json.loads(file.read_text()) | {"format": 2, "settings": {"language": "fr"}}
    earlier.pop("language", None)
    file.write_text(json.dumps(earlier))
    done = register(file.parent)
    try:
        call_command("migrate", "index", "0001", verbosity=0)
    finally:
        migrate()
    assert Run.objects.get(id=done.number).language == "en"
    assert register(file.parent).is_new
    assert Run.objects.get(id=done.number).language == "fr"
    assert not register(file.parent).is_new
    remove(done.number)
