"""Series in: what is found, what is refused, and what the DATASET then holds."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from arpent.cli.app import main
from arpent.core import nomenclature
from arpent.errors import (
    BandMismatch,
    DatasetError,
    FileMissing,
    GeoreferenceMissing,
    InvalidSetting,
    NoOverlap,
    NoValidPixels,
    RunExists,
    UnreadableFile,
)
from arpent.pixels import SpeckleFilter, quegan_yu
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.prepared_dates import below_in
from arpent.tasks.forecast.preparing import prepare
from arpent.testing.simulation import RadarSimulation, simulate

DAYS = [dt.date(2023, 1, 1) + dt.timedelta(6 * number) for number in range(6)]
PLAIN = PrepareSettings(filter="none", patch=16)


def power(seed, size=24):
    """Speckled power of VV and VH."""
    draws = np.random.default_rng(seed)
    return (draws.gamma(4.4, 1 / 4.4, (2, size, size)) * np.array([0.1, 0.02])[:, None, None]).astype(np.float32)


def write(path, pixels, *, left=500_000.0, crs="EPSG:32631", bands=("VV", "VH"), nodata=None, tags=None, step=10.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(pixels)
    profile = {
        "driver": "GTiff",
        "count": len(pixels),
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "dtype": pixels.dtype,
        "nodata": nodata,
        "crs": crs,
        "transform": Affine(step, 0, left, 0, -step, 5_200_000.0),
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
        file.descriptions = bands
        file.update_tags(**(tags or {}))
    return path


def pixels_of(path):
    with rasterio.open(path) as file:
        return file.read()


@pytest.fixture
def series(tmp_path):
    """Six dates of a place with masks of two kinds of ground."""
    folder = tmp_path / "valley"
    for seed, day in enumerate(DAYS):
        write(folder / f"s1_{day}.tif", power(seed))
        ids = np.full((1, 24, 24), 2, np.uint8)
        ids[:, :8] = 1
        write(folder / "masks" / f"s1_{day}.tif", ids, bands=("class",))
    return folder


def test_the_preview_is_named_as_the_data_set_is(series, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert prepare(series, "set", PLAIN).preview == Path("set/preview.png")


def test_a_folder_becomes_a_dataset(series, tmp_path):
    made = prepare(series, tmp_path / "set", PLAIN)
    dataset = Dataset.read(tmp_path / "set")
    assert (dataset.past, dataset.future, dataset.patch, dataset.bands) == (3, 3, 16, ("vv", "vh"))
    assert (dataset.facts.step_days, dataset.facts.regular, dataset.facts.calibrated) == (6.0, True, True)
    assert dataset.classes == nomenclature("sar")
    (place,) = dataset.places
    assert (place.name, place.days) == ("valley", (0, 6, 12, 18, 24, 30))
    for seed, frame in enumerate(place.frames):
        np.testing.assert_array_equal(pixels_of(frame.image), power(seed))
        assert set(np.unique(pixels_of(frame.mask))) == {1, 2}
    with rasterio.open(place.frames[0].image) as file:
        assert (file.descriptions, file.dtypes[0], file.crs.to_epsg()) == (("VV", "VH"), "float32", 32631)
        assert np.isnan(file.nodata)
    assert made.preview.is_file()
    assert any("every 6 days" in note for note in made.notes)
    assert not list(tmp_path.glob(".*"))


def test_simulated_series_go_straight_in(tmp_path):
    simulate(tmp_path / "seen", RadarSimulation(size=40, dates=7, scenes=3, seed=8))
    made = prepare(tmp_path / "seen", tmp_path / "set", PrepareSettings(patch=32))
    dataset = Dataset.read(tmp_path / "set")
    assert {place.split for place in dataset.places} == {"train", "val", "test"}
    assert [len(dataset.of_split(side)) for side in ("train", "val", "test")] == [1, 1, 1]
    assert dataset.facts.synthetic
    assert dataset.facts.covariates == ("level", "rain")
    # What is so of all places is said once.
    names = [place.name for place in dataset.places]
    (told,) = [note for note in made.notes if "every 6 days" in note]
    assert told.startswith(f"{names[0]}, {names[1]} … (3 places): 7 dates, ")
    frame = dataset.places[0].frames[2]
    assert set(frame.covariates) == {"rain", "level"}
    truth = pixels_of(tmp_path / "seen" / dataset.places[0].name / f"truth_sentinel-1_{frame.date}.tif")
    expected = np.select([truth == 5, np.isin(truth, (6, 7, 9, 10, 11)), np.isin(truth, (1, 3, 13))], [1, 2, 3], 4)
    np.testing.assert_array_equal(pixels_of(frame.mask), expected)


@pytest.mark.parametrize("name", ["lee", "frost", "refined_lee", "quegan_yu"])
def test_strips_are_filtered_as_the_whole(series, tmp_path, monkeypatch, name):
    monkeypatch.setattr("arpent.tasks.forecast.prepared_dates._STRIP_BYTES", 1)
    monkeypatch.setattr("arpent.tasks.forecast.prepared_dates._FEWEST_ROWS", 5)
    prepare(series, tmp_path / "set", PrepareSettings(filter=name, enl=4.4, patch=16))
    (place,) = Dataset.read(tmp_path / "set").places
    whole = np.stack([power(seed) for seed in range(6)])
    if name == "quegan_yu":
        expected = np.stack([quegan_yu(whole[:, band]) for band in range(2)], axis=1)[3]
    else:
        expected = np.stack([SpeckleFilter(name, 7, 4.4)(band) for band in whole[3]])
    np.testing.assert_allclose(pixels_of(place.frames[3].image), expected, rtol=1e-5)
    assert Dataset.read(tmp_path / "set").facts.filter == name


def test_looks_are_those_of_the_sensor_or_measured_once_and_kept(series, tmp_path):
    simulate(tmp_path / "seen", RadarSimulation(size=40, dates=3, scenes=2, seed=8))
    known = prepare(tmp_path / "seen", tmp_path / "sim", PrepareSettings(patch=32))
    assert known.dataset.facts.filter_settings["looks"] == {"vv": 4.4, "vh": 4.4}
    assert any("for 4.4 looks, which Sentinel-1 IW GRD has" in note for note in known.notes)
    with rasterio.open(known.dataset.places[0].frames[0].image) as file:
        tags = file.tags()
    assert (tags["SPECKLE_FILTER"], tags["SPECKLE_WINDOW"], tags["SPECKLE_LOOKS_VH"]) == ("lee", "7", "4.4")
    for seed, day in enumerate(DAYS):
        write(tmp_path / "two" / "smooth" / f"{day}.tif", 0.1 + 0.1 * power(seed, 64))
        write(tmp_path / "two" / "rough" / f"{day}.tif", power(seed, 64) ** 2)
    measured = prepare(tmp_path / "two", tmp_path / "measured", PrepareSettings(patch=32))
    looks = measured.dataset.facts.filter_settings["looks"]
    assert looks["vv"] > 4.4  # of the place whose ground has least texture, and for both
    for place in measured.dataset.places:
        with rasterio.open(place.frames[0].image) as file:
            assert float(file.tags()["SPECKLE_LOOKS_VV"]) == looks["vv"]
    assert any("measured on the first dates" in note for note in measured.notes)
    again = prepare(series, tmp_path / "again", PrepareSettings(patch=16), looks=looks)
    expected = np.stack(
        [SpeckleFilter("lee", 7, looks[band])(plane) for band, plane in zip(("vv", "vh"), power(2), strict=True)]
    )
    np.testing.assert_allclose(pixels_of(again.dataset.places[0].frames[2].image), expected, rtol=1e-5)
    assert any("as in the training of the model" in note for note in again.notes)


@pytest.mark.parametrize(("name", "looks"), [("GRDH", 4.4), ("GRDM", None)])
def test_names_of_products_tell_their_looks(series, tmp_path, name, looks):
    for day in DAYS:
        (series / f"s1_{day}.tif").rename(series / f"S1A_IW_{name}_1SDV_{day}.tif")
    made = prepare(series, tmp_path / "set", PrepareSettings(patch=16))
    found = made.dataset.facts.filter_settings["looks"]["vv"]
    assert found == looks if looks else found != 4.4


def test_decibels_are_found_out_and_said(series, tmp_path):
    for seed, day in enumerate(DAYS):
        write(series / f"s1_{day}.tif", 10 * np.log10(power(seed)))
    made = prepare(series, tmp_path / "set", PLAIN)
    np.testing.assert_allclose(pixels_of(made.dataset.places[0].frames[1].image), power(1), rtol=1e-4)
    assert any("decibels" in note for note in made.notes)
    declared = prepare(series, tmp_path / "declared", PLAIN.model_copy(update={"units": "db"}))
    assert not any("decibels" in note for note in declared.notes)
    with pytest.raises(InvalidSetting, match=r"below 0, which power never has.*--units db"):
        prepare(series, tmp_path / "wrong", PLAIN.model_copy(update={"units": "linear"}))
    assert not (tmp_path / "wrong").exists()


def test_a_few_values_below_0_are_no_data_and_no_decibels(series, tmp_path):
    pixels = power(1)
    pixels[0, 4, 4] = -1e-5
    write(series / f"s1_{DAYS[1]}.tif", pixels)
    made = prepare(series, tmp_path / "set", PLAIN)
    pixels[0, 4, 4] = np.nan
    np.testing.assert_array_equal(pixels_of(made.dataset.places[0].frames[1].image), pixels)
    assert any(f"(s1_{DAYS[1]}.tif)" in note and "no data" in note for note in made.notes)
    assert not any("decibels" in note for note in made.notes)


def test_values_below_0_are_counted_wherever_they_are(series, tmp_path, monkeypatch):
    """Some windows are looked at before; the rest is seen as it is filtered, and what strips share is counted once."""
    monkeypatch.setattr("arpent.tasks.forecast.power._SAMPLE", 4)
    monkeypatch.setattr("arpent.tasks.forecast.prepared_dates._STRIP_BYTES", 1)
    monkeypatch.setattr("arpent.tasks.forecast.prepared_dates._FEWEST_ROWS", 5)
    for seed, day in ((1, DAYS[1]), (4, DAYS[4])):
        pixels = power(seed)
        pixels[0, 7, 7] = pixels[seed % 2, 9, 5] = -1e-4
        write(series / f"s1_{day}.tif", pixels)
    made = prepare(series, tmp_path / "set", PrepareSettings(enl=4.4, patch=16))
    told = [note for note in made.notes if "below 0 on" in note]
    assert told == [
        "valley: 4 values below 0 on 2 dates among power, as noise that was subtracted leaves them "
        f"(s1_{DAYS[1]}.tif); they count as no data"
    ]
    (place,) = made.dataset.places
    assert [below_in(Path(frame.image)) for frame in place.frames] == [0, 2, 0, 0, 2, 0]
    assert np.isnan(pixels_of(place.frames[1].image)[0, 7, 7])
    pixels = power(3)
    pixels[:, 6:8, 4:10] = -1e-4
    write(series / f"s1_{DAYS[3]}.tif", pixels)
    with pytest.raises(InvalidSetting, match=rf"s1_{DAYS[3]}.tif has too many values below 0 .*2% of all.*--units"):
        prepare(series, tmp_path / "more", PrepareSettings(enl=4.4, patch=16))
    assert not list(tmp_path.glob("*more*"))
    declared = prepare(series, tmp_path / "more", PrepareSettings(enl=4.4, patch=16, units="linear"))
    assert any("28 values below 0 on 3 dates" in note for note in declared.notes)


def test_units_that_differ_within_a_place_name_the_odd_ones(series, tmp_path):
    write(series / f"s1_{DAYS[2]}.tif", 10 * np.log10(power(2)))
    for language, told in (
        (
            "en",
            "valley: the images do not hold the same numbers; taken were 1 date for decibels (s1_2023-01-13.tif); 5 ",
        ),
        (
            "fr",
            "valley : les images ne contiennent pas les mêmes nombres ; ont été prises 1 date pour des décibels (s1_",
        ),
    ):
        wanted = PLAIN.model_copy(update={"language": language})
        made = prepare(series, tmp_path / language, wanted)
        assert [note[: len(told)] for note in made.notes if "decibels" in note or "décibels" in note] == [told]
        assert not any("--units" in note for note in made.notes)
    frames = made.dataset.places[0].frames
    np.testing.assert_allclose(pixels_of(frames[2].image), power(2), rtol=1e-4)


def test_power_that_is_declared_decibels_stops(series, tmp_path):
    with pytest.raises(InvalidSetting, match="declared to hold decibels, and no value is below 0"):
        prepare(series, tmp_path / "set", PLAIN.model_copy(update={"units": "db"}))


@pytest.mark.filterwarnings("ignore:Use `@` matmul")  # of rasterio, in its own code
def test_other_extents_and_systems_come_onto_one_grid(series, tmp_path):
    write(series / f"s1_{DAYS[2]}.tif", power(2, 40), left=499_920.0)
    with rasterio.open(series / f"s1_{DAYS[3]}.tif") as file:
        from rasterio.warp import calculate_default_transform, reproject

        transform, width, height = calculate_default_transform(file.crs, "EPSG:4326", 24, 24, *file.bounds)
        turned = np.full((2, height, width), np.nan, np.float32)
        reproject(rasterio.band(file, [1, 2]), turned, dst_transform=transform, dst_crs="EPSG:4326")
    with rasterio.open(
        series / f"s1_{DAYS[3]}.tif", "w", "GTiff", width, height, 2, "EPSG:4326", transform, "float32", float("nan")
    ) as file:
        file.write(turned)
        file.descriptions = ("VV", "VH")
    made = prepare(series, tmp_path / "set", PLAIN)
    frames = made.dataset.places[0].frames
    np.testing.assert_array_equal(pixels_of(frames[2].image), power(2, 40)[:, :24, 8:32])
    with rasterio.open(frames[3].image) as file:
        assert file.crs.to_epsg() == 32631
        assert file.shape == (24, 24)
        inside = file.read()[:, 6:18, 6:18]
    assert np.corrcoef(inside.ravel(), power(3)[:, 6:18, 6:18].ravel())[0, 1] > 0.7
    assert any("another grid" in note for note in made.notes)


def test_a_date_elsewhere_is_refused(series, tmp_path):
    write(series / f"s1_{DAYS[4]}.tif", power(4), left=600_000.0)
    with pytest.raises(NoOverlap, match="shares no ground with the first date of valley"):
        prepare(series, tmp_path / "set", PLAIN)


def test_irregular_steps_are_told(series, tmp_path):
    (series / f"s1_{DAYS[2]}.tif").unlink()
    (series / "masks" / f"s1_{DAYS[2]}.tif").unlink()
    made = prepare(series, tmp_path / "set", PLAIN)
    assert not made.dataset.facts.regular
    assert any("12 days after 7 January 2023; nothing is interpolated" in note for note in made.notes)
    french = prepare(series, tmp_path / "fr", PLAIN.model_copy(update={"language": "fr"}))
    assert any("rien n’est interpolé" in note for note in french.notes)


def test_a_table_says_dates_places_sides_and_numbers(series, tmp_path):
    table = tmp_path / "dates.csv"
    rows = [f"valley/s1_{day}.tif,,lowland,2022-0{9 - n}-01,train,{n}.5" for n, day in enumerate(DAYS)]
    table.write_text("\n".join(["image,mask,domain,date,split,rain", *rows]) + "\n")
    made = prepare(table, tmp_path / "set", PLAIN)
    (place,) = made.dataset.places
    assert (place.name, place.split) == ("lowland", "train")
    assert [frame.date.month for frame in place.frames] == [4, 5, 6, 7, 8, 9]
    assert place.frames[0].covariates == {"rain": 5.5}
    assert any("not in the order of their dates" in note for note in made.notes)
    with pytest.raises(DatasetError, match="no masks"):
        _ = made.dataset.classes


def test_dates_come_from_patterns_and_tags(tmp_path):
    for number, day in enumerate(DAYS):
        write(tmp_path / "odd" / f"x{day:%d%m}y{day:%Y%m%d}z.tif", power(number))
        write(tmp_path / "tagged" / f"scene{number}.tif", power(number), tags={"datetime": f"{day}T08:40:10"})
    found = prepare(tmp_path / "odd", tmp_path / "a", PLAIN.model_copy(update={"date_pattern": r"y(\d{8})z"}))
    assert [frame.date for frame in found.dataset.places[0].frames] == DAYS
    tagged = prepare(tmp_path / "tagged", tmp_path / "b", PLAIN)
    assert [frame.date for frame in tagged.dataset.places[0].frames] == DAYS
    with pytest.raises(InvalidSetting, match=r"date of x0101y20230101z\.tif is not known.*--date-pattern"):
        prepare(tmp_path / "odd", tmp_path / "c", PLAIN)


def test_a_band_per_file_and_a_band_that_not_all_have(tmp_path):
    for number, day in enumerate(DAYS):
        for band, pixels in zip(("VV", "VH"), power(number), strict=True):
            if band == "VV" or number != 4:
                write(tmp_path / "in" / f"S1_{day:%Y%m%d}_{band}.tif", pixels[None], bands=(None,))
    made = prepare(tmp_path / "in", tmp_path / "out", PLAIN)
    assert made.dataset.bands == ("vv",)
    np.testing.assert_array_equal(pixels_of(made.dataset.places[0].frames[4].image), power(4)[:1])
    assert any("VH is left out" in note for note in made.notes)
    (tmp_path / "in" / f"S1_{DAYS[0]:%Y%m%d}_VV.tif").unlink()
    with pytest.raises(BandMismatch, match="no polarisation is there on all dates"):
        prepare(tmp_path / "in", tmp_path / "other", PLAIN)


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"ORBIT_DIRECTION": "DESCENDING"}, r"orbit directions.*descending \(s1_2023-01-13.tif\)"),
        ({"RELATIVE_ORBIT": "8"}, "mix relative orbits"),
        ({"PRODUCT_TYPE": "RTC_GAMMA"}, "kinds of product"),
    ],
)
def test_orbits_are_not_mixed_unasked(series, tmp_path, tags, told):
    own = {"ORBIT_DIRECTION": "ASCENDING", "RELATIVE_ORBIT": "110", "PRODUCT_TYPE": "GRD"}
    for seed, day in enumerate(DAYS):
        write(series / f"s1_{day}.tif", power(seed), tags=own | (tags if seed == 2 else {}))
    with pytest.raises(DatasetError, match=told):
        prepare(series, tmp_path / "set", PLAIN)
    mixed = prepare(series, tmp_path / "set", PLAIN.model_copy(update={"allow_mixed_orbits": True}))
    facts = mixed.dataset.facts
    assert [facts.orbit, facts.relative_orbit, facts.product].count(None) == 1


@pytest.mark.parametrize("kept", ["vv", "vh"])
def test_one_band_can_be_kept_of_two(series, tmp_path, kept):
    made = prepare(series, tmp_path / "out", PLAIN.model_copy(update={"bands": (kept,)}))
    assert made.dataset.bands == (kept,)
    assert not any("left out" in note for note in made.notes)
    both = prepare(series, tmp_path / "both", PLAIN).dataset
    assert both.bands == ("vv", "vh")
    with (
        rasterio.open(made.dataset.places[0].frames[0].image) as one,
        rasterio.open(both.places[0].frames[0].image) as two,
    ):
        assert one.descriptions == (kept.upper(),)
        np.testing.assert_array_equal(one.read(1), two.read(both.bands.index(kept) + 1))


def test_a_band_that_is_asked_for_and_not_there(tmp_path):
    for day in DAYS:
        write(tmp_path / "lava" / f"{day}.tif", power(1)[:1], bands=("VV",))
    with pytest.raises(BandMismatch, match=r"not all dates have VH .*found VV in lava; expected VV, VH"):
        prepare(tmp_path / "lava", tmp_path / "out", PLAIN.model_copy(update={"bands": ("vv", "vh")}))
    assert not (tmp_path / "out").exists()


def test_too_few_dates(series, tmp_path):
    with pytest.raises(DatasetError, match=r"fewer dates.*found 6; expected 7 or more.*--past"):
        prepare(series, tmp_path / "set", PLAIN.model_copy(update={"past": 7}))
    short = prepare(series, tmp_path / "set", PLAIN.model_copy(update={"past": 4}))
    assert any("too few to learn forecasts from, which takes 7" in note for note in short.notes)


def test_two_images_of_a_day(series, tmp_path):
    shutil.copy(series / f"s1_{DAYS[0]}.tif", series / f"again_{DAYS[0]}.tif")
    with pytest.raises(DatasetError, match="two images of 2023-01-01"):
        prepare(series, tmp_path / "set", PLAIN)


def test_a_mask_without_image(series, tmp_path):
    (series / f"s1_{DAYS[3]}.tif").unlink()
    with pytest.raises(DatasetError, match="a mask of valley on 2023-01-19 and no image"):
        prepare(series, tmp_path / "set", PLAIN)


def test_a_day_without_data_leaves_nothing(series, tmp_path):
    write(series / f"s1_{DAYS[5]}.tif", np.zeros((2, 24, 24), np.float32))
    with pytest.raises(NoValidPixels, match=f"s1_{DAYS[5]}.tif has no data"):
        prepare(series, tmp_path / "set", PLAIN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["valley"]


def test_masks_in_other_numbers(series, tmp_path):
    for day in DAYS:
        ids = np.zeros((1, 24, 24), np.int16)
        ids[:, :6], ids[:, -3:] = 1, -1
        write(series / "masks" / f"s1_{day}.tif", ids, bands=("label",))
    settings = PLAIN.model_copy(update={"classes": "water", "mask_codes": "sen1floods11"})
    (place,) = prepare(series, tmp_path / "set", settings).dataset.places
    counts = np.bincount(pixels_of(place.frames[0].mask).ravel(), minlength=3)
    assert list(counts) == [3 * 24, 6 * 24, 15 * 24]
    for day in DAYS:
        write(series / "masks" / f"s1_{day}.tif", np.full((1, 24, 24), 77, np.uint8), bands=("label",))
    with pytest.raises(DatasetError, match=r"no class of the nomenclature 'sar' \(found numbers 77.*--mask-codes"):
        prepare(series, tmp_path / "other", PLAIN)


def test_small_places_are_told_to_be_padded(series, tmp_path):
    made = prepare(series, tmp_path / "set", PrepareSettings(filter="none", patch=64))
    assert any("smaller than a patch of 64 pixels" in note for note in made.notes)


def test_one_place_is_divided_by_blocks_or_by_time(tmp_path):
    for seed in range(20):
        day = DAYS[0] + dt.timedelta(6 * seed)
        write(tmp_path / "in" / f"s1_{day}.tif", power(seed, 64))
        write(tmp_path / "in" / f"mask_{day}.tif", np.ones((1, 64, 64), np.uint8), bands=("class",))
    blocks = prepare(tmp_path / "in", tmp_path / "blocks", PLAIN).dataset
    assert {place.split for place in blocks.places} == {"train", "val", "test"}
    assert all(place.window is not None and place.window.shape == (16, 16) for place in blocks.places)
    assert all(len(place.frames) == 20 for place in blocks.places)
    later = prepare(tmp_path / "in", tmp_path / "time", PLAIN.model_copy(update={"split": "time"})).dataset
    (place,) = later.places
    sides = [frame.split for frame in place.frames]
    assert sides == ["train"] * 8 + ["val"] * 6 + ["test"] * 6
    assert place.split is None
    assert [len(part.frames) for part in later.of_split("val")] == [6]


def pictures(folder, count=4, size=(30, 20)):
    folder.mkdir(parents=True)
    for number in range(count):
        tones = np.clip(np.sqrt(power(number, 30)[0, : size[1]]) * 300, 0, 255).astype(np.uint8)
        Image.fromarray(np.stack([tones] * 3, axis=-1)).save(folder / f"{DAYS[number]}.png")


def test_pictures_get_their_place_from_bounds(tmp_path):
    pictures(tmp_path / "in")
    settings = PLAIN.model_copy(update={"bounds": (-18.0, 28.5, -17.7, 28.7)})
    made = prepare(tmp_path / "in", tmp_path / "out", settings)
    assert not made.dataset.facts.calibrated
    assert any("without calibration" in note for note in made.notes)
    with rasterio.open(made.dataset.places[0].frames[0].image) as file:
        assert tuple(file.bounds) == pytest.approx((-18.0, 28.5, -17.7, 28.7))
        assert file.crs.to_epsg() == 4326
        assert 0 < file.read().max() <= 1
    without = prepare(tmp_path / "in", tmp_path / "flat", PLAIN)
    assert without.dataset.facts.bands == ("vv",)
    write(tmp_path / "in" / f"{DAYS[5]}.tif", power(5))
    with pytest.raises(InvalidSetting, match="knows its place on earth already"):
        prepare(tmp_path / "in", tmp_path / "both", settings)
    with pytest.raises(GeoreferenceMissing, match="cannot be laid over"):
        prepare(tmp_path / "in", tmp_path / "neither", PLAIN)


def test_a_picture_of_nothing(tmp_path):
    pictures(tmp_path / "in")
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "in" / f"{DAYS[2]}.png")
    with pytest.raises(NoValidPixels):
        prepare(tmp_path / "in", tmp_path / "out", PLAIN)


def test_la_palma(data_folder, tmp_path):
    """Eighteen JPEG pictures without georeference, one step of twelve days among those of six."""
    folder = data_folder / "sar" / "la_palma" / "data-jpg"
    settings = PrepareSettings(bounds=(-17.96, 28.55, -17.80, 28.66), window=5)
    made = prepare(folder, tmp_path / "out", settings)
    (place,) = made.dataset.places
    assert (len(place.frames), made.dataset.facts.step_days, made.dataset.facts.regular) == (18, 6.0, False)
    assert any("12 days after 16 September 2021" in note for note in made.notes)
    with rasterio.open(place.frames[-1].image) as file:
        assert (file.shape, file.count) == ((897, 1433), 1)
        assert np.isfinite(file.read()).mean() > 0.99


def test_an_existing_dataset_is_kept_unless_told(series, tmp_path):
    prepare(series, tmp_path / "set", PLAIN)
    with pytest.raises(RunExists, match="--force"):
        prepare(series, tmp_path / "set", PLAIN)
    again = prepare(series, tmp_path / "set", PLAIN.model_copy(update={"filter": "lee"}), force=True)
    assert again.dataset.facts.filter == "lee"


def test_force_never_takes_images_or_anything_else_away(series, tmp_path):
    before = sorted(series.rglob("*"))
    with pytest.raises(RunExists, match="no data set, and is not replaced"):
        prepare(series, series, PLAIN, force=True)
    prepare(series, tmp_path / "set", PLAIN)
    shutil.move(series, tmp_path / "set" / "raw")
    with pytest.raises(RunExists, match=r"holds .*raw.*tif, and is not replaced"):
        prepare(tmp_path / "set" / "raw", tmp_path / "set", PLAIN, force=True)
    assert len(list((tmp_path / "set" / "raw").rglob("*"))) == len(before)


@pytest.mark.parametrize("content", ["none", "csv", "masks"])
def test_nothing_to_read(tmp_path, content):
    folder = tmp_path / "in"
    if content != "none":
        folder.mkdir()
    if content == "masks":
        write(folder / "masks" / "2023-01-01.tif", np.ones((1, 8, 8), np.uint8), bands=("class",))
    with pytest.raises(FileMissing):
        prepare(folder, tmp_path / "set", PLAIN)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("damage", [b"", b"II*\x00 and no more", b"{}"])
def test_damaged_images(series, tmp_path, damage):
    (series / f"s1_{DAYS[1]}.tif").write_bytes(damage)
    with pytest.raises(UnreadableFile):
        prepare(series, tmp_path / "set", PLAIN)


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        ("", UnreadableFile),
        ("[]", UnreadableFile),
        ('{"format": "1"}', UnreadableFile),
        ('{"format": 99}', DatasetError),
        ('{"format": 1, "bands": []}', UnreadableFile),
    ],
)
def test_a_damaged_dataset(series, tmp_path, document, refusal):
    made = prepare(series, tmp_path / "set", PLAIN)
    (made.dataset.folder / "dataset.json").write_text(document)
    with pytest.raises(refusal, match=r"dataset\.json"):
        Dataset.read(made.dataset.folder)
    with pytest.raises(FileMissing, match="is no data set of radar series"):
        Dataset.read(tmp_path)


def test_killed_and_run_again(tmp_path):
    """What was finished is not done again, and the result is that of a run that nobody killed."""
    for seed in range(8):
        write(tmp_path / "in" / f"s1_{DAYS[0] + dt.timedelta(6 * seed)}.tif", np.tile(power(seed, 64), (1, 6, 6)))
    words = ["forecast", "prepare", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--filter", "frost"]
    words += ["--window", "15", "--patch", "64", "--quiet"]
    code = "import sys; from arpent.cli.app import main; sys.exit(main(sys.argv[1:]))"
    running = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL)
    partial = tmp_path / ".out.partial" / "in"
    begun = time.monotonic()
    while len(list(partial.glob("image_*.tif"))) < 2 and running.poll() is None and time.monotonic() - begun < 90:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "out").exists()
    kept = {path: path.stat().st_mtime_ns for path in partial.glob("image_*.tif")}
    assert kept
    assert main(words) == 0
    finished = {path.name: path for path in (tmp_path / "out" / "in").glob("*.tif")}
    assert len(finished) == 8
    assert all(finished[path.name].stat().st_mtime_ns == when for path, when in kept.items())
    words[4] = str(tmp_path / "fresh")
    assert main(words) == 0
    for name, path in finished.items():
        assert path.read_bytes() == (tmp_path / "fresh" / "in" / name).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_the_command_line(series, tmp_path, capsys):
    words = ["forecast", "prepare", str(series), "-o", str(tmp_path / "set"), "--patch", "16", "--filter", "kuan"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dataset"] == str(tmp_path / "set")
    assert told["step_days"] == 6.0
    assert len(told["places"]["valley"]["dates"]) == 6
    assert main(words) != 0
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*words, "--force", "--language", "fr"]) == 0
    shown = capsys.readouterr()
    assert "jeu de données" in shown.out
    assert "tous les 6 jours" in shown.err
    assert (tmp_path / "set" / "preview.png").is_file()


@pytest.mark.parametrize("words", [["--window", "4"], ["--bounds", "3,4,3,5"], ["--filter", "leee"], ["--past", "0"]])
def test_settings_that_cannot_be(series, tmp_path, capsys, words):
    assert main(["forecast", "prepare", str(series), "-o", str(tmp_path / "set"), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "set").exists()
