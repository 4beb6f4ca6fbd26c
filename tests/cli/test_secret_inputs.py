"""Inputs behind a password: runs read them, keep no word of it, and go on when it is typed again, or another one is."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arpent.core import Grid, Strip, sensor
from arpent.errors import Interrupted
from arpent.io import CogWriter, RasterSpec
from arpent.store import Place, open_run
from arpent.tasks.landcover import MapSettings, map_image
from arpent.testing.toys import toy_bundle

PASSWORDS = ("wo0rd", "an0ther")
SIGNATURE = "s1gned"
TILES = ("--tile", "64", "--halo", "8", "--ring", "4", "--runtime", "torch", "--device", "cpu")


class Guarded(BaseHTTPRequestHandler):
    """Gives files, whole or in parts, to who knows a password, or has a signature."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        known = [f"Basic {b64encode(f'user:{word}'.encode()).decode()}" for word in PASSWORDS]
        path, _, query = self.path.partition("?")
        file = self.folder / path.lstrip("/")
        let_in = self.headers.get("Authorization") in known or query == f"sig={SIGNATURE}"
        content = file.read_bytes() if let_in and file.is_file() else None
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if content is None:
            self.send_response(404 if let_in else 401)
            content = b""
        elif asked is None:
            self.send_response(200)
        else:
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            content = content[first : last + 1]
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, and a model."""
    folder, draw = tmp_path_factory.mktemp("guarded"), np.random.default_rng(1)
    bands = sensor("sentinel-2-l2a").band_names
    kinds = {
        "land.tif": (("red", "green", "blue", "nir"), 200, "uint8", (650_000, 6_860_000, 0.2, 2154)),
        "fields_2022-06-01.tif": (bands, 60, "uint16", (500_000, 4_690_000, 10.0, 32631)),
    }
    for name, (own, side, kind, (left, top, gsd, crs)) in kinds.items():
        values = draw.integers(1, 255 if kind == "uint8" else 3000, (len(own), side, side)).astype(kind)
        grid = Grid.north_up(left, top, gsd, side, side, crs)
        with CogWriter(folder / name, RasterSpec(grid, own, kind, nodata=0)) as writer:
            writer.write(Strip(0, values))
    toy_bundle(folder / "land.safetensors")
    return folder


@pytest.fixture
def address(
    files: Path,
    straight_to_loopback: None,
    running: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Callable[..., str]]:
    """The address of a file, with a password or a signature."""
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Guarded,), {"folder": files}))

    def named(file: str, secret: str = PASSWORDS[0]) -> str:
        place = f"127.0.0.1:{server.server_port}/{file}"
        return f"http://{place}?sig={secret}" if secret == SIGNATURE else f"http://user:{secret}@{place}"

    with running(server):
        yield named


def holding(folder: Path, *secrets: str) -> list[str]:
    """Files whose name or content holds one of these, scratch files included."""
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if any(one in file.name or (file.is_file() and one.encode() in file.read_bytes()) for one in secrets)
    ]


@pytest.mark.parametrize("secret", [PASSWORDS[0], SIGNATURE])
@pytest.mark.parametrize(
    "words",
    [
        ("landcover", "predict", "land.tif", "-m", "MODEL", "--vector", *TILES),
        ("describe", "indices", "fields_2022-06-01.tif", "--chip", "20"),
        ("describe", "embed", "fields_2022-06-01.tif", "--chip", "20", "--encoder", "croma-tiny", "--random-init"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_no_file_of_a_run_holds_what_lets_in(arpent, address, files, tmp_path, words, secret) -> None:
    words = [
        address(word, secret) if word.endswith(".tif") else word.replace("MODEL", str(files / "land.safetensors"))
        for word in words
    ]
    made = arpent(*words, "-o", tmp_path / "run", "--json")
    assert made.code == 0, made.err
    assert holding(tmp_path, secret) == []
    assert secret not in made.out + made.err
    (source,) = (one.source for one in open_run(tmp_path / "run").manifest.inputs if one.role == "image")
    assert source.startswith("http://127.0.0.1:")
    shown = arpent("runs", "show", tmp_path / "run")
    assert secret not in shown.out


class Stopping:
    """Progress that stops the run when some tiles are done."""

    seen = 0

    def bar(self, title, total, unit):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def note(self, text):
        pass

    def advance(self, count=1):
        self.seen += count
        if self.seen > 8:
            raise Interrupted("stopped", cure="Go on with --resume.")


def test_a_run_goes_on_with_the_address_typed_again_or_with_another_password(address, files, tmp_path) -> None:
    settings = MapSettings(tile=64, ring=4, halo=8, batch_size=1, runtime="torch", device="cpu")

    def mapped(secret: str, *, name: str = "run", resume: bool = False, progress: Any = None) -> bytes:
        place = Place(exact=tmp_path / name, resume=resume)
        map_image(address("land.tif", secret), files / "land.safetensors", place, settings, progress=progress)
        return (tmp_path / name / "classes.tif").read_bytes()

    whole = mapped(PASSWORDS[0], name="whole")
    for other in (PASSWORDS[0], PASSWORDS[1]):
        with pytest.raises(Interrupted):
            mapped(PASSWORDS[0], progress=Stopping())
        done = [json.loads(file.read_text())["next_row"] for file in (tmp_path / "run").glob(".scratch/ledger.json")]
        assert done and done[0] > 0
        assert holding(tmp_path, *PASSWORDS) == []
        assert mapped(other, resume=True) == whole
        assert open_run(tmp_path / "run").manifest.attempts == 2
        assert holding(tmp_path, *PASSWORDS) == []
        shutil.rmtree(tmp_path / "run")


def test_settings_warnings_and_failures_are_kept_without_it(tmp_path) -> None:
    guarded = "http://user:wo0rd@host/a.tif"
    settings = {"index": guarded, "pairs": [[guarded, {"quality": f"{guarded}?sig=s1gned"}]], "tile": 64}

    def begun(word: str, **more: bool) -> Any:
        own = json.loads(json.dumps(settings).replace("wo0rd", word))
        return Place(exact=tmp_path / "run", **more).begin("landcover", "a", own)

    with begun("wo0rd"):
        assert holding(tmp_path, "wo0rd", "s1gned") == []
    with begun("an0ther", resume=True) as run:
        assert run.resumed
        run.add_input(guarded)
        run.use_bundle(guarded, "0" * 64)
        run.warn(f"{guarded} is odd")
        run.add_failure(guarded, ValueError(f"{guarded} cannot be read"))
        made = run.finish()
    assert holding(tmp_path, "wo0rd", "an0ther", "s1gned") == []
    assert made.manifest.settings["pairs"] == [["http://host/a.tif", {"quality": "http://host/a.tif?sig=…"}]]
