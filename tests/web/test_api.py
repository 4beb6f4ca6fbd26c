"""What the page and other programs may ask the map, and what they are told when they ask for nonsense."""

import csv
import gzip
import io
import json
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import rasterio
from django.test import Client
from hypothesis import example, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def ask(registered: dict[str, int]) -> Client:
    return Client()


@pytest.fixture(scope="module")
def layers(ask: Client) -> dict[str, dict[str, Any]]:
    """The first layer of each kind."""
    found: dict[str, dict[str, Any]] = {}
    for run in ask.get("/api/layers").json()["runs"]:
        for layer in run["layers"]:
            found.setdefault(layer["kind"], layer)
    return found


@pytest.fixture(scope="module")
def forecast(ask: Client, registered: dict[str, int]) -> dict[str, Any]:
    (run,) = (run for run in ask.get("/api/layers").json()["runs"] if run["id"] == registered["forecast"])
    (layer,) = (layer for layer in run["layers"] if layer["kind"] == "classes")
    return layer


def middle(layer: dict[str, Any]) -> tuple[float, float]:
    west, south, east, north = layer["bounds"]
    return (west + east) / 2, (south + north) / 2


def tile_of(layer: dict[str, Any], z: int, frame: int = 0) -> str:
    """Address of the tile of a layer's middle."""
    lon, lat = middle(layer)
    x = int((lon + 180) / 360 * 2**z)
    y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z)
    return f"/tiles/{layer['id']}/{layer['frames'][frame]['id']}/{z}/{x}/{y}"


