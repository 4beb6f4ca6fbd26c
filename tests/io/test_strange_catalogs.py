"""Catalogs of strangers: broken ones, servers that misbehave, and what they may not open."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from arpent.errors import InvalidSetting, NetworkMissing, UnreadableFile
from arpent.io import documents, open_image, retry, search
from arpent.io.search import Wanted, items_as_files, items_as_one_file, search_items

ITEM = {"type": "Feature", "id": "one", "bbox": [3, 43, 4, 44], "properties": {}, "assets": {}, "links": []}
LIST = {"type": "FeatureCollection", "features": [ITEM]}


def whole(document: object) -> bytes:
    """An answer as it should be."""
    content = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


class Stranger(ThreadingTCPServer):
    """Answers each request with the next of its bytes, the last again and again, a byte now and then if it drips."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: list[bytes] = []
        self.asked: list[str] = []
        self.pause = 0.0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class _Answer(StreamRequestHandler):
    server: Stranger

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().split()[1])
        while self.rfile.readline().strip():
            pass
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if not self.server.pause:
            self.wfile.write(answer)
            return
        for byte in answer:
            self.wfile.write(bytes([byte]))
            time.sleep(self.server.pause)


@pytest.fixture
def stranger(
    straight_to_loopback: None, running: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stranger]:
    monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0))
    server = Stranger()
    with running(server):
        yield server


def found(source: object, wanted: Wanted | None = None) -> list[str]:
    return [item.content["id"] for item in search_items(str(source), wanted or Wanted())]


def test_catalogs_in_catalogs_of_any_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1200):
        below = {"rel": "child", "href": f"./{number + 1}.json"}
        (tmp_path / f"{number}.json").write_text(json.dumps({"type": "Catalog", "links": [below]}))
    (tmp_path / "1200.json").write_text(json.dumps(ITEM))
    assert found(tmp_path / "0.json") == ["one"]
    monkeypatch.setattr(search, "_DOCUMENTS", 1000)
    with pytest.raises(InvalidSetting, match="leads to more than 1,000 documents"):
        found(tmp_path / "0.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": 5}, "'features' in .* is not a list .found int"),
        ({"links": 5}, "'links' in .* is not a list .found int"),
        ({"features": [{**ITEM, "bbox": [None, 43, 4, 44]}]}, r"the box of the item one cannot be used .found \[None"),
        ({"features": [{**ITEM, "bbox": ["3", "43", "4", "44"]}]}, "the box of the item one cannot be used"),
        ({"features": [{**ITEM, "bbox": "3344"}]}, "the box of the item one cannot be used"),
        ({"features": [{**ITEM, "bbox": [float("nan")] * 4}]}, "the box of the item one cannot be used"),
        ({"features": [5]}, "is not a STAC item .found int"),
    ],
)
def test_lists_of_broken_shapes_are_refused_in_words(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (tmp_path / "list.json").write_text(json.dumps(LIST | change))
    with pytest.raises(UnreadableFile, match=said):
        found(tmp_path / "list.json", Wanted.of("3,43,4,44", None))


def test_properties_and_links_that_say_nothing(tmp_path: Path) -> None:
    links = [5, {"rel": "item"}, {"rel": ["item"], "href": "x"}, {"rel": "item", "href": 5}]
    (tmp_path / "list.json").write_text(json.dumps({**LIST, "features": [{**ITEM, "properties": 5}], "links": links}))
    assert found(tmp_path / "list.json") == ["one"]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (whole(LIST)[:-9], "found an answer that is cut short"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "found an answer that is not HTTP"),
        (b"", "cannot be read"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[]", "found an answer that is cut short"),
    ],
)
def test_an_answer_that_is_spoilt_is_asked_for_again(stranger: Stranger, spoilt: bytes, said: str) -> None:
    stranger.answers = [spoilt, whole(LIST)]
    assert found(stranger.url("/list.json")) == ["one"]
    stranger.answers = [spoilt]
    with pytest.raises(NetworkMissing, match=said):
        found(stranger.url("/list.json"))
    assert len(stranger.asked) == 2 + 3


@pytest.mark.parametrize("path", ["/a list é.json?q=a b", "/a%20list%20%C3%A9.json?q=a%20b"])
def test_blanks_and_letters_of_all_scripts_in_an_address(stranger: Stranger, path: str) -> None:
    stranger.answers = [whole(LIST)]
    assert found(stranger.url(path)) == ["one"]
    assert stranger.asked == ["/a%20list%20%C3%A9.json?q=a%20b"]


