"""Which images a model has learnt from."""

from __future__ import annotations

from pathlib import Path

from arpent.core.bundle import read_contract
from arpent.models.shipped import shipped_bundle
from arpent.store import seen_in_training
from arpent.testing.simulation import RadarSimulation, simulate


def test_a_model_that_comes_with_arpent_has_learnt_from_no_image_of_the_users_own(tmp_path: Path) -> None:
    model = shipped_bundle("forecast-nano")
    assert model is not None
    seed = read_contract(model).recipe["seed"]
    own = tmp_path / "loire" / "S1_20230101_VVVH.tif"
    (lesson,) = simulate(tmp_path / "lessons", RadarSimulation(seed=seed, size=16, dates=1, scenes=1))
    (other,) = simulate(tmp_path / "other", RadarSimulation(seed=seed + 1, size=16, dates=1, scenes=1))
    assert seen_in_training(model, [str(own), str(lesson.image), str(other.image)]) == [str(lesson.image)]


def test_of_a_copy_nobody_knows(tmp_path: Path) -> None:
    model = shipped_bundle("forecast-nano")
    assert model is not None
    copy = tmp_path / model.name
    copy.write_bytes(model.read_bytes())
    assert seen_in_training(copy, ["a.tif"]) is None
