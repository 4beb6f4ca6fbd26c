"""The synthetic commune: a window is a crop of the whole, truth is exact, sensors agree about the ground."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Grid, Window, sensor
from arpent.errors import GeoreferenceMissing, InvalidSetting, UnknownName
from arpent.testing import FAMILIES, Commune, Scene, Sky
from arpent.testing.strategies import sensors, windows_of

SIDE = 72
OVERCAST = Sky(clouds=0.4, haze=0.3)
DAY = dt.date(2022, 9, 14)


@cache
def whole(name: str) -> tuple[Commune, Grid, Scene]:
    commune = Commune(seed=3, family="coteaux")
    grid = commune.grid(name, size=SIDE, east=35.0)
    return commune, grid, commune.scene(name, grid, date=DAY, sky=OVERCAST)


@given(name=sensors(), data=st.data())
@settings(max_examples=40)
def test_a_window_is_the_crop_of_the_whole(name: str, data: st.DataObject) -> None:
    commune, grid, scene = whole(name)
    window = data.draw(windows_of(grid))
    part = commune.scene(name, grid, window, date=DAY, sky=OVERCAST)
    rows, cols = window.slices
    np.testing.assert_array_equal(part.image.pixels, scene.image.pixels[:, rows, cols])
    np.testing.assert_array_equal(part.truth, scene.truth[rows, cols])
    assert part.image.grid == grid.crop(window)


@given(data=st.data())
@settings(max_examples=15)
def test_masks_are_window_invariant_too(data: st.DataObject) -> None:
    commune, grid, scene = whole("hls-s30")
    window = data.draw(windows_of(grid))
    rows, cols = window.slices
    before, after = dt.date(2021, 1, 1), dt.date(2022, 11, 30)
    np.testing.assert_array_equal(commune.truth(grid, window, date=DAY), scene.truth[rows, cols])
    np.testing.assert_array_equal(
        commune.quality("hls-s30", grid, window, date=DAY, sky=OVERCAST),
        commune.quality("hls-s30", grid, date=DAY, sky=OVERCAST)[rows, cols],
    )
    np.testing.assert_array_equal(
        commune.changes(grid, before, after, window), commune.changes(grid, before, after)[rows, cols]
    )


def test_a_grid_cut_out_of_a_grid_sees_the_same(commune: Commune) -> None:
    """Noise is tied to the ground, not to the first row of the grid."""
    grid = commune.grid("sentinel-1", size=60)
    window = Window(17, 5, 20, 31)
    cut, part = commune.scene("sentinel-1", grid.crop(window)), commune.scene("sentinel-1", grid, window)
    np.testing.assert_array_equal(cut.truth, part.truth)
    np.testing.assert_allclose(cut.image.pixels, part.image.pixels, rtol=1e-6)  # origins are rounded to 1e-10 m


def test_blocks_of_rendering_leave_no_seam(commune: Commune) -> None:
    grid = commune.grid("bd-ortho", size=(40, 1100))
    across = commune.view("bd-ortho", grid, Window(0, 1000, 40, 60)).pixels
    np.testing.assert_array_equal(commune.view("bd-ortho", grid).pixels[:, :, 1000:1060], across)


def test_a_landscape_has_no_edge(commune: Commune) -> None:
    grid = commune.grid("bd-ortho", size=100_000)
    corner = commune.scene("bd-ortho", grid, Window(99_980, 99_980, 20, 20))
    assert corner.image.pixels.shape == (4, 20, 20)
    assert set(np.unique(corner.truth)) <= set(commune.classes.ids)


def test_a_window_may_reach_outside_its_grid(commune: Commune) -> None:
    grid = commune.grid("pleiades-neo", size=30)
    beyond = commune.view("pleiades-neo", grid, Window(-6, -6, 12, 12)).pixels
    np.testing.assert_array_equal(beyond[:, 6:, 6:], commune.view("pleiades-neo", grid, Window(0, 0, 6, 6)).pixels)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_class_is_at_home(name: str) -> None:
    """One square kilometre around the origin shows every class, all but the pools on one per cent and more."""
    commune = Commune(seed=2, family=name)
    shares = commune.fractions(commune.grid("bd-ortho", size=160, resolution=5.0)).mean(axis=(1, 2))
    by_id = dict(zip(commune.classes.ids.tolist(), shares.tolist(), strict=True))
    assert 0.0005 < by_id.pop(13) < 0.02
    assert min(by_id.values()) > 0.01, by_id


def test_families_differ_where_their_names_say() -> None:
    shares = {}
    for name in FAMILIES:
        commune = Commune(seed=0, family=name)
        grid = commune.grid("hls-s30", size=128)
        shares[name] = dict(zip(commune.classes.labels(), commune.fractions(grid).mean((1, 2)), strict=True))
    assert shares["coteaux"]["vineyard"] > 2 * shares["openfield"]["vineyard"]
    assert shares["openfield"]["agricultural land"] > 1.4 * shares["bocage"]["agricultural land"]
    assert shares["bocage"]["deciduous"] > shares["openfield"]["deciduous"]


def test_seeds_make_other_landscapes(home: Grid) -> None:
    one, two = (Commune(seed=seed).truth(home) for seed in (5, 6))
    assert (one != two).mean() > 0.5
    np.testing.assert_array_equal(one, Commune(seed=5).truth(home))


def test_truth_is_the_class_of_the_greatest_share(commune: Commune) -> None:
    grid = commune.grid("sentinel-2-l2a", size=50)
    shares, truth = commune.fractions(grid), commune.truth(grid)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-6)
    np.testing.assert_array_equal(commune.classes.ids[shares.argmax(axis=0)], truth)


def test_sensors_see_the_same_ground(commune: Commune) -> None:
    """The share of each class in a pixel of 10 m, as its 16 points tell and as 400 points of an orthophotograph do."""
    coarse = commune.grid("sentinel-2-l2a", size=24, crs="EPSG:2154")
    fine = Grid.north_up(coarse.bounds.left, coarse.bounds.top, 0.5, 480, 480, "EPSG:2154")
    truth = commune.truth(fine).reshape(24, 20, 24, 20)
    told = commune.fractions(coarse)
    for index, number in enumerate(commune.classes.ids):
        seen = (truth == number).mean(axis=(1, 3))
        assert np.abs(seen - told[index]).mean() < 0.03
        assert np.abs(seen.mean() - told[index].mean()) < 0.01


def test_two_projections_show_one_landscape(commune: Commune) -> None:
    """A UTM grid and a Lambert-93 grid around one place: the same shares, though no pixel is the same."""
    shares = [
        commune.fractions(commune.grid("bd-ortho", size=160, resolution=5.0, crs=crs)).mean((1, 2))
        for crs in ("EPSG:2154", "EPSG:32631")
    ]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.02)


def test_a_geographic_grid_works(commune: Commune) -> None:
    grid = Grid.north_up(0.99, 47.41, 1e-4, 20, 30, "EPSG:4326")
    scene = commune.scene("sentinel-2-l2a", grid)
    assert scene.image.pixels.shape == (12, 20, 30)
    assert len(np.unique(scene.truth)) > 1


def test_bands_are_chosen_by_any_of_their_names(commune: Commune) -> None:
    grid = commune.grid("sentinel-2-l2a", size=20)
    some, every = commune.view("sentinel-2-l2a", grid, bands=["nir", "B4"]), commune.view("sentinel-2-l2a", grid)
    assert some.bands == ("B08", "B04")
    assert some.pixels.shape == (2, 20, 20)
    # Noise is drawn per place in the image: the two differ by it alone.
    assert np.abs(some.band("B08").astype(float) - every.band("B08")).mean() < 150


def test_water_rises_and_falls() -> None:
    high, low = Commune(seed=1, levels=lambda _: 2.0), Commune(seed=1, levels=lambda _: -0.3)
    usual = Commune(seed=1)
    grid = usual.grid("bd-ortho", size=200, resolution=4.0)
    flooded, normal, drained = (c.truth(grid) == 5 for c in (high, usual, low))
    assert high.water_level(DAY) == 2.0
    assert not (normal & ~flooded & (usual.truth(grid) != 3)).any()
    assert flooded.sum() > 2 * normal.sum()
    assert 0 < drained.sum() < normal.sum()
    assert not (drained & ~normal).any()
    assert (high.changes(grid, DAY, DAY) == 0).all()


def test_the_level_follows_the_date() -> None:
    rising = Commune(seed=1, levels=lambda day: 2.0 if day >= dt.date(2021, 2, 1) else 0.0)
    grid = rising.grid("bd-ortho", size=100, resolution=4.0, north=230.0)
    changed = rising.changes(grid, dt.date(2021, 1, 1), dt.date(2021, 3, 1))
    wet = [rising.truth(grid, date=day) == 5 for day in (dt.date(2021, 1, 1), dt.date(2021, 3, 1))]
    assert set(np.unique(changed)) == {0, 3}
    assert ((changed == 3) == (wet[0] != wet[1])).mean() > 0.995  # mixed pixels at the shore may differ


def test_simulating_needs_neither_torch_nor_hypothesis() -> None:
    code = "import sys, arpent.testing; print([m for m in ('torch', 'hypothesis', 'rasterio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wrong_settings_are_refused(commune: Commune, home: Grid) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'bocage'"):
        Commune(family="bocages")
    with pytest.raises(InvalidSetting, match="'noise' of a commune is out of range"):
        Commune(noise=float("nan"))
    with pytest.raises(InvalidSetting, match="'seed'"):
        Commune(seed=2**64)
    with pytest.raises(InvalidSetting, match="end before they begin"):
        Commune(first_event=dt.date(2023, 1, 1))
    with pytest.raises(InvalidSetting, match="'clouds' of a simulated sky is a share"):
        Sky(clouds=1.5)
    with pytest.raises(UnknownName, match="sensor"):
        commune.view("sentinel-3", home)
    with pytest.raises(UnknownName, match="no cloud mask"):
        commune.quality("sentinel-1", home)
    with pytest.raises(GeoreferenceMissing, match="coordinate reference system"):
        commune.truth(Grid(10, 10))


@pytest.mark.parametrize("page", ["simulate.md", "simulate.fr.md"])
def test_the_example_in_the_documentation_runs(root: Path, page: str) -> None:
    text = (root / "docs" / "howto" / page).read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(example, scope)
    assert scope["scene"].image.pixels.shape == (12, 256, 256)


def test_communes_are_values(commune: Commune) -> None:
    assert commune == Commune(seed=1)
    assert dataclasses.replace(commune, noise=2.0) != commune
    assert sensor("bd-ortho").gsd == commune.grid("bd-ortho").pixel_width
