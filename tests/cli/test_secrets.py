"""No password of an address is shown, nor becomes the name of a file."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from arpent.cli import doctor
from arpent.errors import NetworkMissing
from arpent.io import open_image, retry
from arpent.io.documents import document_at

Run = Callable[..., Any]
USER = "user:wo0rd"
AWAY = f"http://{USER}@127.0.0.1:9"
ITEM = {
    "type": "Feature",
    "id": "a",
    "bbox": [3, 45, 4, 46],
    "properties": {"datetime": "2026-06-01T00:00:00Z"},
    "assets": {"image": {"href": "a.tif", "type": "image/tiff"}},
    "links": [],
}


class Locked(BaseHTTPRequestHandler):
    """Gives a list of two items to who knows the password."""

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Basic {b64encode(USER.encode()).decode()}"
        self.send_response(200 if known else 401)
        self.end_headers()
        if known:
            listed = {"type": "FeatureCollection", "features": [ITEM, {**ITEM, "id": "b"}]}
            self.wfile.write(json.dumps(listed).encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _quick(straight_to_loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retry, "PAUSES", (0.01,))
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    "words",
    [
        ("stats", f"{AWAY}/a.tif", "-o", "RUN"),
        ("stats", f"{AWAY}/item.json", "-o", "RUN"),
        ("describe", "indices", "--stac", f"{AWAY}/catalog.json", "-o", "RUN"),
        ("describe", "indices", "--stac", f"http://{USER}@localhost/search", "-o", "RUN"),
        ("describe", "indices", "--stac", f"http://{USER}@[::1/catalog.json", "-o", "RUN"),
        ("runs", "show", f"{AWAY}/run"),
        ("runs", f"{AWAY}/run"),
    ],
)
def test_no_error_shows_a_password(arpent: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    words = tuple(str(tmp_path / "run") if word == "RUN" else word for word in words)
    said = arpent(*words)
    assert said.code != 0
    assert "wo0rd" not in said.err + said.out
    said = arpent("--json", *words)
    assert said.document["error"]["what"]
    assert "wo0rd" not in said.err + json.dumps(said.document)


def test_no_failure_that_a_run_notes_holds_a_password() -> None:
    with pytest.raises(NetworkMissing, match=r"^http://127.0.0.1:9/a.tif cannot be read") as problem:
        open_image(f"{AWAY}/a.tif")
    assert "wo0rd" not in str(problem.value)


def test_no_file_of_the_cache_is_named_for_a_password(arpent: Run, running: Callable[..., Any], tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Locked)
    address = f"http://{USER}@127.0.0.1:{server.server_port}"
    with running(server):
        assert len(document_at(address)["features"]) == 2  # a password lets in
        arpent("change", "embed", "--stac", address, "-m", "change-nano", "-o", tmp_path / "run")
    kept = [path.name for path in (tmp_path / "cache" / "searches").rglob("*.json")]
    assert kept == [f"127.0.0.1-{server.server_port}.json"]


def test_the_doctor_keeps_the_password_of_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (AWAY, f"http://{USER}@localhost", f"ftp://{USER}@localhost"):
        monkeypatch.setenv("HF_ENDPOINT", address)
        found = doctor._network()
        assert found.state == "advice"
        assert "wo0rd" not in found.found
