"""A small model with its contract, weights in other programs' layouts, and a hub on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from arpent.core import Contract, Normalisation, nomenclature, sensor
from arpent.models import UNet, UNetSettings


@pytest.fixture
def small_model() -> UNet:
    torch.manual_seed(7)
    model = UNet(UNetSettings(channels=4, classes=11, widths=(4, 6)))
    # Statistics as after training, so that a bundle that forgot them would be noticed.
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5) if "var" in name else buffer.uniform_(-0.5, 0.5)
    return model.eval()


@pytest.fixture
def small_contract() -> Contract:
    return Contract(
        task="landcover",
        architecture="unet",
        settings={"channels": 4, "classes": 11, "widths": [4, 6]},
        bands=sensor("bd-ortho").bands,
        gsd=0.2,
        dtype="uint8",
        nodata=0.0,
        normalisation=Normalisation(origin="commune", scale=1 / 255, mean=(0.4,) * 4, std=(0.2,) * 4),
        classes=nomenclature("commune"),
        recipe={"seed": 3, "epochs": 2},
        metrics={"mIoU": 0.61},
        arpent="0.1.0",
    )


@dataclass
class Hub:
    """What a test can ask of the hub.

    Attributes:
        address: for ``HF_ENDPOINT``.
        files: content by "repo/file".
        tags: the server's own tag by "repo/file"; the SHA-256 of the content by default.
        cuts: how many further downloads break off half-way.
        closed: answer every download with an error.
        closes_after_cuts: be closed once the last download has broken off.
        ranges: the Range headers that were received.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    cuts: int = 0
    closed: bool = False
    closes_after_cuts: bool = False
    ranges: list[str] = field(default_factory=list)

    def put(self, repo: str, file: str, content: bytes, tag: str | None = None) -> str:
        self.files[f"{repo}/{file}"] = content
        self.tags[f"{repo}/{file}"] = tag or hashlib.sha256(content).hexdigest()
        return hashlib.sha256(content).hexdigest()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            """Tests stay silent."""

        def _answer(self, *, body: bool) -> None:
            repo, _, file = self.path.lstrip("/").partition("/resolve/main/")
            content = hub.files.get(f"{repo}/{file}")
            if content is None or (body and hub.closed):
                self.send_response(404 if content is None else 503)
                if content is None:
                    self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            if body and (asked := self.headers.get("Range")):
                hub.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", f'"{hub.tags[f"{repo}/{file}"]}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if not body:
                return
            rest = content[start:]
            if hub.cuts:
                hub.cuts -= 1
                hub.closed = hub.closes_after_cuts
                self.wfile.write(rest[: len(rest) // 2])
                self.close_connection = True
                return
            self.wfile.write(rest)

    return Handler


@pytest.fixture
def hub(running: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hugging Face of our own, which the real client downloads from."""
    served = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    server.daemon_threads = True
    served.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", served.address)
    with running(server):
        yield served


@pytest.fixture
def differs() -> Callable[[torch.nn.Module, torch.nn.Module, tuple[int, ...]], float]:
    """The largest difference of two networks' answers to the same random images."""

    def measure(ours: torch.nn.Module, theirs: torch.nn.Module, shape: tuple[int, ...]) -> float:
        images = torch.randn(shape, generator=torch.Generator().manual_seed(5))
        with torch.inference_mode():
            return float((ours.eval()(images) - theirs.eval()(images)).abs().max())

    return measure


@pytest.fixture
def models_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands for the user's models."""
    folder = tmp_path / "models"
    monkeypatch.setenv("ARPENT_MODELS", str(folder))
    return folder
