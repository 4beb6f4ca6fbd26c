"""How sensors share the patches of an epoch, and patches read at other pixel sizes than those of their image."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from arpent.core import Normalisation, Window, nomenclature
from arpent.data import (
    Batches,
    GridPatches,
    Normaliser,
    PatchLoader,
    RandomPatches,
    Sample,
    SampleIndex,
    far_bands,
    normaliser_of,
    with_absent,
)
from arpent.data.mixture import apportioned, interleaved
from arpent.data.statistics import Statistics
from arpent.errors import DatasetError, GeoreferenceMissing, InvalidSetting

PLAIN = Normaliser(Normalisation(origin="none", mean=(0.0,), std=(1.0,)))


def seen_by(sensor, number, side):
    return Sample(f"{sensor}{number}.tif", sensor=sensor, window=Window(0, 0, side, side))


@pytest.fixture
def two_sensors():
    """Samples of a wide and of a narrow camera; the wide one has six times the pixels."""
    wide = [seen_by("bd-ortho", n, 120) for n in range(3)]
    return SampleIndex([*wide, *(seen_by("pleiades-neo", n, 60) for n in range(2))])


@pytest.mark.parametrize(
    ("mix", "share"),
    [("proportional", 6 / 7), ("round-robin", 1 / 2), ({"bd-ortho": 2, "pleiades-neo": 1}, 2 / 3)],
)
def test_the_ratio_holds_in_every_epoch(two_sensors, mix, share):
    plan = RandomPatches(two_sensors, 16, count=42, mix=mix)
    epochs = [plan.epoch(number) for number in range(5)]
    for refs in epochs:
        assert Counter(ref.sample.sensor for ref in refs)["bd-ortho"] == 42 * share
    assert len({tuple(ref.name for ref in refs) for refs in epochs}) == 5
    assert {ref.sample.name for refs in epochs for ref in refs} == {sample.name for sample in two_sensors}


def test_in_turn_means_in_every_batch(two_sensors):
    for refs in (RandomPatches(two_sensors, 16, count=40, mix="round-robin").epoch(n) for n in range(3)):
        sensors = [ref.sample.sensor for ref in refs]
        assert all(Counter(sensors[k : k + 4])["bd-ortho"] == 2 for k in range(0, 40, 4))


def test_a_ratio_names_every_sensor_and_no_other(two_sensors):
    for mix in ({"bd-ortho": 1.0}, {"bd-ortho": 1.0, "pleiades": 1.0}):
        with pytest.raises(InvalidSetting, match="expected bd-ortho, pleiades-neo"):
            RandomPatches(two_sensors, 16, mix=mix)


@given(st.integers(1, 500), st.lists(st.floats(0.01, 100), min_size=1, max_size=5))
def test_shares_are_whole_and_nearest(count, weights):
    shares = apportioned(count, weights)
    assert sum(shares) == count
    assert all(
        abs(share - count * weight / sum(weights)) < 1 + 1e-6 for share, weight in zip(shares, weights, strict=True)
    )


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(0, 99))
def test_taking_turns_loses_nobody_and_keeps_the_order_of_each(counts, seed):
    order = np.random.default_rng(seed).permutation(sum(counts))
    mixed = interleaved(order, counts)
    assert sorted(mixed) == list(range(sum(counts)))
    group = np.repeat(np.arange(len(counts)), counts)
    for number in range(len(counts)):
        assert mixed[group[mixed] == number].tolist() == order[group[order] == number].tolist()


@pytest.fixture
def ramp(write_tiff):
    """A plane that rises by 1 a column and 2 a row, and a mask of stripes of 20 columns."""
    rows, cols = np.mgrid[:300, :300]
    image = write_tiff("ramp.tif", (cols + 2.0 * rows).astype(np.float32)[None], bands=("red",))
    mask = write_tiff("stripes.tif", np.where(cols // 20 % 2, 5, 7).astype(np.uint8)[None])
    return SampleIndex([Sample(str(image), str(mask), sensor="")])


@pytest.mark.parametrize("gsd", [0.7, 1.0, 1.5, 2.3])
def test_a_ramp_stays_the_ramp_at_any_pixel_size(ramp, gsd):
    classes = nomenclature("commune")
    (ref,) = RandomPatches(ramp, 64, count=1, gsds=[gsd]).epoch(0)
    assert (ref.step == 1) == (gsd == 1)
    with PatchLoader(PLAIN, classes=classes) as load:
        patch = load(replace(ref, window=Window(8, 12, 64, 64)))
    rows, cols = (np.arange(64) + first + 0.5 for first in (8, 12))
    place = np.meshgrid(cols * ref.step, rows * ref.step)
    assert patch.valid.all()
    # Averaging over pixels of which only a part counts moves GDAL's answer by up to a tenth of a pixel.
    near = 2e-2 if gsd <= 1 else 0.2
    assert patch.image[0] == pytest.approx(place[0] - 0.5 + 2 * (place[1] - 0.5), abs=near)
    assert abs((patch.image[0] - (place[0] - 0.5 + 2 * (place[1] - 0.5))).mean()) < 2e-2
    stripes = np.where(np.floor(place[0]) // 20 % 2, 5, 7)
    sure = np.abs(place[0] % 20 - 10) < 9.9  # a centre on the border may fall to either side
    assert np.array_equal(classes.ids[patch.target][sure], stripes[sure])


def test_pixel_sizes_come_equally_often_and_stay_inside(ramp):
    part = SampleIndex([replace(ramp[0], window=Window(50, 60, 150, 140))])
    plan = RandomPatches(part, 32, count=40, gsds=[1.0, 2.0])
    refs = plan.epoch(3)
    assert Counter(round(ref.step) for ref in refs) == {1: 20, 2: 20}
    with PatchLoader(PLAIN) as load:
        assert all(load(ref).valid.all() for ref in refs)
    whole = RandomPatches(part, 32, count=40).epoch(3)
    assert [ref.window for ref, own in zip(whole, refs, strict=True) if own.step == 1] == [
        ref.window for ref in refs if ref.step == 1
    ]


def test_a_mix_is_the_same_for_any_number_of_threads_and_from_any_batch_on(ramp, write_tiff):
    other = write_tiff("other.tif", np.full((1, 90, 90), 7, np.float32), left=800_000.0, bands=("red",))
    index = SampleIndex([replace(ramp[0], sensor="bd-ortho", mask=None), Sample(str(other), sensor="pleiades-neo")])
    rules = {name: Normalisation(origin=name, mean=(mean,), std=(1.0,)) for name, mean in MEANS.items()}

    def run(workers, start=0):
        plan = RandomPatches(index, 32, count=12, mix={"bd-ortho": 2, "pleiades-neo": 1}, gsds=[1.0, 1.5])
        with PatchLoader(normaliser_of(rules)) as load:
            batches = list(Batches(plan, load, batch_size=4, workers=workers).epoch(2, start))
        return [(batch["names"], batch["image"].numpy().tobytes()) for batch in batches]

    assert run(3) == run(0)
    assert run(2, start=1) == run(0)[1:]


MEANS = {"bd-ortho": 0.0, "pleiades-neo": 7.0}


def test_each_patch_is_normalised_as_its_sensor_is(write_tiff):
    index = SampleIndex(
        Sample(str(write_tiff(f"{name}.tif", np.full((1, 40, 40), 9, np.uint8), bands=("red",))), sensor=name)
        for name in MEANS
    )
    rules = {name: Normalisation(origin=name, mean=(mean,), std=(1.0,)) for name, mean in MEANS.items()}
    with PatchLoader(normaliser_of(rules)) as load:
        seen = [float(load(ref).image.max()) for ref in GridPatches(index, 40).epoch(0)]
        assert seen == [9.0, 2.0]
        with pytest.raises(DatasetError, match="no sensor that there is a normalisation for"):
            load(replace(GridPatches(index, 40).epoch(0)[0], sample=replace(index[0], sensor="")))


def test_bands_that_are_absent_are_zero_and_far_from_nothing(write_tiff):
    image = write_tiff("two.tif", np.stack([np.full((40, 40), 9, np.uint8), np.full((40, 40), 4, np.uint8)]))
    bands = ("coastal", "band_1", "rededge", "band_2")
    there = Normalisation(origin="x", mean=(5.0, 3.0), std=(2.0, 1.0))
    rule = with_absent(there, bands, ("coastal", "rededge"))
    assert (rule.mean, rule.std, rule.absent) == ((0, 5, 0, 3), (1, 2, 1, 1), (0, 2))
    assert with_absent(there, ("band_1", "band_2"), ()) is there
    with PatchLoader(Normaliser(rule), bands=bands) as load:
        patch = load(GridPatches(SampleIndex([Sample(str(image))]), 40).epoch(0)[0])
    assert patch.image[:, 0, 0].tolist() == [0, 2, 0, 1]
    statistics = Statistics(bands, "uint8")
    statistics.update(np.stack([np.full((4, 4), value, np.uint8) for value in (200, 9, 0, 4)]))
    assert {band.name for band in far_bands(statistics, rule)} == {"band_1", "band_2"}


def test_what_has_no_place_cannot_be_resampled(write_tiff):
    with pytest.warns(NotGeoreferencedWarning):
        image = write_tiff("nowhere.tif", np.ones((1, 40, 40), np.uint8), crs=None)
    with pytest.raises(GeoreferenceMissing, match="resample_gsd"):
        RandomPatches(SampleIndex([Sample(str(image))]), 8, gsds=[1.0])
