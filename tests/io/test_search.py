"""Items by place and time, from files and from an API that answers on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arpent.errors import ArpentError, BandMismatch, FileMissing, InvalidSetting, NetworkMissing, UnreadableFile
from arpent.io import open_image, retry
from arpent.io.search import Wanted, items_as_files, items_as_one_file, search_items


def item(name: str, day: str | None = "2024-06-01", box: tuple[float, ...] | None = (3.0, 43.0, 4.0, 44.0)) -> Any:
    """An item with one image."""
    asset = {"href": f"./{name}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": name,
        "bbox": None if box is None else list(box),
        "geometry": None,
        "properties": {"datetime": day and f"{day}T10:30:00Z"},
        "links": [],
        "assets": {"data": asset},
    }


ITEMS = [
    item("b", "2024-06-11"),
    item("a", "2024-06-01"),
    item("far", box=(20.0, 43.0, 21.0, 44.0)),
    item("later", "2024-08-01"),
]


def names(found: Any) -> list[str]:
    return [one.content["id"] for one in found]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog of two levels, as `arpent runs catalog` makes them."""
    (tmp_path / "one").mkdir()
    for entry in ITEMS:
        (tmp_path / "one" / f"{entry['id']}.json").write_text(json.dumps(entry))
    links = [{"rel": "item", "href": f"./{entry['id']}.json"} for entry in ITEMS]
    child = {"type": "Collection", "id": "one", "links": [*links, {"rel": "parent", "href": "../catalog.json"}]}
    (tmp_path / "one" / "collection.json").write_text(json.dumps(child))
    loop = {"rel": "child", "href": "./catalog.json"}
    root = {"type": "Catalog", "id": "root", "links": [{"rel": "child", "href": "./one/collection.json"}, loop]}
    (tmp_path / "catalog.json").write_text(json.dumps(root))
    return tmp_path / "catalog.json"


@pytest.mark.parametrize(
    ("bbox", "when", "expected"),
    [
        (None, None, ["a", "far", "b", "later"]),
        ("3.5,43.5,3.6,43.6", None, ["a", "b", "later"]),
        ("3.5,43.5,3.6,43.6", "2024-06-01", ["a"]),
        ("3.5,43.5,3.6,43.6", "2024-06-02/..", ["b", "later"]),
        ("3.5,43.5,3.6,43.6", "../2024-06-11", ["a", "b"]),
        ("19,43,-170,44", None, ["far"]),
        (None, "2024-06-01T10:30:00Z/2024-06-01T11:00:00Z", ["a", "far"]),
    ],
)
def test_items_of_files(catalog: Path, bbox: str | None, when: str | None, expected: list[str]) -> None:
    assert names(search_items(str(catalog), Wanted.of(bbox, when))) == expected


def test_items_without_place_or_time_are_where_nothing_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [item("x", None, None)]}))
    assert names(search_items(str(path), Wanted())) == ["x"]
    for wanted in (Wanted.of("0,0,9,60", None), Wanted.of(None, "2024-06-01")):
        with pytest.raises(FileMissing, match=r"no item of .* lies in the place and time asked for\. Widen"):
            search_items(str(path), wanted)


