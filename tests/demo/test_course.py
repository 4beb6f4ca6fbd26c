"""Which steps the demo has, and what it trains anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arpent.core.bundle import read_contract
from arpent.demo import FAST, Stage
from arpent.demo.course import steps, trained
from arpent.demo.forecast import foretell_river
from arpent.demo.pictures import label_scenes
from arpent.demo.recipes import recipe_names
from arpent.models.shipped import shipped_bundle
from arpent.store import read_manifest


def test_every_step_is_there_whose_model_comes_with_arpent():
    assert {"change", "forecast", "describe", "classify"} == set(steps())
    assert all(not step.model or shipped_bundle(step.model) for step in steps().values())


def test_pictures_and_captions_together_beat_either(tmp_path):
    stage = Stage(tmp_path / "demo", replace(FAST, scenes=32))
    done = label_scenes(stage, shipped_bundle("classify-nano"))
    assert done.figure.value > done.figure.still > 0.5
    assert done.product.suffix == ".png"
    assert (done.runs[0] / "places.parquet").is_file()  # they lie on the map


def test_the_river_is_foretold_where_the_truth_is_known(tmp_path):
    stage = Stage(tmp_path / "demo", replace(FAST, river=64, rivers=2, dates=9))
    done = foretell_river(stage, shipped_bundle("forecast-nano"))
    assert [round(ours, 6) > 0.3 for ours, _ in done.figure.values] == [True] * 3
    assert done.figure.value == pytest.approx(sum(ours for ours, _ in done.figure.values) / 3)
    names = {path.name for path in done.runs[0].glob("classes_*_t?.tif")}
    assert len(names) == 3
    assert (done.runs[0] / "timeline.json").is_file()
    # The rivers are of a landscape that the model has not learnt from, and nothing says that they might be.
    assert [read_manifest(run / "manifest.json").warnings for run in done.runs] == [(), ()]


def test_every_model_of_the_demo_can_be_trained_anew():
    assert {step.model for step in steps().values() if step.model} <= set(recipe_names())


@pytest.mark.slow
def test_a_model_is_trained_anew_by_its_recipe(tmp_path):
    told = []
    shipped = shipped_bundle("classify-nano")
    made = trained(Stage(tmp_path, tell=told.append), "classify-nano", shipped, small=True)
    assert made == tmp_path / "models" / shipped.name
    assert read_contract(made).recipe["seed"] == read_contract(shipped).recipe["seed"]
    assert told[0] == "classify-nano is trained anew"