@pytest.mark.parametrize("address", ["http://[::1/x.json", "http://a b/x.json", "http://a:b/x", "http://a/\ud800"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UnreadableFile, match="is no address"):
        found(address)


@pytest.mark.parametrize("kind", ["header", "content"])
def test_a_server_that_drips_is_not_waited_for(stranger: Stranger, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(documents, "_DEADLINE", 0.5)
    stranger.answers = [whole(LIST) if kind == "content" else whole(LIST).replace(b"OK", b"OK" * 400)]
    stranger.pause = 0.02
    with pytest.raises(NetworkMissing, match=r"no end of it after 0\.5 s"):
        found(stranger.url("/list.json"))
    assert len(stranger.asked) == 1


def test_a_document_has_a_largest_size_wherever_it_lies(
    stranger: Stranger, tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(LIST).encode()
    (tmp_path / "list.json").write_bytes(content)
    bucket.put_object(Key="list.json", Body=content)
    stranger.answers = [whole(LIST)]
    for most in (len(content), len(content) - 1):
        monkeypatch.setattr(documents, "_MOST", most)
        for source in (tmp_path / "list.json", stranger.url("/list.json"), "s3://land/list.json"):
            if most == len(content):
                assert found(source) == ["one"]
                continue
            with pytest.raises(UnreadableFile, match=r"is too large .found more than"):
                found(source)


def test_an_api_whose_pages_never_end(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_MOST", 5)
    stranger.answers = [whole({**LIST, "links": [{"rel": "next", "href": "/search"}]})]
    with pytest.raises(UnreadableFile, match="answers without end"):
        found(stranger.url("/search"), Wanted.of("5,5,6,6", None))
    assert len(stranger.asked) == 5


def with_image(*hrefs: str, name: str = "one") -> dict[str, Any]:
    """An item with images at these places."""
    kind = {"type": "image/tiff; application=geotiff", "roles": ["data"]}
    return {**ITEM, "id": name, "assets": {f"b{number}": {"href": href, **kind} for number, href in enumerate(hrefs)}}


WEB = "https://example.org/items/list.json"
STORE = "s3://land/items/list.json"
HERE = "/data/list.json"


@pytest.mark.parametrize(
    ("source", "href", "place"),
    [
        (WEB, "./a.tif", "https://example.org/items/a.tif"),
        (WEB, "/etc/passwd", "https://example.org/etc/passwd"),
        (WEB, "HTTP://a.org/a.tif", "http://a.org/a.tif"),
        (WEB, "/vsizip//vsicurl/https://a.org/a.zip/a.tif", "/vsizip//vsicurl/https://a.org/a.zip/a.tif"),
        (STORE, "a.tif", "s3://land/items/a.tif"),
        (STORE, "gs://b/a.tif", "gs://b/a.tif"),
        (STORE, "https://a.org/a.tif", "https://a.org/a.tif"),
        (HERE, "a.tif", "/data/a.tif"),
        (HERE, "../vsi/a.tif", "/data/../vsi/a.tif"),
        (HERE, "S3://b/a.tif", "s3://b/a.tif"),
        (HERE, "file:///b/a.tif", "file:///b/a.tif"),
        (HERE, "/vsitar//data/a.tar/a.tif", "/vsitar//data/a.tar/a.tif"),
        (HERE, "/vsis3/b/a.tif", "/vsis3/b/a.tif"),
    ],
)
def test_where_a_list_leads(source: str, href: str, place: str) -> None:
    assert documents.beside(href, source) == place


@pytest.mark.parametrize(
    ("source", "hrefs"),
    [
        (WEB, ["file:///etc/passwd", "FILE:///etc/passwd", "s3://b/a.tif", "gs://b/a.tif", "NETCDF:/etc/passwd"]),
        (WEB, ["/vsistdin/", "/vsis3/b/a.tif", "/vsizip//data/a.zip/a.tif", "/vsicurl/file:///etc/passwd"]),
        (WEB, ["/vsicurl?header_file=/etc/passwd&url=https://a.org", "vrt:///etc/passwd", "ftp://a.org/a.tif"]),
        (STORE, ["file:///etc/passwd", "/vsistdin/", "/vsizip//data/a.zip/a.tif", "vrt:///etc/passwd"]),
        (
            HERE,
            ["/vsistdin/", "/vsimem/a.tif", "file:///vsistdin/", "/./vsistdin/", "///vsistdin/", "vrt:///vsistdin/"],
        ),
        (HERE, ["/vsizip//vsistdin/", "/vsizip/{/vsistdin/}/a.tif", "/vsicurl?url=https://a.org", "/vsigzip/a.gz"]),
    ],
)
def test_where_a_list_may_not_lead(source: str, hrefs: list[str]) -> None:
    for href in hrefs:
        with pytest.raises(UnreadableFile, match=r"may not open .found .* expected .* Name it yourself"):
            documents.beside(href, source)


@pytest.mark.parametrize("href", ["//[::1", "http://a.org/\ud800.tif"])
def test_links_that_are_no_addresses(href: str) -> None:
    with pytest.raises(UnreadableFile, match="is no address"):
        documents.beside(href, WEB)


def test_what_the_web_lists_is_not_opened_here(stranger: Stranger, tmp_path: Path) -> None:
    secret = tmp_path / "secret.tif"
    stranger.answers = [whole({**LIST, "features": [with_image(str(secret.as_uri()))]})]
    with pytest.raises(UnreadableFile, match=r"what a catalog of the web may not open .found file:"):
        open_image(stranger.url("/list.json"))
    items = search_items(stranger.url("/list.json"), Wanted())
    for written_down in (items_as_files, lambda found: items_as_one_file(found, "all")):
        with pytest.raises(UnreadableFile, match="may not open"):
            written_down(items)
    stranger.answers = [whole({**LIST, "features": [with_image(secret.as_uri(), "a.tif")]})]
    (file,) = items_as_files(search_items(stranger.url("/list.json"), Wanted()))
    assert {key: asset["href"] for key, asset in json.loads(file.read_text())["assets"].items()} == {
        "b1": stranger.url("/a.tif")
    }
    stranger.answers = [whole({"type": "Catalog", "links": [{"rel": "child", "href": "file:///etc/hosts"}]})]
    with pytest.raises(UnreadableFile, match="may not open"):
        found(stranger.url("/catalog.json"))


def test_a_server_cannot_send_out_of_the_web(stranger: Stranger) -> None:
    stranger.answers = [b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/list.json\r\n\r\n"]
    with pytest.raises(NetworkMissing, match="HTTP 302"):
        found(stranger.url("/list.json"))
    assert len(stranger.asked) == 1


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))
