"""Deep pixels: brought to bytes as training measured them, at prediction to the same network input."""

from dataclasses import replace

import numpy as np
import pytest

from arpent.core import Band, Contract, Grid, Normalisation, Strip, Window
from arpent.data import (
    Normaliser,
    PatchLoader,
    Sample,
    SampleIndex,
    Statistics,
    byte_scale_of,
    measure_images,
    standardisation,
)
from arpent.data.patches import PatchRef
from arpent.engine import FitSettings
from arpent.engine.job import _prepare
from arpent.errors import InvalidSetting
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.store import Place, read_contract
from arpent.tasks.landcover import LandcoverSettings, MapSettings, map_image, train
from arpent.tasks.landcover.fitting import normalised
from arpent.tasks.landcover.radiometry import rule_of_images
from arpent.tasks.landcover.survey import survey

BANDS = ("red", "nir")


def write(path, grid, pixels, nodata=None):
    bands = BANDS if len(pixels) == 2 else ("class",)
    with CogWriter(path, RasterSpec(grid, bands, str(pixels.dtype), nodata=nodata)) as writer:
        writer.write(Strip(0, pixels))
    return path


@pytest.fixture
def deep(tmp_path, train_settings):
    """Settings of a training on two small images of some depth, with holes."""

    def make(dtype, top, **changes):
        rng = np.random.default_rng(3)
        lines = ["image,mask,split"]
        for number, side in enumerate(("train", "val")):
            grid = Grid.north_up(650_000, 6_860_000 + 1000 * number, 1.0, 64, 64, 2154)
            least = 1e-3 if dtype == "float32" else 1
            pixels = rng.uniform(least, top, (2, 64, 64)).astype(dtype)
            pixels[:, :7, :5] = 0
            write(tmp_path / f"{side}.tif", grid, pixels, nodata=0)
            write(tmp_path / f"{side}_mask.tif", grid, rng.choice(np.array([5, 7], np.uint8), (1, 64, 64)))
            lines.append(f"{side}.tif,{side}_mask.tif,{side}")
        (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
        return train_settings(
            index=str(tmp_path / "index.csv"),
            task=LandcoverSettings(bands=BANDS, network={"widths": [8]}),
            fit=FitSettings(epochs=1, device="cpu"),
            patch=32,
            **changes,
        )

    return make


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint8", 255), ("uint16", 1023), ("uint16", 2047), ("uint16", 4095), ("uint16", 65535)]
)
@pytest.mark.parametrize("way", ["none", "percentile", "range"])
def test_any_depth_reaches_the_network_alike(deep, dtype, top, way):
    """Of uniform noise that fills the depth, the input has mean 0 and deviation 1, whatever the depth."""
    settings = deep(dtype, top, to_bytes=way)
    samples = survey(settings)
    rule = rule_of_images(settings, samples)
    assert (rule.to_bytes is None) == (way == "none")
    with open_image(samples.train[0].image, bands=BANDS) as reader:
        raster = reader.read(reader.grid.window)
    given = Normaliser(rule)(raster.pixels, raster.valid)
    assert not given[:, ~raster.valid].any()
    kept = given[:, raster.valid]
    assert np.abs(kept.mean(axis=1)).max() < 1e-4
    assert kept.std(axis=1) == pytest.approx(1, abs=1e-3)


def test_floats_are_brought_to_bytes_too(deep):
    settings = deep("float32", 1.0, to_bytes="percentile", byte_cut=1.0)
    rule = rule_of_images(settings, survey(settings))
    assert rule.to_bytes.low == pytest.approx((0.011, 0.011), abs=0.01)
    assert rule.to_bytes.high == pytest.approx((0.99, 0.99), abs=0.02)


def test_training_and_prediction_see_the_same_bytes(deep, tmp_path):
    settings = deep("uint16", 2047, to_bytes="percentile")
    run = train(settings, Place(exact=tmp_path / "run"))
    contract = read_contract(run.path / "model.safetensors")
    assert contract.normalisation.to_bytes.origin == "percentile of the training images"
    sample = survey(settings).val[0]
    with PatchLoader(Normaliser(contract.normalisation), bands=BANDS) as load:
        learnt = load(PatchRef(sample, Window(0, 0, 64, 64))).image
    with open_image(sample.image, bands=BANDS) as reader:
        raster = reader.read(reader.grid.window)
    seen = _prepare(contract)(raster.pixels, raster.valid)
    assert np.array_equal(learnt, seen)
    assert len(np.unique(seen[0])) <= 256
    made = map_image(
        sample.image,
        run.path / "model.safetensors",
        Place(exact=tmp_path / "map"),
        MapSettings(runtime="torch", device="cpu"),
    )
    assert made.path.exists()


