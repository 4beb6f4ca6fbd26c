"""One training on the images of two cameras, 20 and 30 cm, 8 and 12 bits, four bands and six."""

import csv

import numpy as np
import pytest
import rasterio
import torch

from arpent.core import Contract
from arpent.data import Normaliser, SampleIndex
from arpent.engine import FitSettings, OptimiserSettings, check_contract
from arpent.errors import BandMismatch, ContractMismatch, DatasetError, InvalidSetting, UnknownName
from arpent.io import open_image
from arpent.models import load_bundle
from arpent.store import Place, read_contract
from arpent.tasks.landcover import (
    FinetuneSettings,
    LandcoverSettings,
    MapSettings,
    finetune,
    map_image,
    train,
)
from arpent.tasks.landcover.evaluate_settings import EvaluateSettings
from arpent.tasks.landcover.evaluation import evaluate
from arpent.tasks.landcover.radiometry import rule_of_images
from arpent.tasks.landcover.survey import measured, survey
from arpent.testing.simulation import Simulation, simulate

SENSORS = ("bd-ortho", "pleiades-neo")
SIX = ("red", "green", "blue", "nir", "red_edge", "deep_blue")
FIT = FitSettings(epochs=2, best="miou", device="cpu", optimiser=OptimiserSettings(rate=0.01))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Three places, each seen by both cameras."""
    folder = tmp_path_factory.mktemp("both")
    simulate(folder, Simulation(sensor=SENSORS, size=96, scenes=3, seed=3))
    return folder


@pytest.fixture(scope="module")
def settings(both, train_settings):
    def make(**changes):
        task = LandcoverSettings(bands=SIX, network={"widths": [8]})
        common = {"index": str(both / "index.csv"), "task": task, "patch": 32, "patches": 24, "fit": FIT}
        mixed = {"missing_bands": "fill", "mix": "round-robin", "resample_gsd": (0.2, 0.3)}
        return train_settings(**common | mixed | changes)

    return make


@pytest.fixture(scope="module")
def mixed(settings, tmp_path_factory):
    return train(settings(), Place(exact=tmp_path_factory.mktemp("mixed") / "run"))


def rows_of(folder):
    return list(csv.DictReader((folder / "index.csv").read_text().splitlines()))


def index_with(folder, name, change):
    """The index with its rows changed."""
    rows = rows_of(folder)
    changed = [row for number, old in enumerate(rows) if (row := change(number, dict(old))) is not None]
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) + [key for key in changed[0] if key not in rows[0]])
        writer.writeheader()
        writer.writerows(changed)
    return str(folder / name)


def test_each_sensor_has_its_own_statistics_in_the_contract(mixed, settings):
    contract = read_contract(mixed.file("model"))
    samples = survey(settings())
    assert (contract.normalisation, contract.gsd, contract.dtype) == (None, None, None)
    assert contract.band_names == SIX
    assert [band.wavelength for band in contract.bands[3:5]] == [832.5, 725.0]
    kinds = {name: (own.dtype, round(own.gsd, 2)) for name, own in contract.sensors.items()}
    assert kinds == {"bd-ortho": ("uint8", 0.2), "pleiades-neo": ("uint16", 0.3)}
    for name, bands in zip(SENSORS, (SIX[:4], SIX), strict=True):
        own = contract.sensors[name].normalisation
        seen = measured(SampleIndex([s for s in samples.train if s.sensor == name]), bands)
        assert own.mean[: len(bands)] == pytest.approx(seen.mean)
        assert own.std[: len(bands)] == pytest.approx(seen.std)
        assert own.absent_of(SIX) == SIX[len(bands) :]
    assert Contract.model_validate_json(contract.model_dump_json()) == contract


@pytest.mark.parametrize("name", SENSORS)
def test_the_model_maps_both_sensors_each_as_it_was_learnt(mixed, both, tmp_path, name):
    bundle = load_bundle(mixed.file("model"))
    image = next(both.rglob(f"image_{name}_*.tif"))
    made = map_image(str(image), mixed.file("model"), Place(exact=tmp_path / "map"), MapSettings(runtime="torch"))
    contract = bundle.contract.of_sensor(name)
    with open_image(image, bands=[band for band in SIX if band not in contract.absent]) as reader:
        raster = reader.read(reader.grid.window)
    rule = contract.normalisation
    pixels = np.zeros((6, 96, 96), np.float32)
    for place in range(len(raster.pixels)):
        pixels[place] = (raster.pixels[place] - rule.mean[place]) / rule.std[place]
    with torch.inference_mode():
        scores = bundle.model(torch.from_numpy(pixels)[None])[0]
    with rasterio.open(made.path) as product:
        changed = (product.read(1) != contract.classes.ids[scores.argmax(0).numpy()]).mean()
    assert changed < 1e-3
    assert not made.run.manifest.warnings  # its radiometry is near that of its own sensor


def test_whose_image_it_is_must_be_known(mixed, both, tmp_path):
    model, settings = mixed.file("model"), MapSettings(runtime="torch")
    image = tmp_path / "plain.tif"
    with rasterio.open(next(both.rglob("image_bd-ortho_*.tif"))) as source:
        profile = {**source.profile, "driver": "GTiff", "photometric": "MINISBLACK"}
        with rasterio.open(image, "w", **profile) as target:
            target.write(source.read())
            target.descriptions = source.descriptions
    with pytest.raises(InvalidSetting, match=r"nothing says which of them took .*Say it: --sensor bd-ortho"):
        map_image(str(image), model, Place(exact=tmp_path / "map"), settings)
    told = settings.model_copy(update={"sensor": "bd-ortho"})
    assert map_image(str(image), model, Place(exact=tmp_path / "map"), told).path.exists()
    other = settings.model_copy(update={"sensor": "sentinel-2-l2a"})
    with pytest.raises((UnknownName, BandMismatch), match=r"sensor of the model|sentinel-2"):
        map_image(str(image), model, Place(exact=tmp_path / "other"), other)
    named = image.rename(tmp_path / "T31TCJ_20240607T105031_B04_10m.tif")
    with pytest.raises(InvalidSetting, match=r"looks like an image of sentinel-2.*expected .*--sensor bd-ortho"):
        map_image(str(named), model, Place(exact=tmp_path / "named"), settings)
    with (
        open_image(named, bands=SIX, absent=SIX[4:], sensor="bd-ortho") as reader,
        pytest.raises(ContractMismatch, match="which of its sensors took"),
    ):
        check_contract(read_contract(model), reader)


def test_a_mixed_model_is_evaluated_on_both(mixed, both, tmp_path):
    done = evaluate(
        mixed.file("model"), str(both / "index.csv"), Place(exact=tmp_path / "run"), EvaluateSettings(patch=48)
    )
    assert done.run.manifest.status == "complete"


def test_the_mixed_training_resumed_is_the_same(mixed, settings, tmp_path, monkeypatch):
    from arpent.engine import training

    keep = training._Trainer._end_epoch

    def stops(self, *args, **kwargs):
        keep(self, *args, **kwargs)
        if self.state.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Exception, match="--resume"):
        patch.setattr(training._Trainer, "_end_epoch", stops)
        train(settings(workers=1), Place(exact=tmp_path / "run"))
    again = train(settings(workers=1), Place(exact=tmp_path / "run", resume=True))
    first, second = (load_bundle(run.file("model")).model.state_dict() for run in (mixed, again))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_sensor_has_its_own_bit_depth_and_conversion_to_bytes(settings):
    wanted = settings(normalise="norma-01")
    rules = rule_of_images(wanted, survey(wanted))
    assert {name: rule.scale for name, rule in rules.items()} == {"bd-ortho": 1 / 255, "pleiades-neo": 1 / 4095}
    wanted = settings(to_bytes="percentile", normalise="norma-01")
    rules = rule_of_images(wanted, survey(wanted))
    assert rules["pleiades-neo"].to_bytes.high[0] > 255 >= rules["bd-ortho"].to_bytes.high[0]
    dark = Normaliser(rules["bd-ortho"])(np.zeros((6, 1, 1), np.uint8))
    assert dark[4:].tolist() == [[[0]], [[0]]]


@pytest.mark.parametrize("changes", [{"bits": 8}, {"statistics": "stats.json"}])
def test_one_number_does_not_hold_for_two_sensors(settings, changes):
    wanted = settings(**changes)
    with pytest.raises(InvalidSetting, match="several sensors"):
        rule_of_images(wanted, survey(wanted))


def test_what_cannot_be_mixed_is_refused(settings, both):
    with pytest.raises(BandMismatch, match="no band 'red_edge'"):
        survey(settings(missing_bands="refuse"))
    with pytest.raises(InvalidSetting, match="ratio of sensors"):
        survey(settings(mix={"bd-ortho": 1}))
    wrong = LandcoverSettings(bands=("red", "thermal"), network={"widths": [8]})
    with pytest.raises(BandMismatch, match="no image has the band 'thermal'"):
        survey(settings(task=wrong))
    partly = index_with(both, "partly.csv", lambda number, row: row | ({"sensor": ""} if number == 0 else {}))
    with pytest.raises(DatasetError, match="name their sensor, and others do not"):
        survey(settings(index=partly))
    domains = sorted({row["domain"] for row in rows_of(both)})

    def apart(_, row):
        side = "val" if row["domain"] == domains[0] else "train"
        return row | {"split": side} if side == "val" or row["sensor"] == "bd-ortho" else None

    with pytest.raises(DatasetError, match="no training image is of pleiades-neo"):
        survey(settings(index=index_with(both, "apart.csv", apart)))


def test_masks_that_fit_no_image_are_refused_before_a_run_begins(settings, both, tmp_path):
    from arpent.core import Grid, Strip
    from arpent.io import CogWriter, RasterSpec

    def write(name, height, bands):
        with CogWriter(tmp_path / name, RasterSpec(Grid(height, 64), bands, "uint8")) as writer:
            writer.write(Strip(0, np.full((len(bands), height, 64), 5, np.uint8)))

    lines = ["image,mask,split"]
    for side, height in (("train", 64), ("val", 60)):
        write(f"{side}.tif", 64, ("red", "green"))
        write(f"{side}_mask.tif", height, ("class",))
        with (tmp_path / f"{side}.tif").open("ab") as file:
            file.write(side.encode())  # else both sides are one picture
        lines.append(f"{side}.tif,{side}_mask.tif,{side}")
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    task = LandcoverSettings(bands=("red", "green"), network={"widths": [8]})
    wanted = settings(index=str(tmp_path / "index.csv"), task=task, resample_gsd=())
    with pytest.raises(
        DatasetError, match=r"val_mask\.tif and image .* differ in size.*found 64 × 60; expected 64 × 64"
    ):
        train(wanted, Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(DatasetError, match="cannot follow its image"):
        train(wanted.model_copy(update={"resample_gsd": (0.3,)}), Place(exact=tmp_path / "run"))


@pytest.fixture(scope="module")
def tuning(both, trained):
    def make(**changes):
        common = {"index": str(both / "index.csv"), "start": str(trained.path), "task": {"bands": SIX}, "patch": 32}
        brief = {"patches": 8, "fit": FIT.model_copy(update={"epochs": 1}), "strategy": "ft-finetune-head"}
        return FinetuneSettings.model_validate(common | brief | {"missing_bands": "fill"} | changes)

    return make


def test_a_model_is_tuned_on_both_by_its_own_statistics(tuning, trained, tmp_path):
    run = finetune(
        tuning(normalise="norma-source", mix={"bd-ortho": 1, "pleiades-neo": 3}), Place(exact=tmp_path / "r")
    )
    source, contract = (read_contract(one.file("model")) for one in (trained, run))
    for own in contract.sensors.values():
        assert own.normalisation.mean[:4] == source.normalisation.mean
    assert contract.sensors["bd-ortho"].normalisation.absent == (4, 5)
    assert contract.sensors["pleiades-neo"].normalisation.mean[4] > 255  # new to the model, and measured


def test_a_model_of_both_is_tuned_to_one(tuning, mixed, both, tmp_path):
    index = index_with(both, "neo.csv", lambda _, row: row if row["sensor"] == "pleiades-neo" else None)
    wanted = tuning(start=str(mixed.path), index=index, normalise="norma-source", missing_bands="refuse")
    contract = read_contract(finetune(wanted, Place(exact=tmp_path / "run")).file("model"))
    assert not contract.sensors
    own = read_contract(mixed.file("model")).sensors["pleiades-neo"].normalisation
    assert (contract.normalisation.mean, contract.normalisation.std) == (own.mean, own.std)


def test_tuning_takes_bytes_bits_and_kept_statistics(tuning, both, tmp_path):
    """Through `finetune` itself: what the bundle holds is what the settings asked for."""
    from arpent.data import measure_images

    index = index_with(both, "deep.csv", lambda _, row: row if row["sensor"] == "pleiades-neo" else None)

    def rule(name, **changes):
        run = finetune(tuning(index=index, **changes), Place(exact=tmp_path / name))
        return read_contract(run.file("model")).normalisation

    made = rule("bytes", to_bytes="percentile", byte_cut=1.0)
    assert made.to_bytes.origin == "percentile of the training images"
    assert max(made.mean) < 255
    assert rule("bits", normalise="norma-01", bits=11).scale == 1 / 2047
    kept = tmp_path / "stats.json"
    samples = survey(tuning(index=index))
    measure_images(samples.val).write(kept)  # not the training side, so that it shows which was taken
    seen = measured(samples.val, SIX)
    assert rule("kept", statistics=str(kept)).mean == pytest.approx(seen.mean)
