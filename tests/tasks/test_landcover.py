import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from arpent.core import Grid, Strip, nomenclature
from arpent.data import Normaliser
from arpent.engine import FitSettings
from arpent.errors import BundleInvalid, DatasetError, FileMissing, InvalidSetting, SplitLeak
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import dice_loss, load_bundle, save_bundle
from arpent.store import Place, open_run, read_contract, verify
from arpent.tasks.landcover import (
    LandcoverSettings,
    LandcoverTask,
    MapSettings,
    areas_of,
    map_image,
    score_map,
    train,
)
from arpent.testing.simulation import Simulation, simulate


def image_of(folder):
    return next(folder.rglob("image_bd-ortho_*.tif"))


def truth_of(folder):
    return next(folder.rglob("truth_bd-ortho_*.tif"))


def test_a_training_leaves_a_bundle_that_says_all(trained, train_settings):
    model = trained.path / trained.manifest.product("model").file
    contract = read_contract(model)
    assert contract.band_names == ("red", "green", "blue", "nir")
    assert [band.wavelength for band in contract.bands] == [620.0, 550.0, 460.0, 830.0]
    assert contract.gsd == pytest.approx(0.2, rel=1e-3)
    assert contract.dtype == "uint8"
    assert contract.classes == nomenclature("commune")
    assert contract.recipe["settings"] == json.loads(train_settings().model_dump_json())
    assert contract.metrics["miou"] == trained.manifest.metrics["validation/miou"]
    assert {entry.role for entry in trained.manifest.inputs} == {"index", "image", "mask"}
    assert all(entry.sha256 for entry in trained.manifest.inputs)
    verify(open_run(trained.path))


def test_training_learns(train_settings, tmp_path):
    """Twelve epochs on four small places beat the first one by far."""
    run = train(train_settings(fit=FitSettings(epochs=12, best="miou", device="cpu")), Place(exact=tmp_path / "run"))
    lines = (run.path / "history.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train_loss"] for line in lines]
    assert losses[-1] < 0.8 * losses[0]


def test_a_map_is_scored_and_its_areas_add_up(trained, commune_folder, tmp_path):
    made = map_image(
        str(image_of(commune_folder)),
        trained.path / "model.safetensors",
        Place(exact=tmp_path / "map"),
        MapSettings(runtime="torch", device="cpu"),
        truth=truth_of(commune_folder),
    )
    ground = sum(area.square_metres for area in made.areas)
    assert ground == pytest.approx((256 * 0.2) ** 2, rel=2e-3)
    assert sum(area.share for area in made.areas) == pytest.approx(1)
    assert made.scores.miou == made.run.manifest.metrics["miou"] > 0.05
    assert made.run.manifest.bundle.sha256
    with rasterio.open(made.path) as product:
        assert product.colormap(1)[5][:3] == (0x15, 0x53, 0xAE)
        assert product.tags(1)["STATISTICS_VALID_PERCENT"] == "100"


def test_tiles_of_the_default_halo_change_few_classes(demo_network, tmp_path):
    """The halo of 16 px is shorter than the receptive field of 51: what that costs is stated as a share, and small."""
    (place,) = simulate(tmp_path / "scene", Simulation(size=1024, seed=1))
    model = demo_network.file("model")
    made = map_image(str(place.image), model, Place(exact=tmp_path / "map"), MapSettings(runtime="torch", device="cpu"))
    assert made.prediction.tiles >= 9
    bundle = load_bundle(model)
    with open_image(place.image, bands=bundle.contract.band_names) as reader:
        raster = reader.read(reader.grid.window)
    pixels = Normaliser(bundle.contract.normalisation)(raster.pixels, raster.valid)
    with torch.inference_mode():
        whole = bundle.contract.classes.ids[bundle.model(torch.from_numpy(pixels)[None])[0].argmax(0).numpy()]
    with rasterio.open(made.path) as product:
        changed = (product.read(1) != whole).mean()
    assert np.bincount(whole.ravel()).max() < 0.9 * whole.size  # no map of one class, which nothing could change
    assert changed <= 0.005, f"{changed:.2%} of the classes differ"


