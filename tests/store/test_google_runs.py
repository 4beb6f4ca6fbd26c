"""Images read from gs:// and runs sent there, over the two protocols of Google's store as far as they are used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest

from arpent.core import Grid, Strip
from arpent.errors import FileMissing, NetworkMissing
from arpent.io import CogWriter, RasterSpec, open_image, retry
from arpent.io.access import gs_access
from arpent.store import RunFolder, open_run, runs_under, verify


class Google(ThreadingHTTPServer):
    """Keeps files by bucket and name; what is still being sent is not among them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.sending: dict[str, bytes] = {}
        self.refuses = False


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Google

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = parse_qs(address.query)
        if self.server.refuses:
            self._say(403, b"{}")
        elif found := re.fullmatch(r"/storage/v1/b/(\w+)/o", address.path):
            self._say(200, json.dumps(self._listed(f"{found[1]}/{asked['prefix'][0]}")).encode())
        elif found := re.fullmatch(r"/storage/v1/b/(\w+)/o/(.+)", address.path):
            name = f"{found[1]}/{unquote(found[2])}"
            if "alt" in asked:
                self._content(name)
            else:
                self._say(*((200, self._document(name)) if name in self.server.files else (404, b"{}")))
        else:
            self._content(unquote(address.path[1:]))

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        self._body()
        bucket = address.path.split("/")[5]
        name = f"{bucket}/{parse_qs(address.query)['name'][0]}"
        self.server.sending[name] = b""
        self._say(200, b"", Location=f"http://127.0.0.1:{self.server.server_port}/session/{name}")

    def do_PUT(self) -> None:
        name = self.path.removeprefix("/session/")
        self.server.sending[name] += self._body()
        if self.headers["Content-Range"].endswith("*"):
            self._say(308, b"", Range=f"bytes=0-{len(self.server.sending[name]) - 1}")
            return
        self.server.files[name] = self.server.sending.pop(name)
        self._say(200, self._document(name))

    def do_DELETE(self) -> None:
        found = re.fullmatch(r"/storage/v1/b/(\w+)/o/([^?]+).*", self.path)
        assert found is not None
        self.server.files.pop(f"{found[1]}/{unquote(found[2])}", None)
        self._say(204, b"")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _content(self, name: str) -> None:
        content = self.server.files.get(name)
        if content is None:
            self._say(404, b"")
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            self._say(200, content)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._say(206, content[first : last + 1], **where)

    def _listed(self, prefix: str) -> dict[str, object]:
        names = sorted(name for name in self.server.files if name.startswith(prefix))
        return {"kind": "storage#objects", "items": [self._about(name) for name in names]}

    def _about(self, name: str) -> dict[str, str]:
        bucket, _, key = name.partition("/")
        about = {"kind": "storage#object", "bucket": bucket, "name": key, "generation": "1", "metageneration": "1"}
        moment = "2026-06-01T10:00:00.000Z"
        return about | {"size": str(len(self.server.files[name])), "updated": moment, "timeCreated": moment}

    def _document(self, name: str) -> bytes:
        return json.dumps(self._about(name)).encode()

    def _say(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def google(
    straight_to_loopback: None, running: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Google]:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    server = Google()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))
    with running(server):
        yield server


def test_an_image_is_read_where_it_lies(google: Google, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 255, (1, 64, 48)).astype(np.uint8)
    grid = Grid.north_up(500_000, 5_000_000, 10, 64, 48, "EPSG:32631")
    with CogWriter(tmp_path / "a.tif", RasterSpec(grid, ("red",), "uint8", 0)) as writer:
        writer.write(Strip(0, pixels))
    google.files["land/a.tif"] = (tmp_path / "a.tif").read_bytes()
    with open_image(Path("gs://land/a.tif")) as image:
        np.testing.assert_array_equal(image.read(image.grid.window).pixels, pixels)


def test_a_run_is_sent_and_found(google: Google) -> None:
    with RunFolder.create("gs://land/runs/x", "landcover", "x", exact=True) as run:
        (run.scratch / "classes.tif").write_bytes(b"pixels" * 10_000)
        run.publish(run.scratch / "classes.tif", kind="raster")
        assert google.files == {}
        run.finish()
    assert list(google.files) == ["land/runs/x/classes.tif", "land/runs/x/manifest.json"]
    assert verify(open_run("gs://land/runs/x")).bytes == 60_000
    assert [entry.place for entry in runs_under("gs://land/runs")] == ["gs://land/runs/x"]
    with RunFolder.create("gs://land/runs/x", "landcover", "x", exact=True, force=True) as run:
        run.finish()
    assert list(google.files) == ["land/runs/x/manifest.json"]


def test_a_store_that_refuses(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PAUSES", ())
    with pytest.raises(FileMissing, match="no run at gs://land/none"):
        open_run("gs://land/none")
    google.refuses = True
    with pytest.raises(NetworkMissing, match=r"the store refuses access to gs://land/none"):
        open_run("gs://land/none")


@pytest.mark.parametrize(
    ("environ", "host", "scheme", "anonymous"),
    [
        ({}, None, None, True),
        ({"GOOGLE_APPLICATION_CREDENTIALS": "key.json"}, None, None, False),
        ({"GS_NO_SIGN_REQUEST": "NO"}, None, None, False),
        ({"STORAGE_EMULATOR_HOST": "localhost:4443"}, "localhost:4443", None, True),
        ({"CPL_GS_ENDPOINT": "https://gs.example.org/"}, "gs.example.org", "https", True),
    ],
)
def test_what_the_environment_says(
    environ: dict[str, str], host: str | None, scheme: str | None, anonymous: bool, tmp_path: Path
) -> None:
    access = gs_access(environ | {"CLOUDSDK_CONFIG": str(tmp_path)})
    assert (access.host, access.scheme, access.anonymous) == (host, scheme, anonymous)
