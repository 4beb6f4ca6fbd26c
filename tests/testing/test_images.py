"""What the simulated sensors deliver: numbers in range, noise as stated, seasons, clouds, shadows, speckle."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from arpent.core import Grid, Raster, sensor
from arpent.testing import Commune, Fmask, SceneClass, Sky

SUMMER, WINTER = dt.date(2021, 7, 5), dt.date(2021, 1, 15)


@pytest.mark.parametrize(
    ("name", "dtype", "low", "high"),
    [
        ("bd-ortho", np.uint8, 0, 255),
        ("pleiades-neo", np.uint16, 1, 2047),
        ("sentinel-2-l2a", np.uint16, 1, 16_000),
        ("hls-s30", np.int16, 1, 16_000),
        ("hls-l30", np.int16, 1, 16_000),
        ("landsat-8-9", np.uint16, 1, 65_455),
        ("sentinel-1", np.float32, 0, np.inf),
    ],
)
def test_numbers_are_those_of_the_sensor(
    commune: Commune, name: str, dtype: type[np.generic], low: float, high: float
) -> None:
    image = commune.view(name, commune.grid(name, size=80), sky=Sky(clouds=0.3 if name != "bd-ortho" else 0.0))
    assert image.bands == sensor(name).band_names
    assert image.pixels.dtype == dtype
    assert image.pixels.min() >= low
    assert image.pixels.max() <= high
    assert image.valid.all()
    assert all(band.std() > 0 for band in image.pixels)


def test_the_orthophotograph_is_toned_like_the_real_one(commune: Commune) -> None:
    """FLAIR prints means of 105, 111, 102, 106 and deviations of 52, 45, 44, 40."""
    pixels = commune.view("bd-ortho", commune.grid("bd-ortho", size=1000)).pixels.astype(float)
    np.testing.assert_allclose(pixels.mean(axis=(1, 2)), [105, 111, 102, 106], atol=28)
    np.testing.assert_allclose(pixels.std(axis=(1, 2)), [52, 45, 44, 40], atol=20)


def test_coarse_bands_come_in_blocks(commune: Commune) -> None:
    """Bands of 20 m and 60 m on the 10 m grid are constant over their own pixels, but for the noise."""
    quiet = Commune(seed=1, noise=0.0)
    image = quiet.view("sentinel-2-l2a", quiet.grid("sentinel-2-l2a", size=24))
    for name, factor in (("B08", 1), ("B11", 2), ("B09", 6)):
        blocks = image.band(name).reshape(24 // factor, factor, 24 // factor, factor).astype(int)
        assert (np.ptp(blocks, axis=(1, 3)) == 0).all() == (factor > 1) or factor == 1
    assert np.ptp(image.band("B08")[:2, :2]) > 0


def test_noise_is_twice_as_strong_on_request() -> None:
    grid = Commune().grid("sentinel-2-l2a", size=60)
    quiet, plain, loud = (Commune(noise=k).view("sentinel-2-l2a", grid).pixels.astype(float) for k in (0, 1, 2))
    assert (loud - quiet).std() / (plain - quiet).std() == pytest.approx(2.0, rel=0.02)
    assert (plain - quiet).mean() == pytest.approx(0.0, abs=1.0)
    # B04: floor 15, share 1.2 % of the signal.
    expected = 15 + 0.012 * quiet[3].mean()
    assert (plain - quiet)[3].std() == pytest.approx(expected, rel=0.1)


def test_permuted_spectra_keep_the_truth() -> None:
    grid = Commune().grid("sentinel-2-l2a", size=80)
    true, dealt = (
        Commune(seed=4).scene("sentinel-2-l2a", grid),
        Commune(seed=4, permutation=1).scene("sentinel-2-l2a", grid),
    )
    np.testing.assert_array_equal(true.truth, dealt.truth)
    for number in np.unique(true.truth):
        here = true.truth == number
        if here.sum() > 50:
            means = [s.image.pixels[:, here].mean(axis=1) for s in (true, dealt)]
            assert np.abs(means[0] - means[1]).max() > 150


def _ndvi(image: Raster) -> np.ndarray:
    red, nir = image.band("B04").astype(float), image.band("B08").astype(float)
    return (nir - red) / (nir + red)


def test_seasons_pass(commune: Commune) -> None:
    grid = commune.grid("sentinel-2-l2a", size=120)
    scenes = {day: commune.scene("sentinel-2-l2a", grid, date=day) for day in (SUMMER, WINTER)}
    pure = commune.fractions(grid) > 0.99
    summer, winter = (_ndvi(scenes[day].image) for day in (SUMMER, WINTER))
    of = {name: pure[index] for index, name in enumerate(commune.classes.labels())}
    assert np.median(summer[of["deciduous"]]) > 0.75
    assert np.median(winter[of["deciduous"]]) < 0.45
    assert np.median(summer[of["coniferous"]] - winter[of["coniferous"]]) == pytest.approx(0, abs=0.05)
    assert np.median(summer[of["water"]]) < 0
    np.testing.assert_array_equal(scenes[SUMMER].truth, scenes[WINTER].truth)


def test_clouds_cover_what_was_asked_for(commune: Commune) -> None:
    grid = commune.grid("sentinel-2-l2a", size=220, resolution=200.0)
    for cover in (0.1, 0.4):
        layer = commune.quality("sentinel-2-l2a", grid, sky=Sky(clouds=cover))
        cloudy = layer >= SceneClass.CLOUD_MEDIUM
        assert cloudy.mean() == pytest.approx(cover + 0.03, abs=0.06)
        assert (layer == SceneClass.SHADOW).any()


def test_the_cloud_mask_is_exact(commune: Commune) -> None:
    grid = commune.grid("sentinel-2-l2a", size=150, resolution=30.0)
    sky = Sky(clouds=0.3)
    quiet = Commune(seed=1, noise=0.0)
    clear, cloudy = (quiet.view("sentinel-2-l2a", grid, sky=s).band("B02").astype(float) for s in (Sky(), sky))
    layer = quiet.quality("sentinel-2-l2a", grid, sky=sky)
    bright = cloudy - clear
    assert bright[layer == SceneClass.CLOUD_HIGH].min() > 1000
    assert bright[layer == SceneClass.SHADOW].max() < 1500
    untouched = np.isin(layer, (SceneClass.VEGETATION, SceneClass.NOT_VEGETATED)) & (np.abs(bright) < 1)
    assert untouched.mean() > 0.2


def test_clouds_do_not_come_back(commune: Commune) -> None:
    grid = commune.grid("hls-s30", size=100)
    layers = [commune.quality("hls-s30", grid, date=day, sky=Sky(clouds=0.4)) for day in (SUMMER, WINTER)]
    assert ((layers[0] & Fmask.CLOUD > 0) != (layers[1] & Fmask.CLOUD > 0)).mean() > 0.2


def test_fmask_speaks_in_bits(commune: Commune) -> None:
    grid = commune.grid("hls-s30", size=100)
    clear = commune.quality("hls-s30", grid)
    np.testing.assert_array_equal(clear & Fmask.WATER > 0, np.isin(commune.truth(grid), (5, 13)))
    assert not (clear & (Fmask.CLOUD | Fmask.SHADOW | Fmask.ADJACENT)).any()
    assert (clear & Fmask.AEROSOL_HIGH == Fmask.AEROSOL_LOW).all()
    murky = commune.quality("hls-s30", grid, sky=Sky(clouds=0.4, haze=0.9))
    assert (murky & Fmask.AEROSOL_HIGH == Fmask.AEROSOL_HIGH).all()
    for bit in (Fmask.CLOUD, Fmask.SHADOW, Fmask.ADJACENT):
        assert (murky & bit).any()
    assert not ((murky & Fmask.CLOUD > 0) & (murky & Fmask.ADJACENT > 0)).any()


def test_haze_lifts_the_blue(commune: Commune) -> None:
    grid = commune.grid("sentinel-2-l2a", size=60)
    clear, murky = (commune.view("sentinel-2-l2a", grid, sky=Sky(haze=h)).pixels.mean((1, 2)) for h in (0.0, 0.8))
    assert murky[0] - clear[0] > 500
    assert abs(murky[-1] - clear[-1]) < 150


def test_winter_shadows_are_longer() -> None:
    """Streets and yards look the same all year but for the shadows on them."""
    quiet = Commune(seed=1, noise=0.0)
    grid = quiet.grid("bd-ortho", size=500)
    summer, winter = (quiet.scene("bd-ortho", grid, date=day) for day in (dt.date(2021, 6, 21), dt.date(2021, 12, 21)))
    paved = summer.truth == 3
    usual = np.median(summer.image.band("nir")[paved])
    dark = [(scene.image.band("nir")[paved] < 0.6 * usual).mean() for scene in (summer, winter)]
    assert 0.01 < dark[0] < 0.5 * dark[1]


def test_two_sensors_show_one_place_differently(commune: Commune) -> None:
    """The Pléiades Neo image of a place is no linear function of its orthophotograph: that is the point of the pair."""
    ortho = commune.grid("bd-ortho", size=300, resolution=0.3, crs="EPSG:2154")
    red = [commune.view(name, ortho, bands=["red"]).pixels[0].astype(float) for name in ("bd-ortho", "pleiades-neo")]
    assert np.corrcoef(red[0].ravel(), red[1].ravel())[0, 1] > 0.85
    means = [image.mean() for image in red]
    assert abs(means[0] - means[1]) > 100


def test_water_is_dark_and_roofs_are_bright_to_the_radar(commune: Commune, home: Grid) -> None:
    scene = commune.scene("sentinel-1", commune.grid("sentinel-1", size=120))
    vv, vh = (10 * np.log10(band) for band in scene.image.pixels)
    median = {n: np.median(vv[scene.truth == n]) for n in np.unique(scene.truth) if (scene.truth == n).sum() > 30}
    assert min(median, key=lambda n: median[n]) == 5
    assert max(median, key=lambda n: median[n]) in (1, 6, 7)
    assert -26 < np.median(vh) < np.median(vv) < -5


def test_speckle_is_gamma_of_four_looks_and_a_half() -> None:
    """Moments of the ratio between an image with speckle and the power without: 1, 1 / L, and skewness 2 / √L."""
    grid = Commune().grid("sentinel-1", size=160)
    smooth = Commune(noise=0.0).view("sentinel-1", grid).pixels.astype(float)
    ratio = (Commune().view("sentinel-1", grid).pixels / smooth).ravel()
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    assert 1.0 / ratio.var() == pytest.approx(4.4, rel=0.04)
    skewness = ((ratio - ratio.mean()) ** 3).mean() / ratio.std() ** 3
    assert skewness == pytest.approx(2 / np.sqrt(4.4), rel=0.08)
    assert abs(np.corrcoef(ratio[:-1], ratio[1:])[0, 1]) < 0.02


def test_speckle_is_new_every_day() -> None:
    grid = Commune().grid("sentinel-1", size=60)
    one, two = (np.log(Commune().view("sentinel-1", grid, date=day).pixels) for day in (SUMMER, WINTER))
    truth = Commune().truth(grid)
    forest = np.isin(truth, (6, 7))
    assert abs(np.corrcoef(one[0][forest], two[0][forest])[0, 1]) < 0.25


def test_the_noisiest_radar_has_one_look() -> None:
    grid = Commune().grid("sentinel-1", size=80)
    smooth, wild = (Commune(noise=k).view("sentinel-1", grid).pixels.astype(float) for k in (0.0, 50.0))
    assert 1.0 / (wild / smooth).var() == pytest.approx(1.0, rel=0.1)