def test_the_resumed_training_gives_the_same_bundle(trained, train_settings, tmp_path, monkeypatch):
    from arpent.engine import training

    keep = training._Trainer._end_epoch

    def stops(self, *args, **kwargs):
        keep(self, *args, **kwargs)
        if self.state.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Exception, match="--resume"):
        patch.setattr(training._Trainer, "_end_epoch", stops)
        train(train_settings(), Place(exact=tmp_path / "run"))
    again = train(train_settings(), Place(exact=tmp_path / "run", resume=True))
    first, second = (load_bundle(run.path / "model.safetensors").model.state_dict() for run in (trained, again))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_split_that_leaks_is_refused(commune_folder, train_settings, tmp_path):
    index = (commune_folder / "index.csv").read_text().splitlines()
    header, row = index[0] + ",split", index[1]
    leaky = commune_folder / "leaky.csv"
    leaky.write_text("\n".join([header, f"{row},train", f"{row},val"]) + "\n")
    with pytest.raises((SplitLeak, DatasetError)):
        train(train_settings(index=str(leaky)), Place(exact=tmp_path / "run"))


def test_an_index_that_cannot_be_split_says_what_to_fill_in(commune_folder, train_settings, tmp_path):
    index = (commune_folder / "index.csv").read_text().splitlines()
    single = commune_folder / "single.csv"
    single.write_text("\n".join(index[:2]) + "\n")
    with pytest.raises(DatasetError, match="Fill the column 'split'"):
        train(train_settings(index=str(single)), Place(exact=tmp_path / "run"))


@pytest.mark.parametrize(
    ("dtype", "pixel", "split", "words"),
    [
        ("uint16", 1.0, "train", r"found uint16; expected uint8.*one type of pixels"),
        ("uint16", 1.0, "val", r"found uint16; expected uint8.*one type of pixels"),
        ("uint8", 1.02, "train", r"found 1\.02 m; expected 1 m.*one resolution"),
        ("uint8", 1.008, "train", None),
    ],
)
def test_images_of_different_kinds_are_not_learnt_from_together(train_settings, tmp_path, dtype, pixel, split, words):
    def write(name, kind, step, top):
        grid = Grid.north_up(650_000, top, step, 64, 64, 2154)
        with CogWriter(tmp_path / f"{name}.tif", RasterSpec(grid, ("red", "green", "blue", "nir"), kind)) as writer:
            writer.write(Strip(0, np.random.default_rng(0).integers(1, 255, (4, 64, 64)).astype(kind)))
        with CogWriter(tmp_path / f"{name}_mask.tif", RasterSpec(grid, ("class",), "uint8")) as writer:
            writer.write(Strip(0, np.full((1, 64, 64), 5, np.uint8)))

    lines = ["image,mask,split"]
    places = [("one", "uint8", 1.0, "train"), ("two", "uint8", 1.0, "val"), ("far", dtype, pixel, split)]
    for number, (name, kind, step, side) in enumerate(places):
        write(name, kind, step, 6_860_000 + 1000 * number)
        lines.append(f"{name}.tif,{name}_mask.tif,{side}")
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    fitted = FitSettings(epochs=1, device="cpu")
    settings = train_settings(index=str(tmp_path / "index.csv"), fit=fitted)
    place = Place(exact=tmp_path / "run")
    if words is None:
        assert train(settings, place).manifest.status == "complete"
        return
    with pytest.raises(DatasetError, match=rf"far\.tif and \S*one\.tif cannot be learnt from together.*{words}"):
        train(settings, place)
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_task_is_refused(trained, commune_folder, tmp_path):
    bundle = load_bundle(trained.path / "model.safetensors")
    other = save_bundle(
        tmp_path / "other.safetensors", bundle.model, bundle.contract.model_copy(update={"task": "change"})
    )
    with pytest.raises(BundleInvalid, match="no land-cover model"):
        map_image(str(image_of(commune_folder)), other, Place(exact=tmp_path / "map"), MapSettings())


