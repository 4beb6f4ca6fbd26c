"""Small images to read and write, a web server on loopback, and a bucket of the S3 server that all tests share."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from arpent.core import Grid

WriteTiff = Callable[..., Path]


def write(path: Path, pixels: NDArray[Any], grid: Grid, /, **options: Any) -> Path:
    """A GeoTIFF of `pixels` ``(bands, height, width)`` on `grid`; `names`, `mask` and `tags` where given."""
    names, mask, tags = (options.pop(key, None) for key in ("names", "mask", "tags"))
    path.parent.mkdir(parents=True, exist_ok=True)
    profile: dict[str, Any] = {"driver": "GTiff", "tiled": True, "blockxsize": 128, "blockysize": 128}
    profile |= {"count": len(pixels), "height": grid.height, "width": grid.width, "dtype": pixels.dtype}
    profile["photometric"] = "MINISBLACK"  # otherwise GDAL calls the fourth of four bytes alpha
    if grid.crs is not None:
        profile |= {"crs": rasterio.crs.CRS.from_wkt(grid.crs.to_wkt()), "transform": grid.transform}
    elif grid.transform != Affine.identity():
        profile["transform"] = grid.transform
    scale, offset = options.pop("scale", None), options.pop("offset", None)
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **(profile | options)) as dataset,
    ):
        dataset.write(pixels)
        if names:
            dataset.descriptions = names
        if mask is not None:
            dataset.write_mask(mask)
        if tags:
            dataset.update_tags(**tags)
        if scale:
            dataset.scales, dataset.offsets = scale, offset
    return path


@pytest.fixture
def write_tiff(tmp_path: Path) -> WriteTiff:
    """Writes a GeoTIFF in the test's folder: ``write_tiff("a.tif", pixels, grid, nodata=0, names=(...))``."""

    def writer(name: str, pixels: NDArray[Any], grid: Grid, **options: Any) -> Path:
        return write(tmp_path / name, pixels, grid, **options)

    return writer


@pytest.fixture(scope="session")
def utm() -> Callable[..., Grid]:
    """A north-up grid in UTM 31N: ``utm(height, width, resolution=10.0)``."""

    def make(
        height: int, width: int, resolution: float = 10.0, left: float = 500_000.0, top: float = 5_000_000.0
    ) -> Grid:
        return Grid.north_up(left, top, resolution, height, width, "EPSG:32631")

    return make


class FileServer(ThreadingHTTPServer):
    """Serves `files` by path with ranges, notes every request, and fails as `failures` says, one after the other."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.failures: list[int] = []  # HTTP codes; 0 drops the connection

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *_: object) -> None:
        """The server keeps its own list."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))
        failure = self.server.failures.pop(0) if self.server.failures else None
        content = self.server.files.get(self.path)
        if failure == 0:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if failure or content is None:
            self._send(failure or 404, b"", None, with_body=False)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            self._send(200, content, None, with_body=with_body)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        where = f"bytes {first}-{last}/{len(content)}"
        self._send(206, content[first : last + 1], where, with_body=with_body)

    def _send(self, code: int, body: bytes, where: str | None, *, with_body: bool) -> None:
        self.send_response(code)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        if where:
            self.send_header("Content-Range", where)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def web(straight_to_loopback: None, running: Callable[..., Any]) -> Iterator[FileServer]:
    """A web server on loopback."""
    server = FileServer()
    with running(server):
        yield server


@pytest.fixture
def bucket(s3: Any) -> Any:
    """An S3 bucket on loopback, named "land", with the environment that leads to it; a boto3 resource."""
    import boto3

    return boto3.resource("s3").Bucket("land")


@pytest.fixture
def cog_bytes(tmp_path: Path) -> bytes:
    """A COG of 1 024² pixels, three bytes each, noise, so that its tiles are as large as can be."""
    pixels = np.random.default_rng(3).integers(1, 255, (3, 1024, 1024), np.uint8)
    grid = Grid.north_up(500_000, 5_000_000, 10, 1024, 1024, "EPSG:32631")
    plain = write(tmp_path / "plain.tif", pixels, grid)
    with rasterio.open(plain) as dataset:
        rasterio.shutil.copy(dataset, tmp_path / "cog.tif", driver="COG", compress="deflate", blocksize=256)
    return (tmp_path / "cog.tif").read_bytes()


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two float32 images of 420² pixels of 10 m, near the eastern edge of UTM 30N.

    "noise" is white, 0…10⁴; "smooth" has waves of ±4 000 about 5 000.
    """
    folder, side = tmp_path_factory.mktemp("scenes"), 420
    grid = Grid.north_up(700_000, 4_900_000, 10, side, side, "EPSG:32630")
    rows, cols = np.mgrid[:side, :side]
    smooth = 5000 + 4000 * np.sin(cols / 37) * np.cos(rows / 53)
    noise = np.random.default_rng(5).integers(0, 10_001, (side, side))
    return {
        name: write(folder / f"{name}.tif", pixels[np.newaxis].astype("float32"), grid)
        for name, pixels in (("noise", noise), ("smooth", smooth))
    }


@pytest.fixture(scope="session")
def across() -> Callable[[float], Grid]:
    """A grid in UTM 31N, the zone next to that of the scenes, over four fifths of them: ``across(10.0)``."""

    def make(resolution: float) -> Grid:
        (x,), (y,) = rasterio.warp.transform("EPSG:32630", "EPSG:32631", [702_100.0], [4_897_900.0])
        side = int(4200 * 0.8 / resolution)
        left, top = x - side * resolution / 2, y + side * resolution / 2
        return Grid.north_up(left, top, resolution, side, side, "EPSG:32631")

    return make
