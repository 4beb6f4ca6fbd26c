"""Evaluations as run folders, in both languages, and what the command line tells of them."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from arpent.cli.app import main
from arpent.errors import BundleInvalid, ContractMismatch, DatasetError, EmptySplit
from arpent.models import build, load_bundle, save_bundle
from arpent.models.recurrent import Forecaster
from arpent.store import Place
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.evaluate_settings import EvaluateSettings
from arpent.tasks.forecast.evaluation import evaluate


@pytest.fixture(scope="module")
def bundle(small_forecaster):
    return small_forecaster()


@pytest.fixture(scope="module")
def two_lakes(write_series, tmp_path_factory):
    """A lake to learn from, and one to be judged by that shrinks."""
    courses = {"ebb": [24 - at for at in range(7)], "flow": [12 + at for at in range(4)]}
    return write_series(tmp_path_factory.mktemp("two"), courses, sides={"ebb": "test", "flow": "train"})


@pytest.fixture(scope="module")
def done(two_lakes, bundle, tmp_path_factory):
    where = Place(exact=tmp_path_factory.mktemp("done") / "run")
    return evaluate(two_lakes, bundle, where, EvaluateSettings(language="fr", examples=1))


def test_a_model_that_does_not_beat_persistence_is_told_so_in_plain_words(done):
    assert done.side == "test"
    assert done.words[0].startswith("Ce modèle ne fait mieux que la persistance à aucune échéance")
    page = done.run.file("report").read_text("utf-8")
    assert done.words[0] in page
    assert '<html lang="fr"' in page
    scores = json.loads(done.run.file("scores").read_text())
    assert [one["beats_persistence"] for one in scores["verdicts"]] == [False] * 3
    assert scores["words"] == list(done.words)


def test_covariates_that_are_missing_are_said_in_its_language(two_lakes, small_forecaster, tmp_path):
    model, wanted = small_forecaster(covariates=["rain"]), EvaluateSettings(language="fr", examples=0)
    told = evaluate(two_lakes, model, Place(exact=tmp_path / "run"), wanted).run.manifest.warnings
    assert [one for one in told if one.startswith("attention : le modèle a appris de rain, que ebb ne donne pas")]


def test_scores_of_a_model_that_is_told_the_weather_to_come_are_said_to_be_so(two_lakes, small_forecaster, tmp_path):
    model = small_forecaster(covariates=["rain", "level"], ahead=["rain"])
    run = evaluate(two_lakes, model, Place(exact=tmp_path / "run"), EvaluateSettings(examples=0)).run
    assert any("is told rain of the coming dates as the data set has them" in one for one in run.manifest.warnings)
    assert "The model was told rain of the coming dates as the data set has them" in run.file("report").read_text(
        "utf-8"
    )


def test_a_model_that_is_judged_by_what_it_has_learnt_from_is_said_to_be_flattered(two_lakes, bundle, tmp_path):
    """As landcover's evaluation says it; what is set apart to judge by is not doubted, though its files be the same."""

    def told(model, split, name):
        wanted = EvaluateSettings(examples=0, split=split)
        run = evaluate(two_lakes, model, Place(exact=tmp_path / name), wanted).run
        page = run.file("report").read_text("utf-8")
        doubts = [one for one in run.manifest.warnings if "flatter" in one]
        assert page.count("flatter") == len(doubts)
        return doubts

    with Place(exact=tmp_path / "trained").begin("forecast-train", "t", {}) as run:
        for sample in Dataset.read(two_lakes).index:
            run.add_input(sample.image, role="image")
        model = run.publish(Path(shutil.copy(bundle, run.scratch / "model.safetensors")), kind="model").file
        run.finish()
    (was,) = told(tmp_path / "trained" / model, "all", "seen")
    assert was.startswith("warning: the model was trained on 1 of the 1 images whose truth judges it")
    (may,) = told(bundle, "all", "unknown")
    assert may.startswith("warning: nothing sets 1 of the images that judge the model apart from training")
    assert told(tmp_path / "trained" / model, "test", "apart") == []


def test_images_of_another_filter_than_that_of_training_are_told_on_the_page_too(two_lakes, bundle, tmp_path):
    found = load_bundle(bundle)
    contract = found.contract.model_copy(update={"recipe": {"filter": "gamma_map", "filter_settings": {"window": 5}}})
    model = save_bundle(tmp_path / "model.safetensors", found.model, contract)
    run = evaluate(two_lakes, model, Place(exact=tmp_path / "run"), EvaluateSettings(examples=0)).run
    assert [one for one in run.manifest.warnings if "'--filter gamma_map --window 5'" in one]
    assert "gamma_map" in run.file("report").read_text("utf-8")


