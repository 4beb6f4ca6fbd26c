"""Branches and fusions trained and compared in one go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arpent.engine.training import _Trainer
from arpent.errors import DatasetError, EmptySplit, Interrupted, InvalidSetting
from arpent.store import Place
from arpent.tasks.classify.ablate_settings import AblateSettings
from arpent.tasks.classify.ablating import ablate_labellers
from arpent.tasks.classify.comparison import FUSED, WAYS
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.train_settings import ClassifyTrainSettings


@pytest.fixture
def training(tmp_path: Path) -> ClassifyTrainSettings:
    return ClassifyTrainSettings(
        image_encoder="mobilenetv2_035", pretrained="random", side=32, epochs=1, features=str(tmp_path / "features")
    )


def test_every_way_is_trained_with_every_seed_and_judged_under_every_condition(
    red_or_striped: Path, training: ClassifyTrainSettings, tmp_path: Path
) -> None:
    settings = AblateSettings(seeds=2, training=training, draws=20)
    done = ablate_labellers(red_or_striped, Place(exact=tmp_path / "run"), settings)
    assert set(done.views) == {"open", "masked"}
    for one in done.views.values():
        assert {way: len(own) for way, own in one.answers.items()} == dict.fromkeys(WAYS, 2)
        assert {way for way, condition in one.reached if condition == "image_absent"} == {*FUSED, "text"}
        assert one.chosen in FUSED
    shared = [one.reached["image", "complete"] for one in done.views.values()]
    assert shared[0] == shared[1], "what looks at pictures is the same whatever captions say"
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    assert len(figures["views"]["open"]["ways"]["late"]["complete"]["map_by_seed"]) == 2
    table = (tmp_path / "run" / "table.csv").read_text("utf-8").splitlines()
    assert len(table) == 1 + 2 * 13
    report = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert all(word in report for word in done.words)
    assert not (tmp_path / "run" / ".scratch").exists()


def test_an_ablation_that_was_stopped_goes_on_to_the_same_figures(
    red_or_striped: Path, training: ClassifyTrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = AblateSettings(seeds=1, captions="open", training=training, draws=20)
    whole = ablate_labellers(red_or_striped, Place(exact=tmp_path / "whole"), settings)
    epochs, end = [], _Trainer._end_epoch

    def stopped(self: _Trainer, *given: Any) -> None:
        end(self, *given)
        epochs.append(1)
        if len(epochs) == 18:  # the image's 15 are done, and 3 of the caption's 7
            raise KeyboardInterrupt

    monkeypatch.setattr(_Trainer, "_end_epoch", stopped)
    with pytest.raises(Interrupted):
        ablate_labellers(red_or_striped, Place(exact=tmp_path / "run"), settings)
    assert not (tmp_path / "run" / "manifest.json").exists()
    resumed = Place(exact=tmp_path / "run", resume=True)
    with pytest.raises(InvalidSetting, match="other settings"):
        ablate_labellers(red_or_striped, resumed, settings.model_copy(update={"seeds": 2}))
    again = ablate_labellers(red_or_striped, resumed, settings)
    assert len(epochs) == 15 + 7 + 3, "no epoch that was finished is made again"
    assert again.run.file("metrics").read_bytes() == whole.run.file("metrics").read_bytes()


def test_without_a_test_split_nothing_is_trained(
    red_or_striped: Path, training: ClassifyTrainSettings, tmp_path: Path
) -> None:
    poor = tmp_path / "poor"
    poor.mkdir()
    dataset = Dataset.read(red_or_striped)
    facts = dataset.facts.model_copy(update={"root": str(red_or_striped.parent / "pictures")})
    Dataset.write(poor, facts, [one for one in dataset.pictures if one.split != "test"])
    with pytest.raises((EmptySplit, DatasetError), match="test"):
        ablate_labellers(poor, Place(exact=tmp_path / "run"), AblateSettings(training=training))
    assert not (tmp_path / "run").exists()