def test_a_picture_without_georeference_is_mapped_and_counted_in_shares(trained, tmp_path):
    path = tmp_path / "picture.tif"
    spec = RasterSpec(Grid(100, 90), ("red", "green", "blue", "nir"), "uint8")
    with CogWriter(path, spec) as writer:
        writer.write(Strip(0, np.random.default_rng(0).integers(0, 255, (4, 100, 90), dtype=np.uint8)))
    made = map_image(
        str(path), trained.path / "model.safetensors", Place(exact=tmp_path / "map"), MapSettings(runtime="torch")
    )
    assert all(area.square_metres is None for area in made.areas)
    assert sum(area.share for area in made.areas) == pytest.approx(1)


@pytest.mark.parametrize("latitude", [0.0, 47.0, 69.0])
def test_areas_are_those_of_the_ellipsoid_in_any_projection(tmp_path, latitude):
    """A map in degrees gives the area of its cap, by the closed formula of the authalic latitude."""
    path = tmp_path / "map.tif"
    grid = Grid.north_up(2.0, latitude + 1.0, 0.01, 100, 100, 4326)
    classes = nomenclature("commune")
    with CogWriter(path, RasterSpec(grid, ("class",), "uint8", 0, classes, "mode")) as writer:
        writer.write(Strip(0, np.full((1, 100, 100), 5, np.uint8)))
    water = next(area for area in areas_of(path, classes) if area.entry.en == "water")
    assert water.square_metres == pytest.approx(zone(latitude, latitude + 1.0) / 360, rel=1e-6)


def zone(low, high):
    """Square metres between two parallels all around WGS 84."""
    a, f = 6378137.0, 1 / 298.257223563
    e2 = f * (2 - f)
    e = e2**0.5

    def half(latitude):
        s = np.sin(np.radians(latitude))
        return s / (1 - e2 * s * s) + np.log((1 + e * s) / (1 - e * s)) / (2 * e)

    return np.pi * a * a * (1 - e2) * (half(high) - half(low))


def test_a_map_is_scored_on_its_own_grid_and_only_where_both_speak(tmp_path):
    classes = nomenclature("commune")
    grid = Grid.north_up(650_000, 6_860_000, 1.0, 20, 20, 2154)
    fine = Grid.north_up(650_000, 6_860_000, 0.5, 40, 40, 2154)

    def write(name, where, values):
        path = tmp_path / name
        with CogWriter(path, RasterSpec(where, ("class",), "uint8", 0, classes, "mode")) as writer:
            writer.write(Strip(0, values[None]))
        return path

    answer = np.full((20, 20), 5, np.uint8)
    answer[:5] = 0
    truth = np.full((40, 40), 5, np.uint8)
    truth[:, :20] = 7
    truth[-8:] = 0
    matrix = score_map(write("map.tif", grid, answer), write("truth.tif", fine, truth), classes)
    water, trees = classes.index_of_id[5], classes.index_of_id[7]
    assert matrix.total == 11 * 20
    assert matrix.counts[water, water] == matrix.counts[trees, water] == 110


def test_dice_is_nought_for_a_sure_answer_and_one_for_a_wrong_one():
    target = torch.tensor([[[0, 1], [2, -1]]])
    right = torch.nn.functional.one_hot(target.clamp(min=0), 3).permute(0, 3, 1, 2) * 50.0
    assert dice_loss(right, target) == pytest.approx(0, abs=1e-5)
    assert dice_loss(right.roll(1, dims=1), target) == pytest.approx(1, abs=1e-5)


def test_a_batch_without_truth_teaches_nothing():
    task = LandcoverTask(LandcoverSettings(network={"widths": [8]}))
    model = task.build()
    loss = task.loss(model(torch.randn(1, 4, 8, 8)), {"target": torch.full((1, 8, 8), -1)})
    loss.backward()
    assert loss == 0
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_products_speak_the_language_asked_for(trained, commune_folder, tmp_path):
    made = map_image(
        str(image_of(commune_folder)),
        trained.path / "model.safetensors",
        Place(exact=tmp_path / "map"),
        MapSettings(runtime="torch", language="fr", probabilities=True),
    )
    with rasterio.open(Path(made.run.path) / "probabilities.tif") as product:
        assert product.descriptions[0] == "bâtiment"
    item = json.loads((made.run.path / "classes.tif.stac.json").read_text())
    assert item["assets"]["data"]["title"] == "Occupation du sol"


