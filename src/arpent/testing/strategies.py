"""Hypothesis strategies for the words of `arpent.core`: what property tests draw their examples from."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from arpent.core import Grid, Raster, Window, sensor_names

__all__ = ["grids", "rasters", "sensors", "windows", "windows_of"]

# Metric, geographic, and one far from Europe; each with a place where its coordinates make sense.
_PLACES = {
    "EPSG:2154": (549_000.0, 6_701_400.0),
    "EPSG:32631": (351_000.0, 5_264_000.0),
    "EPSG:3857": (76_000.0, 6_010_000.0),
    "EPSG:32718": (281_000.0, 8_662_000.0),
    "EPSG:4326": (0.95, 47.4),
}
_METRES_PER_DEGREE = 111_320.0


@st.composite
def grids(draw: st.DrawFn, *, sides: tuple[int, int] = (1, 200), crs: str | None = None) -> Grid:
    """North-up grids of `sides` pixels, with pixels of 0.2 to 30 m, anywhere in the CRS's own country.

    Args:
        draw: given by Hypothesis.
        sides: least and greatest number of rows and columns.
        crs: always this one of the known systems; any of them where none is given.
    """
    system = crs if crs is not None else draw(st.sampled_from(sorted(_PLACES)))
    x, y = _PLACES[system]
    metres = draw(st.sampled_from([0.2, 0.3, 1.0, 10.0, 20.0, 30.0]))
    resolution = metres / _METRES_PER_DEGREE if system == "EPSG:4326" else metres
    shift = st.integers(-10_000, 10_000)
    size = st.integers(*sides)
    return Grid.north_up(
        x + draw(shift) * resolution, y + draw(shift) * resolution, resolution, draw(size), draw(size), system
    )


@st.composite
def windows(draw: st.DrawFn, *, sides: tuple[int, int] = (1, 200), reach: int = 1000) -> Window:
    """Windows of `sides` pixels, anywhere within `reach` of the first pixel, also before it."""
    start, size = st.integers(-reach, reach), st.integers(*sides)
    return Window(draw(start), draw(start), draw(size), draw(size))


@st.composite
def windows_of(draw: st.DrawFn, grid: Grid) -> Window:
    """Windows inside a grid, its borders and single pixels included."""
    row, col = draw(st.integers(0, grid.height - 1)), draw(st.integers(0, grid.width - 1))
    return Window(row, col, draw(st.integers(1, grid.height - row)), draw(st.integers(1, grid.width - col)))


@st.composite
def rasters(
    draw: st.DrawFn,
    *,
    dtype: DTypeLike = np.uint8,
    bands: int | None = None,
    sides: tuple[int, int] = (1, 64),
    holes: bool = True,
) -> Raster:
    """Images of noise on a drawn grid, some with pixels that do not count.

    Args:
        draw: given by Hypothesis.
        dtype: of the pixels; floats lie in 0 … 1, integers fill their range.
        bands: how many; 1 to 4 where not given.
        sides: least and greatest number of rows and columns.
        holes: whether pixels may be invalid.
    """
    grid = draw(grids(sides=sides))
    count = bands if bands is not None else draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = np.dtype(dtype)
    shape = (count, *grid.shape)
    pixels: np.ndarray[Any, Any]
    if kind.kind == "f":
        pixels = rng.random(shape).astype(kind)
    else:
        limits = np.iinfo(kind.name)
        pixels = rng.integers(limits.min, limits.max, shape, kind.type, endpoint=True)
    valid = rng.random(grid.shape) < (draw(st.sampled_from([1.0, 1.0, 0.7, 0.0])) if holes else 1.0)
    return Raster(pixels, valid, grid, tuple(f"b{number + 1}" for number in range(count)))


def sensors(*, optical: bool | None = None) -> st.SearchStrategy[str]:
    """Names of known sensors; only optical ones or only radars where `optical` says so."""
    names = [name for name in sensor_names() if optical is None or name.startswith("sentinel-1") != optical]
    return st.sampled_from(names)
