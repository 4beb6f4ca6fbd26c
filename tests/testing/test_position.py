"""Pixels of any grid find their place in the landscape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from arpent.core import Grid, Window
from arpent.testing import Commune
from arpent.testing.position import HOME, lattice, points
from arpent.testing.strategies import grids, rasters, sensors, windows, windows_of


@given(col=st.integers(-500, 500), row=st.integers(-500, 500), k=st.sampled_from([1, 3]))
@settings(max_examples=30)
def test_reprojection_is_good_to_a_centimetre(col: int, row: int, k: int) -> None:
    grid = Commune().grid("hls-s30", size=256)
    window = Window(row, col, 2, 3)
    at = points(grid, window, k)
    cols = col + (np.arange(3 * k) + 0.5) / k
    rows = row + (np.arange(2 * k) + 0.5) / k
    xs, ys = np.meshgrid(grid.transform.c + 30.0 * cols, grid.transform.f - 30.0 * rows)
    east, north = Transformer.from_crs("EPSG:32631", "EPSG:2154", always_xy=True).transform(xs, ys)
    assert np.hypot(at.us - (east - HOME[0]), at.vs - (north - HOME[1])).max() < 0.01


@given(data=st.data(), grid=grids(sides=(2, 40), crs="EPSG:2154"))
@settings(max_examples=30)
def test_noise_stays_with_the_ground(data: st.DataObject, grid: Grid) -> None:
    window = data.draw(windows_of(grid))
    whole, part = lattice(grid), lattice(grid.crop(window))
    assert (part.row - whole.row, part.col - whole.col) == (window.row, window.col)


def test_rotated_grids_are_understood() -> None:
    from affine import Affine
    from odc.geo.crs import CRS

    turned = Grid(30, 30, Affine.translation(*HOME) @ Affine.rotation(30.0) @ Affine.scale(2.0, -2.0), CRS("EPSG:2154"))
    at = points(turned, Window(0, 0, 1, 1), 1)
    half = np.deg2rad(30.0)
    assert at.us[0, 0] == pytest.approx(np.cos(half) + np.sin(half))
    assert at.vs[0, 0] == pytest.approx(np.sin(half) - np.cos(half))
    assert Commune().scene("bd-ortho", turned).image.pixels.shape == (4, 30, 30)


@given(st.data())
@settings(max_examples=30)
def test_strategies_draw_what_they_say(data: st.DataObject) -> None:
    grid = data.draw(grids(sides=(1, 50)))
    assert max(grid.shape) <= 50
    assert grid.georeferenced
    assert data.draw(windows_of(grid)) in grid.window
    window = data.draw(windows(sides=(2, 9), reach=5))
    assert -5 <= window.row <= 5
    assert 2 <= window.width <= 9
    raster = data.draw(rasters(dtype=np.float32, bands=2, holes=False))
    assert raster.valid.all()
    assert raster.pixels.dtype == np.float32
    assert len(raster.bands) == 2
    assert data.draw(rasters(dtype=np.int16)).pixels.dtype == np.int16
    assert data.draw(sensors(optical=False)) == "sentinel-1"
    assert data.draw(sensors(optical=True)) != "sentinel-1"
