"""Despeckled products: the filter's own numbers, in the units asked for, whatever the strips; and bad input."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine

from arpent.errors import FileMissing, InputError, InvalidSetting, NoValidPixels
from arpent.pixels import (
    SpeckleFilter,
    decibels_to_linear,
    estimate_looks,
    linear_to_decibels,
    quegan_yu,
)
from arpent.store import Place
from arpent.tasks.forecast import DespeckleSettings, despeckling
from arpent.tasks.forecast.despeckling import despeckle
from arpent.tasks.forecast.radar_image import images_in

LOOKS = 4.4


def scene(shape=(90, 110), seed=0, bands=2):
    """Power of two fields under speckle, with a hole and a border of zeros."""
    rng = np.random.default_rng(seed)
    truth = np.where(np.arange(shape[1]) > 60, 0.2, 0.02) * np.array([1.0, 0.2])[:bands, None, None]
    power = (truth * rng.gamma(LOOKS, 1 / LOOKS, (bands, *shape))).astype(np.float32)
    power[:, 30:40, 20:25] = np.nan
    power[:, :3] = 0
    return power


@pytest.fixture
def write(tmp_path):
    def write(name, pixels, nodata=math.nan, **facts):
        pixels = np.asarray(pixels)
        path = tmp_path / name
        profile = {"count": len(pixels), "dtype": pixels.dtype, "height": pixels.shape[1], "width": pixels.shape[2]}
        profile |= {"crs": "EPSG:32631", "transform": Affine(10, 0, 500_000, 0, -10, 4_900_000), "nodata": nodata}
        with rasterio.open(path, "w", "GTiff", **profile | facts) as dataset:
            dataset.write(pixels)
            for number, band in enumerate(("VV", "VH")[: len(pixels)], 1):
                dataset.set_band_description(number, band)
        return path

    return write


@pytest.fixture
def run(tmp_path):
    def run(sources, force=False, **settings):
        place = Place(exact=tmp_path / "run", force=force)
        return despeckle([str(one) for one in sources], place, DespeckleSettings(**settings))

    return run


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize("name", ["lee", "kuan", "enhanced_lee", "refined_lee", "frost", "gamma_map"])
def test_strips_give_the_bytes_of_the_whole(write, run, monkeypatch, name) -> None:
    """Strips of 25 rows; zeros and holes are no data, on the way in and out."""
    power = scene()
    path = write("S1_20240301.tif", power)
    monkeypatch.setattr(despeckling, "_STRIP_BYTES", 1)
    made = run([path], filter=name, enl=LOOKS, ratio=True)
    known = np.where(power > 0, power, np.nan).astype(np.float32)
    expected = np.stack([SpeckleFilter(name, 7, LOOKS)(band) for band in known])
    product = read(made.images[0].path)
    assert product.tobytes() == expected.tobytes()
    ratio = read(made.images[0].ratio)
    np.testing.assert_allclose(ratio, known / expected, rtol=1e-6)
    assert np.isnan(product[:, :3]).all()


def test_decibels_are_detected_and_come_back(write, run) -> None:
    power = scene()
    with np.errstate(divide="ignore"):
        path = write("S1_20240301.tif", 10 * np.log10(power))
    made = run([path], window=5, enl=LOOKS)
    known = np.where(power > 0, power, np.nan).astype(np.float32)
    expected = linear_to_decibels(SpeckleFilter("lee", 5, LOOKS)(known[0]))
    np.testing.assert_allclose(read(made.images[0].path)[0], expected, atol=1e-3)
    assert made.run.manifest.warnings == ("S1_20240301 has values below 0, which are taken for decibels",)
    with rasterio.open(made.images[0].path) as product:
        assert product.units == ("dB", "dB")
        assert product.tags()["SPECKLE_FILTER"] == "lee"
    linear = run([path], window=5, enl=LOOKS, output_units="linear", force=True)
    np.testing.assert_allclose(read(linear.images[0].path)[0], decibels_to_linear(expected), rtol=1e-3)


def test_whole_numbers_are_amplitudes_unless_declared(write, run) -> None:
    numbers = np.nan_to_num(np.sqrt(scene(bands=1)) * 1000).astype(np.uint16)
    path = write("S1_20240301.tif", numbers, nodata=0)
    made = run([path], enl=LOOKS)
    squares = np.where(numbers[0] > 0, numbers[0].astype(np.float32) ** 2, np.nan)
    np.testing.assert_allclose(
        read(made.images[0].path)[0], np.sqrt(SpeckleFilter("lee", 7, LOOKS)(squares)), rtol=1e-5
    )
    assert "amplitudes" in made.run.manifest.warnings[0]
    plain = run([path], enl=LOOKS, units="linear", force=True)
    powers = np.where(numbers[0] > 0, numbers[0], np.nan).astype(np.float32)
    np.testing.assert_allclose(read(plain.images[0].path)[0], SpeckleFilter("lee", 7, LOOKS)(powers), rtol=1e-5)


def test_looks_are_estimated_and_the_card_is_kept(write, run) -> None:
    power = scene((100, 150))
    made = run([write("S1_20240301.tif", power)])
    image = made.images[0]
    known = np.where(power > 0, power, np.nan)
    assert image.looks["VV"] == pytest.approx(estimate_looks(known[0]), rel=1e-4)
    card, kept = image.cards["VV"], made.run.manifest.metrics
    assert card.looks_after > 5 * card.looks_before
    assert card.mean_ratio == pytest.approx(1, abs=0.02)
    assert kept["VV/looks_after"] == card.looks_after
    assert {product.kind for product in made.run.manifest.products} == {"raster", "picture"}
    item = json.loads((made.run.path / f"{image.path.name}.stac.json").read_text("utf-8"))
    assert item["properties"]["datetime"] == "2024-03-01T00:00:00Z"
    assert item["properties"]["arpent:acquired"] is True


@pytest.mark.parametrize(
    ("name", "tags", "told"),
    [
        ("S1A_IW_GRDH_1SDV_20240301.tif", {}, True),
        ("S1A_EW_GRDH_1SDH_20240301.tif", {}, False),
        ("a.tif", {"SIMULATED": "yes"}, True),
        ("a.tif", {"SIMULATED": "yes", "SPECKLE_FILTER": "lee"}, False),
    ],
)
def test_images_tell_their_looks_by_what_they_are(write, run, name, tags, told) -> None:
    path = write(name, scene(bands=1))
    with rasterio.open(path, "r+") as file:
        file.update_tags(**tags)
    (image,) = run([path]).images
    assert (image.looks["VV"] == LOOKS) is told


def test_texture_is_told_where_looks_are_fewer_than_one(write, run) -> None:
    rng = np.random.default_rng(0)
    power = (rng.gamma(LOOKS, 1 / LOOKS, (1, 75, 75)) * rng.lognormal(0, 1.5, (1, 75, 75))).astype(np.float32)
    made = run([write("S1.tif", power)])
    assert "--enl 4.4" in made.run.manifest.warnings[0]


def test_dates_are_filtered_together(write, run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(despeckling, "_STRIP_BYTES", 1)
    stack = np.stack([scene(seed=seed)[0] for seed in range(4)])
    stack[2, 60:70] = np.nan
    paths = [write(f"S1_2024030{k + 1}.tif", image[None]) for k, image in enumerate(stack)]
    made = run([tmp_path], filter="quegan_yu")
    expected = quegan_yu(np.where(stack > 0, stack, np.nan))
    for image, path, wanted in zip(made.images, paths, expected, strict=True):
        assert image.name == path.stem
        np.testing.assert_allclose(read(image.path)[0], wanted, rtol=1e-6)
    assert made.images[0].looks == {}
    assert not list((tmp_path / "run").rglob("grain*"))


def test_dates_of_other_grids_or_a_lone_one_are_refused(write, run) -> None:
    one, other = write("a.tif", scene()), write("b.tif", scene((90, 100)))
    with pytest.raises(InputError, match="forecast prepare"):
        run([one, other], filter="quegan_yu")
    with pytest.raises(InvalidSetting, match="there is one image"):
        run([one], filter="quegan_yu")


def test_of_several_images_the_readable_ones_are_done(write, run, tmp_path) -> None:
    write("a.tif", scene())
    (tmp_path / "b.tif").write_bytes(b"no image")
    write("c.tif", np.full((1, 30, 30), np.nan, np.float32))
    made = run([tmp_path], filter="lee")
    assert [image.name for image in made.images] == ["a"]
    assert made.run.manifest.status == "partial"
    assert [failure.error for failure in made.run.manifest.failures] == ["UnreadableFile", "NoValidPixels"]


def test_images_of_one_name_keep_apart(write, run, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    one, two = write("a.tif", scene()), write("other/a.tif", scene(seed=1))
    made = run([one, two], ratio=True)
    assert [image.path.name for image in made.images] == ["a.tif", "a-2.tif"]


def test_bad_input_stops_with_its_cure(write, run, tmp_path) -> None:
    decibels = write("decibels.tif", np.float32(-12) + scene()[:1])
    with pytest.raises(InvalidSetting, match="--units db"):
        run([decibels], units="linear")
    power = write("power.tif", scene())
    with pytest.raises(InvalidSetting, match="--units linear"):
        run([power], units="db")
    with pytest.raises(NoValidPixels, match="no data in any pixel"):
        run([write("nothing.tif", np.zeros((1, 40, 40), np.float32))])
    with pytest.raises(InvalidSetting, match="at most 90 pixels"):
        run([power], window=91)
    with pytest.raises(InvalidSetting, match="odd number"):
        run([power], window=8)
    assert not (tmp_path / "run").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileMissing, match="holds no raster"):
        images_in([tmp_path / "empty"])
    with pytest.raises(FileMissing, match="no image was given"):
        images_in([])


def test_values_below_0_that_the_sample_missed_stop_or_are_said(write, run, tmp_path, monkeypatch) -> None:
    """The image is sampled before; what the rest of it holds is seen when it is filtered."""
    monkeypatch.setattr("arpent.tasks.forecast.radar_image._MOST_PIXELS", 90 * 25)
    power = np.abs(np.nan_to_num(scene((90, 100), bands=1), nan=0.1)) + np.float32(0.01)
    power[0, 5, 5] = -0.5
    made = run([write("a.tif", power)], units="linear")
    assert any("1 value below 0 among its power" in warning for warning in made.run.manifest.warnings)
    assert np.isnan(read(made.images[0].path)[0, 5, 5])
    power[0, :50] = -12
    with pytest.raises(InvalidSetting, match=r"power never has.*-12"):
        run([write("b.tif", power)], units="linear", force=True)


@pytest.mark.parametrize("units", ["auto", "linear"])
def test_a_few_values_below_0_are_no_decibels(write, run, units) -> None:
    """Products whose noise was subtracted go a little below 0."""
    power = scene(bands=1)
    power[0, 60, 60] = -1e-5
    made = run([write("S1_20240301.tif", power)], enl=LOOKS, units=units)
    known = np.where(power[0] > 0, power[0], np.nan).astype(np.float32)
    product = read(made.images[0].path)[0]
    assert product.tobytes() == SpeckleFilter("lee", 7, LOOKS)(known).tobytes()
    assert any("below 0 among its power" in warning for warning in made.run.manifest.warnings)
    with rasterio.open(made.images[0].path) as file:
        assert "dB" not in file.units
    with pytest.raises(InvalidSetting, match=r"hardly any value is below 0.*--units linear"):
        run([write("S1_20240301.tif", power)], units="db", force=True)


def test_what_may_be_power_or_decibels_is_asked_for(write, run) -> None:
    power = scene(bands=1)
    power[0, 60:64] = -1e-4
    with pytest.raises(InvalidSetting, match=r"too many .* for power, and too few for decibels.*5%.*--units db"):
        run([write("a.tif", power)])


def test_what_fails_leaves_the_run_that_it_was_to_replace(write, run, tmp_path) -> None:
    made = run([write("a.tif", scene())])
    with pytest.raises(InvalidSetting):
        run([tmp_path / "a.tif"], units="db", force=True)
    assert made.images[0].path.is_file() and (tmp_path / "run" / "manifest.json").is_file()


def test_an_image_smaller_than_a_block_and_without_place(write, run) -> None:
    made = run([write("a.tif", scene((9, 12), bands=1)[:, 3:], crs=None)], window=3)
    assert math.isnan(made.images[0].cards["VV"].edges) is False


PEAK = """
import sys
from pathlib import Path
from arpent.store import Place
from arpent.tasks.forecast import DespeckleSettings
from arpent.tasks.forecast import despeckling
from arpent.testing.memory import peak_memory
despeckling._STRIP_BYTES = 1 << 20
settings = DespeckleSettings(filter=sys.argv[2], enl=4.4, ratio=True, compression="zstd")
despeckling.despeckle(sys.argv[3:], Place(exact=Path(sys.argv[1])), settings)
print(peak_memory())
"""


@pytest.mark.parametrize(("name", "dates"), [("lee", 1), ("quegan_yu", 2)])
def test_memory_does_not_grow_with_the_height(write, tmp_path, name, dates) -> None:
    """Twelve million pixels more: input, result and ratio alone would take 144 MB."""
    peaks = []
    for height in (3_000, 15_000):
        rows = np.random.default_rng(0).gamma(LOOKS, 1 / LOOKS, (500, 1_000)).astype(np.float32)
        image = np.tile(rows, (height // 500, 1))[None]
        paths = [write(f"{name}{height}-{k}.tif", image, tiled=True) for k in range(dates)]
        command = [sys.executable, "-c", PEAK, str(tmp_path / f"run{height}"), name, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 100 * 2**20


@pytest.mark.requires("data")
def test_water_of_a_real_chip_is_found_better_after_lee(data_folder) -> None:
    """Sentinel-1 over Spain with a mask made by hand: the best single threshold on VV, raw and after Lee 7 × 7."""
    folder = data_folder / "sar" / "sen1floods11"
    levels, labels = read(folder / "Spain_7370579_S1Hand.tif")[0], read(folder / "Spain_7370579_LabelHand.tif")[0]

    def best(image):
        scores = []
        for threshold in np.arange(-25, -5, 0.1):
            found = (image < threshold) & (labels >= 0)
            scores.append(np.sum(found & (labels == 1)) / np.sum(found | (labels == 1)))
        return max(scores)

    filtered = linear_to_decibels(SpeckleFilter("lee", 7)(decibels_to_linear(levels)))
    assert best(levels) == pytest.approx(0.569, abs=0.01)
    assert best(filtered) == pytest.approx(0.605, abs=0.01)


@pytest.mark.requires("data")
@pytest.mark.parametrize("name", ["sen1floods11/Spain_7370579_S1Hand.tif", "pyrosar"])
def test_real_images_go_through(data_folder, run, name) -> None:
    source = data_folder / "sar" / name
    made = run([source], filter="gamma_map", enl=LOOKS)
    for card in made.images[0].cards.values():
        assert card.looks_after > card.looks_before
        assert card.mean_ratio == pytest.approx(1, abs=0.1)