def test_the_list_of_layers_travels_compressed_where_that_is_understood(ask: Client) -> None:
    plain, packed = ask.get("/api/layers"), ask.get("/api/layers", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert json.loads(gzip.decompress(packed.content)) == plain.json()
    assert len(packed.content) < len(plain.content) / 4


def test_every_kind_of_layer_is_on_the_map(ask: Client, registered: dict[str, int], layers: dict[str, Any]) -> None:
    from arpent.web.layers import KINDS, VECTOR

    document = ask.get("/api/layers").json()
    assert {run["id"] for run in document["runs"]} >= set(registered.values())
    assert set(layers) == set(KINDS)
    for kind, layer in layers.items():
        assert layer["source"] == ("vector" if kind in VECTOR else "raster")
        assert layer["title"]["fr"] and layer["title"]["en"]
        assert 0 <= layer["minzoom"] <= layer["maxzoom"] <= 26


def test_layers_are_found_by_words_and_by_days(ask: Client, layers: dict[str, Any]) -> None:
    def kinds(**query: str) -> set[str]:
        runs = ask.get(f"/api/layers?{urlencode(query)}").json()["runs"]
        return {layer["kind"] for run in runs for layer in run["layers"]}

    assert kinds(search="PERSISTENCE") == {"persistence"}
    assert "persistence" in kinds(search=layers["persistence"]["title"]["fr"].upper())
    assert kinds(search="nix") == set()
    assert "classes" in kinds(**{"from": "2024-03-05"})
    assert kinds(**{"from": "2030-01-01"}) == set()
    assert "classes" in kinds(to="2024-03-01")


def test_a_forecast_says_when_it_was_made_and_how_good_it_is(forecast: dict[str, Any]) -> None:
    assert [frame["horizon"] for frame in forecast["frames"]] == [-2, -1, 0, 1, 2, 3]
    assert [frame["observed"] for frame in forecast["frames"]] == [True] * 3 + [False] * 3
    assert forecast["issue"] == "2024-03-03"
    assert [row["horizon"] for row in forecast["skill"]["iou"]] == [1, 2, 3]
    assert all(row["model"] > row["persistence"] for row in forecast["skill"]["iou"])


def test_tiles_may_be_kept_for_ever_under_an_address_that_names_their_pixels(
    ask: Client, layers: dict[str, Any]
) -> None:
    layer = layers["classes"]
    address = tile_of(layer, layer["maxzoom"])
    etag = layer["frames"][0]["etag"]
    first = ask.get(f"{address}.png?v={etag}")
    assert (first.status_code, first["Content-Type"]) == (200, "image/png")
    assert "immutable" in first["Cache-Control"]
    assert "immutable" not in ask.get(f"{address}.png")["Cache-Control"]
    again = ask.get(f"{address}.png", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    by_proxy = ask.get(f"{address}.png", headers={"If-None-Match": f'"other", W/{first["ETag"]}'})
    assert by_proxy.status_code == 304
    assert ask.get(f"{address}.png", headers={"If-None-Match": '"other"'}).status_code == 200
    double = ask.get(f"{address}@2x.png")
    assert double["ETag"] != first["ETag"]
    assert struct.unpack(">II", double.content[16:24]) == (512, 512)
    outside = ask.get(f"/tiles/{layer['id']}/{layer['frames'][0]['id']}/9/0/0.png")
    assert (outside.status_code, outside.content) == (204, b"")


def test_one_dimension_of_an_embedding_is_shown_at_a_time(ask: Client, layers: dict[str, Any]) -> None:
    layer = layers["embedding"]
    assert len(layer["bands"]) == 4
    address = tile_of(layer, layer["maxzoom"])
    contents = {ask.get(f"{address}.png?band={band}").content for band in (1, 2, 3, 4)}
    assert len(contents) == 4
    for wrong in ("0", "5", "x", "99999999999", "9" * 5000):
        assert ask.get(f"{address}.png?band={wrong}").status_code == 400


def test_other_maps_can_use_the_tiles(ask: Client, layers: dict[str, Any]) -> None:
    layer = layers["classes"]
    for wrong in ("x", "-1", "9" * 5000):
        assert ask.get(f"/tiles/{layer['id']}/tilejson.json?frame={wrong}").status_code == 400
    document = ask.get(f"/tiles/{layer['id']}/tilejson.json?frame={layer['frames'][0]['id']}").json()
    assert document["tilejson"] == "3.0.0"
    assert (document["minzoom"], document["maxzoom"]) == (layer["minzoom"], layer["maxzoom"])
    assert document["bounds"] == layer["bounds"]
    z, x, y = tile_of(layer, layer["maxzoom"]).split("/")[-3:]
    address = document["tiles"][0].format(z=z, x=x, y=y).removeprefix("http://testserver")
    assert ask.get(address).status_code == 200
    frame = f"/tiles/{layer['id']}/{layer['frames'][0]['id']}"
    open_to_all = (f"/tiles/{layer['id']}/tilejson.json", address, f"{frame}/9/0/0.png")
    assert {ask.get(one).get("Access-Control-Allow-Origin") for one in open_to_all} == {"*"}
    kept = (
        "/",
        "/api/layers",
        "/api/state",
        f"/api/layers/{layer['id']}/clip?bbox=0,0,9,60",
        "/static/arpent/icon.svg",
    )
    for one in kept:
        with closing(ask.get(one)) as answer:
            assert "Access-Control-Allow-Origin" not in answer, one
    assert ask.get(f"/tiles/{layers['parcels']['id']}/tilejson.json").status_code == 404


def test_a_place_has_a_series_of_values(ask: Client, forecast: dict[str, Any], layers: dict[str, Any]) -> None:
    lon, lat = middle(forecast)
    numbers = f"{forecast['id']},{layers['change']['id']},{layers['parcels']['id']}"
    series, change, parcels = ask.get(f"/api/point?lat={lat}&lon={lon}&layers={numbers}").json()["layers"]
    assert [one["frame"] for one in series["values"]] == [frame["id"] for frame in forecast["frames"]]
    assert len({one["value"] for one in series["values"]}) == 2  # the bands of classes have moved
    assert all(one["label"]["fr"] and one["colour"].startswith("#") for one in series["values"])
    assert -0.1 < change["values"][0]["value"] < 0.1
    assert parcels["values"] == []


def areas(ask: Client, body: dict[str, Any], query: str = "", **headers: str) -> Any:
    return ask.post(f"/api/areas{query}", json.dumps(body), content_type="application/json", headers=headers)


def square(layer: dict[str, Any], share: float = 0.8) -> dict[str, Any]:
    west, south, east, north = layer["bounds"]
    lon, lat = middle(layer)
    across, along = (east - west) / 2 * share, (north - south) / 2 * share
    ring = [[lon - across, lat - along], [lon + across, lat - along], [lon + across, lat + along]]
    return {"type": "Polygon", "coordinates": [[*ring, [lon - across, lat + along], ring[0]]]}


def test_an_area_has_the_ground_of_each_class_on_each_date(ask: Client, forecast: dict[str, Any]) -> None:
    body = {"polygon": square(forecast), "layers": [forecast["id"]]}
    rows = areas(ask, body).json()["rows"]
    assert {row["frame"] for row in rows} == {frame["id"] for frame in forecast["frames"]}
    for frame in forecast["frames"]:
        own = [row for row in rows if row["frame"] == frame["id"]]
        assert sum(row["share"] for row in own) == pytest.approx(1)
        assert sum(row["area_m2"] for row in own) == pytest.approx(0.64 * 960**2, rel=0.05)
    for language, delimiter, comma in (("en", ",", "."), ("fr", ";", ",")):
        answer = areas(ask, body, f"?format=csv&lang={language}")
        text = answer.content.decode()
        assert text.startswith("\ufeff")
        lines = list(csv.reader(io.StringIO(text[1:]), delimiter=delimiter))
        assert len(lines) == len(rows) + 1
        assert lines[1][3] == f"{rows[0]['area_m2']:.1f}".replace(".", comma)
        assert "attachment" in answer["Content-Disposition"]


def test_what_an_area_may_cost_is_shared_by_all_layers_that_are_asked_for(
    ask: Client, layers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [layers[kind]["id"] for kind in ("continuous", "persistence")]
    polygon = square(layers["persistence"], 0.1)
    monkeypatch.setattr("arpent.web.values.areas.MOST_PIXELS", 150)  # it is ten pixels wide
    for one in asked:
        assert areas(ask, {"polygon": polygon, "layers": [one]}).json()["rows"]
    answer = areas(ask, {"polygon": polygon, "layers": asked})
    assert answer.status_code == 400 and "too large to be measured" in answer.content.decode()


def test_what_is_seen_can_be_taken_along(
    ask: Client, layers: dict[str, Any], runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = layers["classes"]
    lon, lat = middle(layer)
    answer = ask.get(f"/api/layers/{layer['id']}/clip?bbox={layer['bounds'][0]},{lat},{lon},{layer['bounds'][3]}")
    assert answer["Content-Type"] == "image/tiff"
    with rasterio.MemoryFile(b"".join(answer.streaming_content)) as file, file.open() as cut:
        assert 45 < cut.width < 56 and 45 < cut.height < 56
        assert cut.crs.to_epsg() == 32631
    from django.conf import settings as site_settings

    answer.close()
    assert not list((Path(site_settings.DATA_PATH) / "clips").iterdir())

    layer = layers["parcels"]
    monkeypatch.setattr("arpent.web.api.values.MOST_FEATURES", 2)  # of a page: all pages are sent
    answer = ask.get(f"/api/layers/{layer['id']}/clip?bbox={','.join(map(str, layer['bounds']))}")
    features = json.loads(b"".join(answer.streaming_content))["features"]
    assert len(features) == 5
    assert answer["Content-Disposition"].endswith('.geojson"')


def test_a_parcel_is_told_in_both_languages_with_what_was_measured(ask: Client, layers: dict[str, Any]) -> None:
    found = ask.get("/api/search?q=v%C3%A9g%C3%A9tation%20dense&lang=fr").json()
    assert len(found) == 5
    assert found[0]["snippet"] == "La végétation est dense (NDVI moyen de 0,72)."
    one = ask.get(f"/api/features/{found[-1]['feature']}").json()
    assert one["texts"]["en"][0] == {
        "text": "The vegetation is dense, with a mean NDVI of 0.72.",
        "measured": {"NDVI": 0.72},
    }
    dry = ask.get("/api/search?q=sec&lang=fr").json()
    assert len(dry) == 2
    told = ask.get(f"/api/features/{dry[0]['feature']}").json()["texts"]["fr"]
    assert [sentence["measured"] for sentence in told] == [{"NDVI": 0.72}, {"NDMI": -0.1}]
    like = ask.get(f"/api/features/{found[0]['feature']}/like?n=2").json()
    assert len(like) == 2
    assert like[0]["title"].startswith("field")


def test_features_come_in_pages(ask: Client, layers: dict[str, Any]) -> None:
    layer = layers["polygons"]
    address = f"/api/layers/{layer['id']}/features?bbox={','.join(map(str, layer['bounds']))}&limit=3"
    first = ask.get(address).json()
    second = ask.get(f"{address}&after={first['next']}").json()
    assert (len(first["features"]), len(second["features"]), second["next"]) == (3, 1, None)
    properties = first["features"][0]["properties"]
    assert properties["label"]["fr"] != properties["label"]["en"]
    told = [one["properties"] for one in (*first["features"], *second["features"])]
    assert [one["numero"] for one in told] != [one["value"] for one in told], "CoSIA numbers classes otherwise"
    known = layer["legend"]["entries"][:4]
    assert [(one["value"], one["label"]["en"], one["colour"]) for one in told] == [
        (one["value"], one["en"], one["colour"]) for one in known
    ]
    assert ask.get(f"{address}1000000").status_code == 422


def test_a_picture_goes_by_its_name(ask: Client, layers: dict[str, Any]) -> None:
    layer = layers["places"]
    address = f"/api/layers/{layer['id']}/features?bbox={','.join(map(str, layer['bounds']))}"
    found = ask.get(address).json()["features"][0]
    assert ask.get(f"/api/features/{found['id']}").json()["title"] == {"en": "a.jpg", "fr": "a.jpg"}


def test_the_page_learns_within_a_moment_that_a_run_has_come(
    ask: Client, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.index.registering import register, remove

    first = ask.get("/api/state")
    assert ask.get("/api/state", headers={"If-None-Match": first["ETag"]}).status_code == 304
    done = register(new_run(tmp_path, "classify", "later"))
    second = ask.get("/api/state", headers={"If-None-Match": first["ETag"]})
    assert second.json()["version"] > first.json()["version"]
    assert done.number in {run["id"] for run in ask.get("/api/layers").json()["runs"]}
    remove(done.number)
    assert ask.get("/api/state").json()["version"] > second.json()["version"]


ODD = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.floats().map(str),
    st.text(max_size=12),
    st.sampled_from(["../../etc/passwd", "/vsicurl/http://a", "%00", "'", "1e400", "null", "-1", "0,0,1,1"]),
)


COORDINATES = st.one_of(st.floats(-2, 50), st.floats(), st.integers(), st.just(10**400), st.none())
AREAS = st.builds(
    lambda corners, layers: json.dumps(
        {"polygon": {"type": "Polygon", "coordinates": [[*corners, *corners[:1]]]}, "layers": layers}
    ),
    st.lists(st.tuples(COORDINATES, COORDINATES), max_size=6),
    st.lists(st.integers(-(10**20), 10**20), max_size=3),
)


@pytest.fixture(scope="module")
def operations(ask: Client) -> list[tuple[str, str, list[str]]]:
    """Of each operation that the API describes: method, path, and names of its parameters."""
    paths = ask.get("/api/openapi.json").json()["paths"]
    return [
        (method, path, [parameter["name"] for parameter in told.get("parameters", ()) if parameter["in"] == "query"])
        for path, methods in paths.items()
        for method, told in methods.items()
    ]


def test_no_question_whatever_it_says_ends_in_a_defect(
    ask: Client, operations: list[tuple[str, str, list[str]]], layers: dict[str, Any]
) -> None:
    numbers = st.sampled_from([str(layer["id"]) for layer in layers.values()])
    assert len(operations) >= 11

    @settings(max_examples=150)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        method, path, names = data.draw(st.sampled_from(operations))
        for name in ("layer", "feature", "run"):
            if f"{{{name}}}" in path:
                value = data.draw(st.one_of(numbers, ODD)).replace("/", "%2F").replace("?", "%3F") or "0"
                path = path.replace(f"{{{name}}}", value)
        query = {name: data.draw(st.one_of(numbers, ODD)) for name in names if data.draw(st.booleans())}
        body = data.draw(st.one_of(ODD, AREAS))
        address = f"{path}?{urlencode(query, errors='replace')}"
        answer = ask.generic(method.upper(), address, body, content_type="application/json")
        assert answer.status_code < 500, (method, address, answer.content[:300])
        if answer.status_code >= 400:
            told = answer.json()
            assert set(told) == {"error", "cure", "class", "means"}, address
            assert "\n" not in told["error"] and told["cure"]

    check()


@settings(max_examples=60)
@example((10**20, 10**20, 0, 0, 0), "")
@example((0, 2**63, 0, 0, 0), "@2x")
@given(st.tuples(*[st.one_of(st.integers(0, 10**20), st.integers(0, 40))] * 5), st.sampled_from(["", "@2x"]))
def test_no_address_of_a_tile_ends_in_a_defect(
    registered: dict[str, int], numbers: tuple[int, ...], double: str
) -> None:
    layer, frame, z, x, y = numbers
    answer = Client().get(f"/tiles/{layer}/{frame}/{z}/{x}/{y}{double}.png")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "cure", "class", "means"}
    assert Client().get(f"/tiles/{layer}/tilejson.json?frame={frame}").status_code == 404
