"""Images whose radiometry is far from that of training: warned about with the numbers, at a bounded cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Band, Contract, Grid, Normalisation, Raster, Window
from arpent.data import Statistics, far_bands, glance, glances, measure, standardisation
from arpent.engine import Job, PredictSettings, far_from_training, run_job
from arpent.io import open_image
from arpent.models import Bundle
from arpent.store import Place
from arpent.tasks.landcover import LandcoverSettings, LandcoverTask


class Counted:
    """An image that is never whole in memory, and counts what is read of it."""

    def __init__(self, height, width, level=100):
        self.grid, self.read_pixels, self._level = Grid(height, width), 0, level

    def read(self, window):
        self.read_pixels += window.size
        rows = np.arange(window.row, window.row_end) % 50
        pixels = np.broadcast_to(self._level + rows[:, None], (1, *window.shape)).astype(np.uint16)
        return Raster(pixels, np.ones(window.shape, bool), self.grid.crop(window), ("red",))


@settings(max_examples=50)
@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(0, 999), st.integers(0, 999))
def test_a_look_lies_within_and_costs_the_same_at_any_size(height, width, row, col):
    window = Window(row, col, height, width)
    places = list(glances(window))
    assert 1 <= len(places) <= 36
    assert all(place in window and place.size for place in places)
    assert sum(place.size for place in places) <= 36 * 128 * 128
    if max(height, width) <= 700:
        assert sum(place.size for place in places) == window.size


def test_a_look_at_a_huge_image_tells_what_a_look_at_all_of_it_would():
    image = Counted(1_000_000, 1_000_000)
    seen = glance(image, image.grid.window)
    assert image.read_pixels == 36 * 128 * 128
    assert seen.mean[0] == pytest.approx(124.5, rel=0.02)


def test_an_image_without_data_says_nothing():
    class Empty(Counted):
        def read(self, window):
            raster = super().read(window)
            return Raster(raster.pixels, np.zeros(window.shape, bool), raster.grid, raster.bands)

    image = Empty(300, 300)
    assert glance(image, image.grid.window) is None


@pytest.mark.parametrize(
    ("level", "bits", "far"), [(100, 8, False), (1200, 11, False), (3000, 11, True), (100, 16, True), (4000, 0, True)]
)
def test_a_range_that_does_not_fit_is_noticed(level, bits, far):
    image = Counted(400, 400, level)
    rule = Normalisation(origin="", scale=1 / (2**bits - 1) if bits else 1, mean=(0,), std=(1,))
    assert bool(far_bands(glance(image, image.grid.window), rule)) == far


def test_the_warning_is_told_in_both_languages():
    statistics = Statistics(("red",), "uint8")
    statistics.update(np.array([[[250, 252]]], np.uint8))
    rule = Normalisation(origin="spring", mean=(100.0,), std=(20.5,))
    said = far_from_training(statistics, rule, "folder/late.tif")
    assert "late.tif is far from the images of training (spring)" in said
    assert "red: mean 251 and deviation 1, training had 100 and 20.5" in said
    assert "moyenne 251 et écart type 1, à l’entraînement 100 et 20,5" in far_from_training(
        statistics, rule, "late.tif", "fr"
    )
    trimmed = far_from_training(statistics, rule, "late.tif", "fr", trimmed=True)
    assert "moyenne tronquée 251 et écart type 1" in trimmed, "arpent stats prints another number"


@pytest.mark.requires("data")
def test_the_naip_of_2018_is_warned_about_by_a_model_of_2009(data_folder, tmp_path):
    """One place nine years later: red, green and blue of another camera. The run tells and keeps it."""
    folder = data_folder / "landcover" / "naip"
    bands = ("red", "green", "blue", "nir")
    task = LandcoverTask(LandcoverSettings(network={"widths": [4]}))

    def opened(day):
        return open_image(folder / f"m_4709963_se_14_1_{day}.tif", bands=bands, sensor="bd-ortho")

    with opened("20090818") as reader:
        rule = standardisation(measure(reader), "NAIP 2009")
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=task.network_settings,
        bands=[Band(name=name) for name in bands],
        normalisation=rule,
        classes=task.classes,
        arpent="0",
    )
    heard = {}
    for day in ("20090818", "20180716"):
        heard[day] = []
        place = Place(exact=tmp_path / day, tell=heard[day].append)
        with opened(day) as reader, place.begin("landcover", day, {}) as run:
            run_job(Job(task, Bundle(task.build().eval(), contract), reader, run, PredictSettings(runtime="torch")))
            manifest = run.finish().manifest
        assert list(manifest.warnings) == heard[day]
    assert heard["20090818"] == []
    (warning,) = heard["20180716"]
    assert "20180716.tif is far from the images of training (NAIP 2009)" in warning
    assert "training had" in warning
