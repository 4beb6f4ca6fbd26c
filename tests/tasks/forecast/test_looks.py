"""Images that a model is asked about are filtered by the looks of its training."""

import shutil
from dataclasses import replace

import pytest
import rasterio

from arpent.models import load_bundle
from arpent.pixels import SpeckleFilter
from arpent.store import Place
from arpent.tasks.forecast.asked_series import as_dataset
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.predict_settings import ForetellSettings


@pytest.fixture
def asked(lakes, small_forecaster, tmp_path):
    """What becomes of the first image of a lake, and the image, for a model of a certain training."""
    folder = tmp_path / "raw"
    folder.mkdir()
    first = Dataset.read(lakes).places[0].frames[0]
    shutil.copy(first.image, folder / f"image_{first.date}.tif")
    bundle = load_bundle(small_forecaster())

    def ask(**how):
        recipe = {"filter": "lee", "filter_settings": {"window": 5, "enl": "auto", "damping": None, **how}}
        model = replace(bundle, contract=bundle.contract.model_copy(update={"recipe": recipe}))
        with Place(exact=tmp_path / "run", force=True).begin("forecast-predict", "raw", {}, [str(folder)]) as run:
            made = as_dataset(folder, run, model, ForetellSettings(), None)
            with rasterio.open(made.places[0].frames[0].image) as after, rasterio.open(first.image) as before:
                pair = before.read(), after.read()
            run.finish()
        return made.facts.filter_settings["looks"], *pair

    return ask


def test_looks_of_the_training_are_those_of_the_series(asked):
    looks, before, after = asked(looks={"vv": 3.0, "vh": 2.0})
    assert looks == {"vv": 3.0, "vh": 2.0}
    for band, number in enumerate((3.0, 2.0)):
        assert after[band].tobytes() == SpeckleFilter("lee", 5, number)(before[band]).tobytes()


@pytest.mark.parametrize("known", [{}, {"looks": {"vv": 3.0}}, {"looks": {"vv": -1, "vh": "many"}}, {"looks": 4.4}])
def test_bundles_that_do_not_know_their_looks_have_them_measured(asked, known):
    assert asked(**known)[0] == {"vv": 1.0, "vh": 1.0}  # a small lake among fields; no radar has fewer
