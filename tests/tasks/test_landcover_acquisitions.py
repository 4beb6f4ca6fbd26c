"""Place, altitude, camera and date from the index, from the image and from the user, in training and on maps."""

from datetime import date, datetime, time

import numpy as np
import pytest
import rasterio
import torch

from arpent.data import Sample, SampleIndex
from arpent.engine import FitSettings, OptimiserSettings
from arpent.errors import DatasetError
from arpent.io import open_image
from arpent.models import Bundle, load_bundle, save_bundle
from arpent.models.metadata import settings_in
from arpent.store import Place
from arpent.tasks.landcover import (
    FinetuneSettings,
    LandcoverSettings,
    MapSettings,
    finetune,
    map_image,
    score,
    train,
)
from arpent.tasks.landcover.acquisitions import acquisition_of, describer, told, unheard

NETWORK = {"widths": [8, 16], "metadata": {"cameras": ["bd-ortho", "other"], "dropout": 0.0}}


def image_of(folder):
    return next(folder.rglob("image_bd-ortho_*.tif"))


def test_an_index_may_say_all(commune_folder):
    columns = {"lon": "2.5", "lat": 48, "altitude": "130", "camera": "UCE-M3", "time": "10h25"}
    sample = Sample("nowhere.tif", date=date(2021, 6, 20), sensor="bd-ortho", attributes=columns)
    known = acquisition_of(sample)
    assert (known.longitude, known.latitude, known.altitude) == (2.5, 48, 130)
    assert (known.camera, known.day, known.hour) == ("UCE-M3", date(2021, 6, 20), time(10, 25))


def test_what_the_index_leaves_out_comes_from_the_image(commune_folder):
    sample = SampleIndex.read(commune_folder / "index.csv")[0]
    known = acquisition_of(sample)
    with rasterio.open(sample.image) as file:
        from rasterio.warp import transform

        middle = file.xy(file.height / 2, file.width / 2, offset="ul")
        (lon,), (lat,) = transform(file.crs, "EPSG:4326", [middle[0]], [middle[1]])
    assert known.longitude == pytest.approx(lon, abs=1e-5)
    assert known.latitude == pytest.approx(lat, abs=1e-5)
    assert (known.camera, known.day, known.altitude, known.hour) == ("bd-ortho", sample.date, None, None)


@pytest.mark.parametrize("columns", [{"altitude": "high"}, {"time": "noon"}, {"time": "25:00"}, {"time": "10:257"}])
def test_columns_that_cannot_be_read_are_named(columns):
    with pytest.raises(DatasetError, match=next(iter(columns))):
        acquisition_of(Sample("a.tif", attributes={"lon": 1, "lat": 2, **columns}))


def test_networks_without_the_branch_are_told_nothing():
    assert describer({"widths": [8]}) is None


@pytest.fixture(scope="module")
def informed(train_settings, tmp_path_factory):
    """A training that is told of places and dates; its last layer is then made to matter."""
    fit = FitSettings(epochs=2, best="miou", device="cpu", optimiser=OptimiserSettings(rate=0.01))
    settings = train_settings(task=LandcoverSettings(network=NETWORK), fit=fit)
    run = train(settings, Place(exact=tmp_path_factory.mktemp("informed") / "run"))
    return load_bundle(run.file("model"))


def test_training_moves_the_branch(informed):
    last = informed.model.state_dict()["metadata.layers.5.weight"]
    assert last.abs().sum() > 0
    assert informed.contract.settings["metadata"]["cameras"] == ["bd-ortho", "other"]


def loud(bundle):
    """The same bundle with a branch that drowns the rest."""
    state = bundle.model.state_dict()
    generator = torch.Generator().manual_seed(0)
    branch = {name: tensor.shape for name, tensor in state.items() if name.startswith("metadata")}
    state = {**state, **{name: 2 * torch.randn(shape, generator=generator) for name, shape in branch.items()}}
    model = load_state_into(bundle, state)
    return Bundle(model, bundle.contract)