def test_files_for_one_image_and_for_many(catalog: Path) -> None:
    found = search_items(str(catalog), Wanted.of("3.5,43.5,3.6,43.6", "2024-06-01/2024-06-30"))
    one = items_as_one_file(found, "two of them")
    assert one == items_as_one_file(found, "two of them")
    assert one.name == "two-of-them.json"
    hrefs = [entry["assets"]["data"]["href"] for entry in json.loads(one.read_text())["features"]]
    assert hrefs == [str(catalog.parent / "one" / f"{name}.tif") for name in "ab"]
    assert [file.name for file in items_as_files(found)] == ["a_2024-06-01.json", "b_2024-06-11.json"]
    single = items_as_one_file(found[:1], "a")
    assert json.loads(single.read_text())["type"] == "Feature"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"assets": {}}, "the STAC item b has no image asset"),
        ({}, r"there is no .*/one/b\.tif"),
        ({"assets": {"nir": {"href": "b.tif"}}}, r"the items of b, a \(found by --stac\) do not .* data in a"),
    ],
)
def test_errors_name_the_item_and_not_the_list_in_the_cache(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (tmp_path / "one").mkdir()
    items = [item("b", "2024-01-01") | change, item("a")]
    several = "do not" in said
    features = items if several else items[:1]
    (tmp_path / "one" / "list.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found = search_items(str(tmp_path / "one" / "list.json"), Wanted())
    with pytest.raises(ArpentError, match=said) as caught:
        open_image(items_as_one_file(found, "list"))
    assert "searches" not in str(caught.value)


def test_a_band_that_is_missing_is_told_of_the_item(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(item("a")))
    (file,) = items_as_files(search_items(str(tmp_path / "a.json"), Wanted()))
    with pytest.raises(BandMismatch, match=r"^a \(found by --stac\) has no band 'nir'"):
        open_image(file, bands=("nir",))


class Api(ThreadingHTTPServer):
    """A STAC API of one collection, which answers two items a page."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.questions: list[Any] = []


class _Answer(BaseHTTPRequestHandler):
    server: Api

    def log_message(self, *_: object) -> None:
        """The server keeps its own list."""

    def do_GET(self) -> None:
        search = {"rel": "search", "href": f"{self.server.url}/search", "method": "POST"}
        root = {"rel": "root", "href": "/"}
        pages = {
            "/": {"type": "Catalog", "id": "api", "conformsTo": [], "links": [search]},
            "/collections/one": {
                "type": "Collection",
                "id": "one",
                "links": [root, {"rel": "items", "href": "./items"}],
            },
        }
        self._say(200 if self.path in pages else 404, pages.get(self.path))

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.questions.append(question)
        first = question.get("token", 0)
        answer: dict[str, Any] = {"type": "FeatureCollection", "features": ITEMS[first : first + 2], "links": []}
        if first == 0:
            body = {"token": 2}
            answer["links"] = [{"rel": "next", "href": "/search", "method": "POST", "body": body, "merge": True}]
        self._say(200, answer)

    def _say(self, code: int, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def api(straight_to_loopback: None, running: Callable[..., Any]) -> Iterator[Api]:
    server = Api()
    with running(server):
        yield server


@pytest.mark.parametrize("place", ["/", "/search", "/collections/one"])
def test_an_api_is_asked_page_by_page(api: Api, place: str) -> None:
    found = search_items(f"{api.url}{place}", Wanted.of("3.5,43.5,3.6,43.6", "2024-06-01/2024-06-30"))
    assert names(found) == ["a", "b"]  # what it answers beside the question is left out
    first, second = api.questions
    assert first["bbox"] == [3.5, 43.5, 3.6, 43.6]
    assert first["datetime"] == "2024-06-01T00:00:00Z/2024-06-30T23:59:59Z"
    assert first.get("collections") == (["one"] if "collections" in place else None)
    assert second == first | {"token": 2}


def test_addresses_that_answer_something_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PAUSES", ())
    with pytest.raises(FileMissing):
        search_items(f"{api.url}/none", Wanted())
    with pytest.raises(NetworkMissing):
        search_items("http://127.0.0.1:9/search", Wanted())


def test_what_is_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('["not STAC"]')
    with pytest.raises(UnreadableFile, match="not a STAC item"):
        search_items(str(path), Wanted())
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [item(str(n)) for n in range(1001)]}))
    with pytest.raises(InvalidSetting, match="more than 1,000 items"):
        search_items(str(path), Wanted())


@pytest.mark.parametrize("bbox", ["1,2,3", "a,b,c,d", "3,44,4,43", "0,0,200,1", "nan,0,1,1"])
def test_boxes_that_are_none(bbox: str) -> None:
    with pytest.raises(InvalidSetting, match="--bbox names no place"):
        Wanted.of(bbox, None)


@pytest.mark.parametrize("when", ["yesterday", "2024-06-30/2024-06-01", "../..", "/", "2024-06-01/soon"])
def test_times_that_are_none(when: str) -> None:
    with pytest.raises(InvalidSetting, match="--datetime names no time"):
        Wanted.of(None, when)


@example("0,0,1,1", "0001-01-01T00:00:00+14:00")
@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_typed_is_understood_or_refused(bbox: str, when: str) -> None:
    with suppress(ArpentError):
        Wanted.of(bbox, when).question()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))
