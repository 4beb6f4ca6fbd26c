"""Small maps to be drawn."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from arpent.core import ClassMap, Grid, Raster, nomenclature


@dataclass(frozen=True)
class Png:
    """What a PNG file says about itself."""

    width: int
    height: int
    chunks: tuple[str, ...]
    pixels: np.ndarray


def _png(path: Path) -> Png:
    """Reads a PNG of 8-bit RGBA without any imaging library."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks, body = 8, [], b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind = data[at + 4 : at + 8].decode()
        chunks.append(kind)
        content = data[at + 8 : at + 8 + size]
        if kind == "IHDR":
            width, height = struct.unpack(">II", content[:8])
        if kind == "IDAT":
            body += content
        at += size + 12
    return Png(width, height, tuple(chunks), np.frombuffer(zlib.decompress(body), np.uint8))


@pytest.fixture(scope="session")
def read_png() -> Callable[[Path], Png]:
    return _png


@pytest.fixture
def classes() -> ClassMap:
    return nomenclature("commune")


@pytest.fixture
def grid() -> Grid:
    return Grid.north_up(549_000, 6_701_000, 2.0, 60, 100, "EPSG:2154")


@pytest.fixture
def land(grid: Grid) -> Raster:
    """Half water, a quarter vineyard, a quarter without data, and one pixel of swimming pool."""
    ids = np.full((1, *grid.shape), 5, np.uint8)
    ids[:, :, 50:] = 9
    ids[0, 0, 0] = 13
    valid = np.ones(grid.shape, np.bool_)
    valid[:, 75:] = False
    return Raster(ids, valid, grid, ("class",))


@pytest.fixture
def height(grid: Grid) -> Raster:
    """A slope from 0 to 1 with a hole and a pixel that is not a number."""
    values = np.linspace(0, 1, 6000, dtype=np.float32).reshape(1, *grid.shape).copy()
    values[0, 5, 5] = np.nan
    valid = np.ones(grid.shape, np.bool_)
    valid[20:30, 20:30] = False
    return Raster(values, valid, grid, ("height",))
