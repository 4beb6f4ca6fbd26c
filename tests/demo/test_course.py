"""Which steps the demo has, and what it trains anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arpent.core.bundle import read_contract
from arpent.demo import FAST, Stage
from arpent.demo.course import STEPS, run_course, trained
from arpent.demo.forecast import foretell_river
from arpent.demo.pictures import label_scenes
from arpent.demo.recipes import recipe_names
from arpent.errors import FileMissing
from arpent.models import shipped as shipping
from arpent.models.shipped import shipped_bundle
from arpent.store import read_manifest


def test_every_step_has_a_model_that_comes_with_arpent():
    assert {"change", "forecast", "describe", "classify"} == set(STEPS)
    assert all(shipped_bundle(step.model) for step in STEPS.values())


def test_a_model_that_is_not_there_is_told_before_anything_is_done(tmp_path, monkeypatch):
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name in ("change-nano", "forecast-nano", "describe-nano"):
        (bundles / shipped_bundle(name).name).symlink_to(shipped_bundle(name))
    monkeypatch.setattr(shipping, "_FOLDER", bundles)
    with pytest.raises(FileMissing, match=r"classify-nano, which comes with Arpent, is not there.*Install"):
        run_course(Stage(tmp_path / "demo"))
    assert not (tmp_path / "demo").exists()


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
    assert {step.model for step in STEPS.values()} <= set(recipe_names())


@pytest.mark.slow
def test_a_model_is_trained_anew_by_its_recipe(tmp_path):
    told = []
    shipped = shipped_bundle("classify-nano")
    made = trained(Stage(tmp_path, tell=told.append), "classify-nano", shipped, small=True)
    assert made == tmp_path / "models" / shipped.name
    assert read_contract(made).recipe["seed"] == read_contract(shipped).recipe["seed"]
    assert told[0] == "classify-nano is trained anew"
