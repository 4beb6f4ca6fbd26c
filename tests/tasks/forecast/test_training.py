"""Networks of radar series: learnt from a data set, kept as bundles, and what is said of data that cannot be learnt."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from arpent.core import Window, nomenclature
from arpent.data import Augment, Normaliser, PatchRef, SampleIndex
from arpent.errors import (
    BundleInvalid,
    ContractMismatch,
    DatasetError,
    FileMissing,
    InvalidSetting,
    LossNotFinite,
    UnknownName,
)
from arpent.models import Forecaster, ForecasterSettings, load_bundle
from arpent.store import Place
from arpent.tasks.forecast.answering import open_forecaster
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.embedding import embed_dataset, forecaster_on
from arpent.tasks.forecast.features import make_features
from arpent.tasks.forecast.segmentation import train_segmentation
from arpent.tasks.forecast.sequences import SequenceLoader, Source, sequences_of
from arpent.tasks.forecast.sides import decibel_rule
from arpent.tasks.forecast.train_settings import FeatureSettings, ForecastSettings, SegmentationSettings
from arpent.tasks.forecast.training import train_forecast

TINY = {"patch": 32, "workers": 0, "device": "cpu"}


@pytest.fixture(scope="session")
def rivers(write_series, tmp_path_factory):
    """Two places to learn from and one to judge by, of eight dates; told their level."""
    return write_series(
        tmp_path_factory.mktemp("rivers"),
        {
            "ebb": [26 - 2 * at for at in range(8)],
            "flow": [10 + 2 * at for at in range(8)],
            "pool": [24 - at for at in range(8)],
        },
        sides={"ebb": "train", "flow": "train", "pool": "val"},
        covariates=("level",),
    )


@pytest.fixture(scope="session")
def segment(rivers):
    def run(place, **changes):
        given = {
            "dataset": str(rivers),
            "widths": (8, 8, 16),
            "epochs": 8,
            "batch_size": 4,
            "patches": 32,
            "rate": 0.02,
        }
        return train_segmentation(SegmentationSettings(**{**TINY, **given, **changes}), place)

    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def segmented(segment, runs):
    return segment(Place(root=runs))


@pytest.fixture(scope="session")
def foretell(rivers):
    def run(place, **changes):
        small = {"hidden": 8, "layers": 1, "width": 4, "cell": 8}
        given = {"dataset": str(rivers), "epochs": 1, "batch_size": 4, "patches": 8}
        return train_forecast(ForecastSettings(**{**TINY, **small, **given, **changes}), place)

    return run


@pytest.fixture(scope="session")
def foretold(foretell, segmented, runs):
    assert segmented.path.parent == runs
    return foretell(Place(root=runs))


def test_the_segmentation_is_a_bundle_that_reads_linear_power(segmented, rivers):
    bundle = load_bundle(segmented.file("model"))
    contract = bundle.contract
    assert contract.band_names == ("vv", "vh")
    assert contract.classes == nomenclature("sar")
    assert contract.normalisation.decibels == ((-25.0, 0.0), (-32.0, -5.0))
    assert contract.metrics["iou/water"] > 0.8
    with rasterio.open(Dataset.read(rivers).places[2].frames[0].image) as file:
        seen = Normaliser(contract.normalisation)(file.read())
    said = bundle.model(torch.from_numpy(seen)[None]).argmax(1)[0].numpy()
    with rasterio.open(Dataset.read(rivers).places[2].frames[0].mask) as file:
        truth = file.read(1)
    assert ((said == 0) == (truth == 1)).mean() > 0.9


def test_statistics_are_of_the_decibels_of_training_images_alone(rivers):
    data = Dataset.read(rivers)
    train = data.index.of_split("train")
    rule = decibel_rule(data, train.samples, "test")
    values = []
    for sample in train:
        with rasterio.open(sample.image) as file:
            values.append(np.clip(10 * np.log10(file.read(1)), -25, 0))
    assert rule.mean[0] == pytest.approx(np.mean(values), abs=1e-3)
    assert rule.std[0] == pytest.approx(np.std(values), abs=1e-3)
    assert rule.origin == "test"  # warnings of any language show it


def test_a_bundle_forecasts_and_is_calibrated(foretold, rivers):
    model = open_forecaster(foretold.file("model"))
    assert model.settings.covariates == ("level",)
    assert (model.past, model.future, model.settings.step) == (3, 3, 6.0)
    temperatures = model.bundle.model.head.temperatures
    assert temperatures.shape == (3,)
    assert bool((temperatures != 1).any())
    beliefs = model.bundle.model.head.beliefs
    assert beliefs.shape == (3,)
    assert bool(((beliefs >= 0) & (beliefs <= 1)).all())
    recipe = model.bundle.contract.recipe
    assert recipe["beliefs"] == pytest.approx(beliefs.tolist(), abs=1e-4)
    assert recipe["temperatures"] == pytest.approx(temperatures.tolist(), abs=1e-4)
    assert {"iou", "gain", "miou", "iou/t+3/water"} <= set(model.bundle.contract.metrics)
    frames = np.random.default_rng(0).gamma(4, 0.02, (3, 2, 40, 24)).astype(np.float32)
    told = np.array([[-12, 0], [-6, 0], [0, 0], *[[6 * h, np.nan] for h in (1, 2, 3)]], np.float32)
    answer = model.answer(frames, np.ones((3, 40, 24), bool), told)
    assert answer.coming.shape == (3, 4, 40, 24)
    assert np.allclose(answer.coming.sum(1), 1, atol=1e-5)


def test_its_segmentation_network_stays_as_it_was(foretold, segmented):
    before = load_bundle(segmented.file("model")).model.state_dict()
    after = load_bundle(foretold.file("model")).model.segmenter.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_curves_and_logs_are_kept_where_tensorboard_looks(foretold, segmented):
    for run, scalars in ((foretold, {"validation/iou/t+1/water"}), (segmented, {"validation/iou/water"})):
        (events,) = (run.path / "logs").glob("events.*")
        assert all(name.encode() in events.read_bytes() for name in {"train/loss", *scalars})
        assert (run.path / "curves.png").stat().st_size > 1000
        assert len((run.path / "history.jsonl").read_text().splitlines()) >= 1


@pytest.mark.parametrize("head", ["convlstm", "simvp"])
def test_other_heads_are_trained_by_the_same_command(foretell, segmented, tmp_path, head):
    run = foretell(Place(exact=tmp_path / "run"), head=head, segmentation=str(segmented.path), covariates=())
    assert load_bundle(run.file("model")).contract.settings["head"] == head


def test_a_joint_training_needs_no_segmentation_and_learns_to_segment(foretell, rivers, tmp_path):
    """A segmentation network that stays as it was drawn calls a lake anything; of these pixels 56 % are none."""
    run = foretell(Place(exact=tmp_path / "run"), joint=True, patches=24, epochs=6, rate=0.02, average=0.5)
    bundle = load_bundle(run.file("model"))
    assert isinstance(bundle.model, Forecaster)
    frame = Dataset.read(rivers).places[2].frames[0]
    with rasterio.open(frame.image) as file, rasterio.open(frame.mask) as mask:
        seen, truth = Normaliser(bundle.contract.normalisation)(file.read()), mask.read(1) == 1
    with torch.inference_mode():
        said = bundle.model.explained(torch.from_numpy(seen)[None]).scores.argmax(1)[0].numpy() == 0
    assert 0.4 < truth.mean() < 0.6
    assert (said & truth).sum() / (said | truth).sum() > 0.7


def test_a_joint_training_may_start_from_a_segmentation(foretell, segmented, tmp_path):
    run = foretell(Place(exact=tmp_path / "run"), joint=True, segmentation=str(segmented.path))
    assert load_bundle(run.file("model")).contract.normalisation == (
        load_bundle(segmented.file("model")).contract.normalisation
    )


def test_features_made_once_give_what_the_whole_network_would(segmented, rivers, tmp_path):
    bundle, data = load_bundle(segmented.file("model")), Dataset.read(rivers)
    own = {"architecture": "unet", "network": {"widths": [8, 8, 16]}, "hidden": 4, "layers": 1, "width": 4, "cell": 8}
    settings = ForecasterSettings(**own)
    model = forecaster_on(bundle, settings)
    rule = bundle.contract.normalisation
    sample = sequences_of(data, settings, "val")[0]
    issue = sample.attributes["issue"]
    images = [frame.image for frame in issue.place.frames[: settings.past]]
    made = make_features(bundle, model, images, tmp_path / "features", device="cpu")
    ref = PatchRef(sample, Window(0, 0, 64, 64))
    with SequenceLoader(Source(Normaliser(rule), data.bands), settings, data.classes) as plain:
        seen = plain(ref)
    with SequenceLoader(Source(Normaliser(rule), data.bands, made), settings, data.classes) as ready:
        cached = ready(ref)
    assert np.array_equal(seen.target, cached.target)
    assert np.array_equal(seen.valid, cached.valid)
    with torch.inference_mode():
        fresh = model.see(torch.from_numpy(seen.image)[None])
    parts = cached.image.reshape(3, 6, 64, 64)
    # Half precision on the disk.
    assert np.allclose(parts[:, 4:], fresh.pixels[0], atol=5e-3)
    assert np.allclose(parts[:, :4], fresh.scores[0], atol=2e-2)
    assert np.allclose(cached.features.reshape(3, -1, 8, 8), fresh.features[0], atol=2e-2)
    turned = Augment()(cached, np.random.default_rng(3))
    assert turned.features.shape == cached.features.shape
    again = make_features(bundle, model, images, tmp_path / "features", device="cpu")
    assert np.array_equal(again.of(images[0], "scores"), made.of(images[0], "scores"))


def test_squares_that_reach_outside_are_padded_and_begin_with_a_cell(segmented, rivers, tmp_path):
    bundle, data = load_bundle(segmented.file("model")), Dataset.read(rivers)
    settings = ForecasterSettings(network={"widths": [8, 8, 16]}, hidden=4, layers=1, width=4, cell=8)
    sample = sequences_of(data, settings, "val")[0]
    images = [frame.image for frame in sample.attributes["issue"].place.frames[: settings.past]]
    made = make_features(bundle, forecaster_on(bundle, settings), images, tmp_path / "features", device="cpu")
    rule = standardisation_of(bundle)
    with SequenceLoader(Source(rule, data.bands, made), settings, data.classes) as load:
        patch = load(PatchRef(sample, Window(13, 30, 64, 64)))
    assert patch.image.shape[1:] == (64, 64)
    assert patch.features.shape[1:] == (8, 8)
    assert bool(patch.valid[: 64 - 8, : 64 - 24].all())
    assert not patch.valid[64 - 8 :].any()
    assert bool((patch.target[:, ~patch.valid] == -1).all())


def standardisation_of(bundle):
    return Normaliser(bundle.contract.normalisation)


def test_where_a_past_date_has_no_data_nothing_is_learnt(write_series, tmp_path):
    folder = write_series(tmp_path / "holes", {"a": [9] * 4, "b": [9] * 4}, sides={"a": "train", "b": "val"})
    data = Dataset.read(folder)
    with rasterio.open(data.places[0].frames[1].image, "r+") as file:
        pixels = file.read()
        pixels[:, :5] = np.nan
        file.write(pixels)
    settings = ForecasterSettings()
    rule = decibel_rule(data, data.index.of_split("val").samples, "test")
    with SequenceLoader(Source(Normaliser(rule), data.bands), settings, data.classes) as load:
        patch = load(PatchRef(sequences_of(data, settings, "train")[0], Window(0, 0, 64, 64)))
    assert bool((patch.target[:2, :5] == -1).all())
    assert bool((patch.target[:2, 5:] >= 0).all())
    assert bool((patch.target[2:] == -1).all())  # the series ends


def test_features_of_every_date_are_images(segmented, foretold, rivers, tmp_path):
    for number, model in enumerate((segmented, foretold)):
        run = embed_dataset(
            rivers, model.path, Place(exact=tmp_path / f"features{number}"), FeatureSettings(device="cpu")
        )
        assert len(run.manifest.products) == 24
        with rasterio.open(run.file("pool_2023-03-01")) as file:
            values = file.read()
        side = 16 if number == 0 else 8
        assert values.shape == (16, 64 // side, 64 // side)
        assert bool(np.isfinite(values).all())
        assert values.std() > 0


def test_a_training_goes_on_after_an_interruption_to_the_same_weights(segment, tmp_path, monkeypatch):
    from arpent.engine import training

    whole = segment(Place(exact=tmp_path / "whole"), epochs=2, patches=8)
    keep, count = training._Trainer._end_epoch, []

    def stop(self, *rest):
        keep(self, *rest)
        count.append(1)
        raise KeyboardInterrupt

    from arpent.errors import Interrupted

    monkeypatch.setattr(training._Trainer, "_end_epoch", stop)
    with pytest.raises(Interrupted):
        segment(Place(exact=tmp_path / "part"), epochs=2, patches=8)
    monkeypatch.undo()
    part = segment(Place(exact=tmp_path / "part", resume=True), epochs=2, patches=8)
    assert part.file("model").read_bytes() == whole.file("model").read_bytes()


def test_without_a_segmentation_it_says_what_to_do(foretell, tmp_path):
    with pytest.raises(FileMissing, match="train-segmentation"):
        foretell(Place(root=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_the_last_segmentation_of_this_data_set_is_taken_and_said(foretell, segmented, runs, tmp_path):
    said = []
    foretell(Place(exact=runs / "another", tell=said.append))
    assert any(str(segmented.path) in line for line in said)


def test_models_that_do_not_fit_are_refused(foretell, foretold, segmented, write_series, tmp_path):
    with pytest.raises(BundleInvalid, match="segments no single dates"):
        foretell(Place(exact=tmp_path / "run"), segmentation=str(foretold.path))
    folder = write_series(tmp_path / "other", {"a": [9] * 6, "b": [8] * 6}, sides={"a": "train", "b": "val"})
    facts = json.loads((folder / "dataset.json").read_text())
    facts["classes"] = nomenclature("water").model_dump(mode="json")
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(ContractMismatch, match="its classes"):
        foretell(Place(exact=tmp_path / "run"), dataset=str(folder), segmentation=str(segmented.path))
    with pytest.raises(UnknownName, match="rain"):
        foretell(Place(exact=tmp_path / "run"), covariates=("rain",))
    with pytest.raises(InvalidSetting, match="multiple of 4"):
        foretell(Place(exact=tmp_path / "run"), segmentation=str(segmented.path), cell=6)


def test_too_few_dates_and_no_masks_are_said_in_a_line(segment, foretell, segmented, write_series, tmp_path):
    short = write_series(tmp_path / "short", {"a": [9] * 3, "b": [8] * 3}, sides={"a": "train", "b": "val"})
    with pytest.raises(DatasetError, match="no forecast to learn from") as told:
        foretell(Place(exact=tmp_path / "run"), dataset=str(short), segmentation=str(segmented.path))
    assert "\n" not in str(told.value)
    bare = write_series(
        tmp_path / "bare", {"a": [9] * 3, "b": [8] * 3}, sides={"a": "train", "b": "val"}, unmasked=range(3)
    )
    with pytest.raises(DatasetError, match="no mask to learn from"):
        segment(Place(exact=tmp_path / "run"), dataset=str(bare))
    lone = write_series(tmp_path / "lone", {"a": [9] * 8})
    with pytest.raises(DatasetError, match="one place"):
        segment(Place(exact=tmp_path / "run"), dataset=str(lone))
    assert not (tmp_path / "run").exists()


def test_a_data_set_without_sides_is_shared_out_by_places(segment, write_series, tmp_path):
    folder = write_series(tmp_path / "plain", {"a": [9] * 4, "b": [8] * 4, "c": [7] * 4})
    run = segment(Place(exact=tmp_path / "run"), dataset=str(folder), epochs=1, patches=8)
    assert run.file("model").exists()


def test_a_class_that_no_training_pixel_shows_is_said(segment, write_series, tmp_path):
    folder = write_series(tmp_path / "dry", {"a": [0] * 4, "b": [8] * 4}, sides={"a": "train", "b": "val"})
    run = segment(Place(exact=tmp_path / "run"), dataset=str(folder), epochs=1, patches=8)
    assert any("water" in warning for warning in run.manifest.warnings)


def test_a_loss_that_is_no_number_ends_in_a_line(segment, tmp_path):
    with pytest.raises(LossNotFinite, match="learning rate"):
        segment(Place(exact=tmp_path / "run"), rate=1e38, epochs=3)
    assert not list(tmp_path.glob("run/*.safetensors"))


def test_a_forecast_whose_loss_is_no_number_ends_in_a_line(foretell, segmented, tmp_path):
    with pytest.raises(LossNotFinite, match="learning rate"):
        foretell(Place(exact=tmp_path / "run"), segmentation=str(segmented.path), rate=1e38, epochs=3)
    assert not list(tmp_path.glob("run/*.safetensors"))


def test_sequences_lie_on_the_side_that_is_asked_for(rivers):
    data = Dataset.read(rivers)
    settings = ForecasterSettings()
    assert {sample.domain for sample in sequences_of(data, settings, "train")} == {"ebb", "flow"}
    # By time: what is foretold lies on the side, what was before may not.
    late = [replace(one, split="val" if one.date.month > 3 else "train") for one in data.index]
    timed = replace(data, index=SampleIndex(late))
    for sample in sequences_of(timed, settings, "val"):
        issue = sample.attributes["issue"]
        assert all(issue.place.frames[issue.at + horizon].split == "val" for horizon in issue.horizons)


def test_what_another_side_holds_is_not_learnt(rivers):
    data = Dataset.read(rivers)
    # By time, six dates in March 2023 and two in April: forecasts of March reach into April.
    late = [replace(one, split="val" if one.date.month > 3 else "train") for one in data.index]
    timed, settings = replace(data, index=SampleIndex(late)), ForecasterSettings()
    rule = decibel_rule(timed, sequences_of(timed, settings, "train").samples, "timed")
    sides = {"train": set(), "val": set()}
    with SequenceLoader(Source(Normaliser(rule), timed.bands), settings, timed.classes) as load:
        for side, told in sides.items():
            for sample in sequences_of(timed, settings, side):
                issue = sample.attributes["issue"]
                target = load(PatchRef(sample, Window(0, 0, 64, 64))).target
                seen = [horizon for horizon in range(1, 1 + settings.future) if (target[horizon] >= 0).any()]
                told |= {issue.place.frames[issue.at + horizon].split for horizon in seen}
                assert tuple(seen) == issue.horizons
    assert sides == {"train": {"train"}, "val": {"val"}}


def test_what_lacks_are_masks_where_sides_lack_too(segment, foretell, write_series, tmp_path):
    folder = write_series(tmp_path / "bare", {"a": [20] * 6}, unmasked=range(6))
    bare = Dataset.read(folder)
    Dataset.write(folder, bare.index, bare.facts.model_copy(update={"classes": None}))
    for train in (segment, foretell):
        with pytest.raises(DatasetError, match=r"no masks to learn from.*Put masks beside the images"):
            train(Place(exact=tmp_path / "run"), dataset=str(folder))