def stop_in_second_row(patch):
    """Makes a prediction end as if killed once its first row of tiles is finished."""
    from arpent.engine.ledger import Ledger

    keep = Ledger.write

    def write(self, progressed, arrays):
        keep(self, progressed, arrays)
        raise SystemError("killed here")

    patch.setattr(Ledger, "write", write)


@pytest.mark.parametrize("changed", ["image", "model"])
def test_a_map_goes_on_only_with_the_same_image_and_model(trained, tmp_path, monkeypatch, changed):
    image, model = tmp_path / "scene.tif", tmp_path / "model.safetensors"
    bundle = load_bundle(trained.path / "model.safetensors")
    save_bundle(model, bundle.model, bundle.contract)

    def write(seed):
        values = np.random.default_rng(seed).integers(0, 255, (4, 300, 90), dtype=np.uint8)
        with CogWriter(image, RasterSpec(Grid(300, 90), ("red", "green", "blue", "nir"), "uint8")) as writer:
            writer.write(Strip(0, values))

    def run(resume):
        place = Place(exact=tmp_path / "map", resume=resume)
        return map_image(str(image), model, place, MapSettings(runtime="torch", tile=96, device="cpu"))

    write(1)
    with monkeypatch.context() as patch, pytest.raises(SystemError):
        stop_in_second_row(patch)
        run(resume=False)
    if changed == "image":
        write(2)
    else:
        with torch.no_grad():
            for parameter in bundle.model.parameters():
                parameter.neg_()
        save_bundle(model, bundle.model, bundle.contract)
    with pytest.raises(InvalidSetting, match="other inputs, model or settings"):
        run(resume=True)


def test_a_training_goes_on_only_with_the_same_images(train_settings, commune_folder, tmp_path, monkeypatch):
    import shutil

    from arpent.engine import training

    data = tmp_path / "data"
    shutil.copytree(commune_folder, data)
    settings = train_settings(index=str(data / "index.csv"))

    def stops(self, *args, **kwargs):
        raise SystemError("killed here")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(training._Trainer, "_validate", stops)
        train(settings, Place(exact=tmp_path / "run"))
    images = sorted(data.rglob("image_*.tif"))
    images[1].write_bytes(images[1].read_bytes() + b"\0")
    with pytest.raises(InvalidSetting, match="have changed"):
        train(settings, Place(exact=tmp_path / "run", resume=True))
    truths = sorted(data.rglob("truth_*.tif"))
    shutil.copy(commune_folder / images[1].relative_to(data), images[1])
    truths[0].write_bytes(truths[0].read_bytes() + b"\0")
    with pytest.raises(InvalidSetting, match="have changed"):
        train(settings, Place(exact=tmp_path / "run", resume=True))


def test_a_training_killed_before_its_manifest_is_finished_by_resuming(trained, train_settings, tmp_path, monkeypatch):
    from arpent.store import RunFolder

    def dies(self):
        raise SystemError("killed here")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(RunFolder, "finish", dies)
        train(train_settings(), Place(exact=tmp_path / "run"))
    again = train(train_settings(), Place(exact=tmp_path / "run", resume=True))
    assert (again.path / "model.safetensors").read_bytes() == (trained.path / "model.safetensors").read_bytes()
    verify(open_run(again.path))


@pytest.mark.parametrize("truth", ["nowhere.tif", "smaller.tif"])
def test_a_truth_that_cannot_be_used_is_refused_before_the_map_is_made(trained, tmp_path, truth):
    def write(name, side, bands):
        with CogWriter(tmp_path / name, RasterSpec(Grid(side, side), bands, "uint8")) as writer:
            writer.write(Strip(0, np.ones((len(bands), side, side), np.uint8)))

    write("scene.tif", 64, ("red", "green", "blue", "nir"))
    write("smaller.tif", 32, ("class",))
    with pytest.raises((FileMissing, DatasetError)):
        map_image(
            str(tmp_path / "scene.tif"),
            trained.path / "model.safetensors",
            Place(exact=tmp_path / "map"),
            MapSettings(runtime="torch"),
            truth=tmp_path / truth,
        )
    assert not list((tmp_path / "map").glob("*.tif"))
