"""Which steps the demo has, and what it trains anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arpent.core.bundle import bundle_header, bundle_sha256, read_contract
from arpent.demo import FAST, Stage
from arpent.demo.course import STEPS, run_course, take_step
from arpent.demo.forecast import foretell_river
from arpent.demo.pictures import label_scenes
from arpent.demo.recipes import recipe_names
from arpent.errors import FileMissing
from arpent.models import shipped as shipping
from arpent.models.shipped import shipped_bundle
from arpent.store import read_manifest
from arpent.tasks.classify.evaluating import CHANCES


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
    told = []
    stage = Stage(tmp_path / "demo", replace(FAST, scenes=32), tell=told.append)
    done = label_scenes(stage, shipped_bundle("classify-nano"))
    assert told == []  # nothing is trained, so that nothing can leak
    assert read_manifest(done.runs[1] / "manifest.json").settings["split"] == "test"
    assert pq.read_metadata(done.runs[1] / CHANCES).num_rows == 32  # all of them judge
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


def _works_with_what_was_made(stage, name, outcome):
    """Says what each run of a step notes of its model: which file, and which bytes."""
    shipped = shipped_bundle(STEPS[name].model)
    made = stage.folder / "models" / shipped.name
    assert bundle_sha256(made) != bundle_sha256(shipped)
    assert read_contract(made).recipe["seed"] == read_contract(shipped).recipe["seed"]
    assert read_contract(made).recipe["made_by"] != read_contract(shipped).recipe["made_by"]  # of a smaller try
    used = [one for one in (read_manifest(run / "manifest.json").bundle for run in outcome.runs) if one is not None]
    assert used, f"no run of {name} says which model it used"
    assert {(Path(one.source), one.sha256) for one in used} == {(bundle_header(made), bundle_sha256(made))}


@pytest.mark.slow
def test_a_step_works_with_the_model_that_its_recipe_has_just_made(tmp_path):
    told = []
    stage = Stage(tmp_path / "demo", replace(FAST, scenes=8), tell=told.append)
    stage.open()
    _works_with_what_was_made(stage, "classify", take_step(stage, "classify", train_all=True, small=True))
    assert "classify-nano is trained anew" in told


SMALLEST = replace(
    FAST, ortho=320, block=20.0, patches=16, epochs=1, labelled=192, tuned=16, tuning=1, mapped=192, pair=96,
    river=64, rivers=1, fields=64, parcels=5, scenes=8,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.faults  # a minute and a half of one core
def test_every_step_works_with_a_model_of_its_own_when_all_is_trained(tmp_path):
    told = []
    stage = Stage(tmp_path / "demo", SMALLEST, tell=told.append)
    course = run_course(stage, train_all=True, small=True)
    assert list(course.outcomes) == ["landcover", *STEPS]
    assert [line for line in told if " is trained anew" in line] == [
        f"{step.model} is trained anew" for step in STEPS.values()
    ]
    for name in STEPS:
        _works_with_what_was_made(stage, name, course.outcomes[name])
    kept = {path.name for path in (stage.folder / "models").iterdir()}
    assert kept == {shipped_bundle(step.model).name for step in STEPS.values()}