def test_a_model_of_bytes_sees_bytes_by_the_image_s_own_statistics_too(deep, tmp_path):
    """The same ground, twice as bright: measured anew it gives the same bytes, and so the same network input."""
    run = train(deep("uint16", 2047, to_bytes="percentile"), Place(exact=tmp_path / "run"))
    contract = read_contract(run.path / "model.safetensors")
    with open_image(tmp_path / "train.tif", bands=BANDS) as reader:
        raster, grid = reader.read(reader.grid.window), reader.grid
        known = normalised(contract, reader, MapSettings(normalise="norma-target"))
    bright = write(tmp_path / "bright.tif", grid, raster.pixels * 2, nodata=0)
    with open_image(bright, bands=BANDS) as reader:
        anew = normalised(contract, reader, MapSettings(normalise="norma-target"))
        unit = normalised(contract, reader, MapSettings(normalise="norma-01"))
    learnt = _prepare(contract)(raster.pixels, raster.valid)
    for found, pixels in ((known, raster.pixels), (anew, raster.pixels * 2)):
        assert found.normalisation.to_bytes.origin.startswith("percentile of ")
        assert np.abs(_prepare(found)(pixels, raster.valid) - learnt).max() < 0.02
    assert unit.normalisation.scale == 1 / 255
    low = write(tmp_path / "low.tif", grid, (raster.pixels // 8).astype(np.uint8), nodata=0)
    with open_image(low, bands=BANDS) as reader:  # bytes already
        assert normalised(contract, reader, MapSettings(normalise="norma-target")).normalisation.to_bytes is None


@pytest.mark.requires("data")
def test_an_eleven_bit_worldview_is_replayed_pixel_for_pixel(data_folder):
    """What the network sees in a patch of training is what it sees in a window of prediction."""
    path = data_folder / "landcover" / "spacenet_wv2" / "sample_geotiff.tif"
    with open_image(path) as reader:
        bands = reader.bands
        raster = reader.read(reader.grid.window)
        statistics = Statistics(bands, reader.dtype)
    statistics.update(raster.pixels, raster.valid)
    assert 2047 < statistics.high[0] < 8192  # the file is called 11-bit, and 0.1 % of its pixels say otherwise
    scale = byte_scale_of(statistics)
    rule = standardisation(statistics.as_bytes(scale), "WorldView").model_copy(update={"to_bytes": scale})
    contract = Contract(
        task="landcover",
        architecture="unet",
        bands=[Band(name=band) for band in bands],
        normalisation=rule,
        arpent="0",
    )
    again = Contract.model_validate_json(contract.model_dump_json())
    whole = _prepare(again)(raster.pixels, raster.valid)
    with PatchLoader(Normaliser(rule), bands=bands) as load:
        patch = load(PatchRef(Sample(str(path)), Window(100, 200, 256, 256)))
    assert np.array_equal(patch.image, whole[:, 100:356, 200:456])
    inside = whole[:, raster.valid]
    assert abs(inside.mean()) < 1e-3
    assert inside.std() == pytest.approx(1, abs=1e-3)


def test_kept_statistics_stand_for_measuring(deep, tmp_path):
    settings = deep("uint16", 4095)
    samples = survey(settings)
    known = tmp_path / "stats.json"
    measure_images(samples.train).write(known)
    again = settings.model_copy(update={"statistics": str(known)})
    away = replace(samples, train=SampleIndex([], "nothing"))
    assert rule_of_images(again, away) == rule_of_images(settings, samples)


def test_deep_images_become_bytes_for_a_model_that_has_learnt_bytes(deep):
    settings = deep("uint16", 4095, to_bytes="range", normalise="norma-source")
    samples = survey(settings)
    own = Normalisation(origin="ortho", mean=(90, 120), std=(30, 40))
    bands = tuple(Band(name=name) for name in settings.task.bands)
    told = {"task": "landcover", "architecture": "unet", "arpent": "1"}
    ortho = Contract(**told, bands=bands, dtype="uint8", normalisation=own)
    rule = rule_of_images(settings, samples, ortho)
    scale = rule_of_images(settings.model_copy(update={"normalise": "norma-target"}), samples).to_bytes
    assert rule == own.model_copy(update={"to_bytes": scale})
    with pytest.raises(InvalidSetting, match="not of bytes"):
        rule_of_images(settings, samples, ortho.model_copy(update={"dtype": "uint16"}))