def load_state_into(bundle, state):
    from arpent.models import build

    model = build(bundle.contract.architecture, bundle.contract.settings)
    model.load_state_dict(state)
    return model.eval()


def test_maps_and_scores_are_told_of_the_image(informed, commune_folder, tmp_path):
    bundle = loud(informed)
    model = save_bundle(tmp_path / "model.safetensors", bundle.model, bundle.contract)
    maps = {}
    for name, taken, changes in (
        ("plain", None, {}),
        ("summer", datetime(2021, 7, 1, 11, 30), {}),
        ("high", None, {"altitude": 2500.0, "camera": "other"}),
    ):
        settings = MapSettings(runtime="torch", device="cpu", tile=320, **changes)
        place = Place(exact=tmp_path / name)
        made = map_image(str(image_of(commune_folder)), model, place, settings, taken=taken)
        with rasterio.open(made.path) as file:
            maps[name] = file.read(1)
    assert (maps["plain"] != maps["summer"]).any()
    assert (maps["plain"] != maps["high"]).any()
    index = SampleIndex.read(commune_folder / "index.csv")
    found = score(bundle, bundle.contract.normalisation, index[:1], patch=256)
    silent = Bundle(load_state_into(informed, informed.model.state_dict()), bundle.contract)
    assert found.matrix != score(silent, bundle.contract.normalisation, index[:1], patch=256).matrix


def test_batch_norm_is_measured_and_judged_with_what_is_known(informed, train_settings, tmp_path, monkeypatch):
    from arpent.tasks.landcover import finetuning

    told_of = []

    class Seen(finetuning.PatchLoader):
        def __init__(self, *given, describe=None, **named):
            super().__init__(*given, describe=describe, **named)
            told_of.append(describe)

    monkeypatch.setattr(finetuning, "PatchLoader", Seen)
    start = save_bundle(tmp_path / "model.safetensors", informed.model, informed.contract)
    plain = train_settings(task=LandcoverSettings(network=NETWORK)).model_dump()
    settings = FinetuneSettings.model_validate({**plain, "start": str(start), "strategy": "bn-only"})
    finetune(settings, Place(exact=tmp_path / "run"))
    assert len(told_of) == 2
    assert all(told_of)


def test_the_model_of_a_map_knows_its_place(informed, commune_folder):
    with open_image(image_of(commune_folder)) as reader:
        grid = reader.grid
    bundle = told(informed, grid, MapSettings(), datetime(2021, 7, 1))
    known = bundle.model.known[0].numpy()
    groups = dict(zip(("place", "altitude", "camera", "date", "time"), known[-5:], strict=True))
    assert groups == {"place": 1, "altitude": 0, "camera": 0, "date": 1, "time": 0}
    by_file = told(informed, grid, MapSettings(), datetime(2021, 7, 1), "bd-ortho")
    assert by_file.model.known[0, -3] == 1  # the camera
    by_name = told(informed, grid, MapSettings(sensor="cameras/ours.yaml"), datetime(2021, 7, 1), "bd-ortho")
    assert by_name.model.known[0, -3] == 1, "a sensor from a file goes by its name, not by that of the file"
    sample = Sample(str(image_of(commune_folder)), sensor="bd-ortho")
    described = describer(informed.contract.settings)(sample)
    assert np.array_equal(described[:32], known[:32])


def test_what_the_network_cannot_take_in_is_said(informed):
    contract = informed.contract
    deaf = contract.model_copy(update={"settings": {"widths": [4]}})
    assert unheard(deaf, MapSettings()) is None
    assert "pixels alone" in unheard(deaf, MapSettings(altitude=120))
    assert "ne voit que les pixels" in unheard(deaf, MapSettings(camera="UCE", language="fr"))
    (known, *_) = settings_in(contract.settings).cameras
    assert unheard(contract, MapSettings(camera=known)) is None
    assert "takes the camera Kodak for one that nobody named" in unheard(contract, MapSettings(camera="Kodak"))
