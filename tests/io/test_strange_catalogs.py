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
from arpent.io import documents, retry, search
from arpent.io.search import Wanted, search_items

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
        ({"features": [{**ITEM, "bbox": [None, 43, 4, 44]}]}, r"the box of the item one is none .found \[None"),
        ({"features": [{**ITEM, "bbox": ["3", "43", "4", "44"]}]}, "the box of the item one is none"),
        ({"features": [{**ITEM, "bbox": "3344"}]}, "the box of the item one is none"),
        ({"features": [{**ITEM, "bbox": [float("nan")] * 4}]}, "the box of the item one is none"),
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
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(LIST).encode()
    (tmp_path / "list.json").write_bytes(content)
    stranger.answers = [whole(LIST)]
    for most in (len(content), len(content) - 1):
        monkeypatch.setattr(documents, "_MOST", most)
        for source in (tmp_path / "list.json", stranger.url("/list.json")):
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


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))