def test_all_baselines_and_measures_are_there_by_horizon_and_regime(done):
    scores = json.loads(done.run.file("scores").read_text())
    assert set(scores["methods"]) == {"model", "predicted", "persistence", "linear", "climatology"}
    for method in scores["methods"].values():
        assert [one["horizon"] for one in method["horizons"]] == [1, 2, 3]
        assert set(method["regimes"]) == {"rising", "falling", "steady"}
        for one in method["horizons"]:
            assert {"iou", "f1", "accuracy", "changed_accuracy", "brier", "fraction_rmse"} <= set(one)
            assert set(one["classes"]) == {"water", "vegetation", "built", "other"}
    assert scores["methods"]["persistence"]["regimes"]["falling"][0]["forecasts"] == 4
    assert scores["days_ahead"] == {"1": [6, 6], "2": [12, 12], "3": [18, 18]}
    assert all(0 <= error <= 1 for error in scores["ece"])
    metrics = done.run.manifest.metrics
    assert metrics["gain/t+2"] == pytest.approx(scores["verdicts"][1]["gain"])
    names = {product.name for product in done.run.manifest.products}
    assert {"scores", "report", "skill", "course", "reliability", "example_1"} == names


def test_what_the_command_line_prints(two_lakes, bundle, tmp_path, capsys):
    words = ["forecast", "evaluate", str(two_lakes), "--model", str(bundle), "-o", str(tmp_path / "run")]
    assert main([*words, "--examples", "0"]) == 0
    told = capsys.readouterr()
    assert "does not beat persistence at any horizon" in told.out
    assert "climatology" in told.out
    assert "3 places" not in told.err
    assert main([*words, "--force", "--json", "--examples", "0"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdicts"][0]["beats_persistence"] is False
    assert document["report"].endswith("report.html")


def test_a_head_that_answers_nothing_is_persistence_and_does_not_beat_it(two_lakes, bundle, bundle_of, tmp_path):
    """With every weight of its head zero a forecaster says what it sees today, whatever it sees."""
    sizes = {"network": {"widths": [4, 8]}, "hidden": 8, "layers": 1, "width": 4, "cell": 8}
    model = build("forecaster", sizes)
    assert isinstance(model, Forecaster)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.zero_()
    found = bundle_of(model, "forecaster", sizes, "forecast")
    path = save_bundle(tmp_path / "zero.safetensors", found.model, found.contract)
    done = evaluate(two_lakes, path, Place(exact=tmp_path / "run"), EvaluateSettings(examples=0))
    ours, still = (done.judged.tallies[name].scores() for name in ("model", "predicted"))
    assert [one.iou for one in ours] == pytest.approx([one.iou for one in still], nan_ok=True)
    assert done.words == (
        "This model does not beat persistence at any horizon: the last map, kept as it is, says as much of the coming "
        "dates. Do not use it to forecast.",
    )


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [({"split": "val"}, DatasetError, "no forecast of this data set can be judged")],
)
def test_what_cannot_be_judged_is_said_and_leaves_nothing(two_lakes, bundle, tmp_path, more, error, words):
    with pytest.raises((error, EmptySplit), match=words):
        evaluate(two_lakes, bundle, Place(exact=tmp_path / "run"), EvaluateSettings(**more))
    assert not (tmp_path / "run").exists()


def test_models_of_other_kinds_and_classes_are_refused(two_lakes, bundle_of, tmp_path):
    sizes = {"channels": 2, "classes": 4, "widths": [4, 8]}
    other = bundle_of(build("unet", sizes), "unet", sizes, "forecast")
    path = save_bundle(tmp_path / "unet.safetensors", other.model, other.contract)
    with pytest.raises(BundleInvalid, match="no forecasting model"):
        evaluate(two_lakes, path, Place(exact=tmp_path / "run"), EvaluateSettings())
    sizes = {"network": {"widths": [4, 8]}, "hidden": 8, "layers": 1, "width": 4, "cell": 8, "classes": 2}
    found = bundle_of(build("forecaster", sizes), "forecaster", sizes, "forecast")
    classes = found.contract.classes.keep([1, 2], "two")
    path = save_bundle(
        tmp_path / "two.safetensors", found.model, found.contract.model_copy(update={"classes": classes})
    )
    with pytest.raises(ContractMismatch, match="name different classes"):
        evaluate(two_lakes, path, Place(exact=tmp_path / "run"), EvaluateSettings())
