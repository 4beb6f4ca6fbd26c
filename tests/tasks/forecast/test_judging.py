"""Forecasts held against the truth: forecasters that know all, nothing, or only today are told apart."""

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from arpent.core import Window, nomenclature
from arpent.errors import DatasetError
from arpent.io import open_image
from arpent.models.recurrent import ForecasterSettings
from arpent.tasks.forecast.answering import Answered, days_of, open_forecaster
from arpent.tasks.forecast.dataset import Dataset, Frame, Place
from arpent.tasks.forecast.judging import METHODS, issues_of, judge, look
from arpent.tasks.forecast.verdict import plain_words, regime_gains, said_to_stay, verdicts


@dataclass
class Seer:
    """Segments by power and foretells the lake ``knows`` steps of its coming radii; 0 of them is persistence."""

    knows: int = 3
    settings: ForecasterSettings = ForecasterSettings(past=3, future=3)  # noqa: RUF009 - frozen
    classes = nomenclature("sar")
    bands = ("vv", "vh")

    def answer(self, frames, valid, days):
        areas = [(one[0] < 0.015).sum() for one in frames]
        radii = np.sqrt(np.array(areas) / np.pi)
        slope = (radii[-1] - radii[0]) / (days[2, 0] - days[0, 0])
        rows, cols = np.mgrid[: valid.shape[1], : valid.shape[2]]
        water = frames[-1, 0] < 0.015
        middle = [axis[water].mean() for axis in (rows, cols)]
        away = np.hypot(rows - middle[0], cols - middle[1])
        now = self.masked(water)
        coming = [
            self.masked(away < radii[-1] + slope * days[2 + step, 0]) if step <= self.knows else now
            for step in (1, 2, 3)
        ]
        return Answered(now, np.stack(coming))

    def masked(self, water):
        chances = np.zeros((4, *water.shape), np.float32)
        chances[0] = np.where(water, 0.9, 0.05)
        chances[1] = 1 - chances[0]
        return chances


@pytest.fixture(scope="module")
def places(lakes):
    return Dataset.read(lakes).places


@pytest.fixture(scope="module")
def many(write_series, tmp_path_factory):
    """Six places that shrink or grow, each at a pace of its own."""
    courses = {"a": (24, -1), "b": (12, 1), "c": (26, -1), "d": (11, 1), "e": (25, -1), "f": (13, 1)}
    folder = tmp_path_factory.mktemp("many")
    radii = {name: [first + pace * at for at in range(7)] for name, (first, pace) in courses.items()}
    return Dataset.read(write_series(folder, radii)).places


def judged(model, places, **more):
    return judge(model, issues_of(places, model.settings), **more)


def test_a_seer_beats_persistence_and_is_praised(many):
    found = judged(Seer(), many)
    assert [one.beats for one in verdicts(found)] == [True] * 3
    gains = [one.gain for one in verdicts(found)]
    assert gains[2] > gains[1] > gains[0] > 0.02
    assert [one.places for one in verdicts(found)] == [6] * 3
    assert all(one.interval.low > 0 and one.interval.low < one.gain < one.interval.high for one in verdicts(found))
    (words,) = plain_words(found, "en")
    assert words.startswith("The model beats persistence at every horizon, on 6 places: t+1 (6 days) +0.")
    assert found.tallies["model"].scores()[2].changed_accuracy > 0.8
    assert found.tallies["persistence"].scores()[2].changed_accuracy == 0


def test_one_who_only_sees_today_is_told_off_in_both_languages(places):
    found = judged(Seer(knows=0), places)
    assert not any(one.beats for one in verdicts(found))
    assert "does not beat persistence at any horizon" in plain_words(found, "en")[0]
    assert "ne fait mieux que la persistance à aucune échéance" in plain_words(found, "fr")[0]


def test_what_one_place_or_three_unlike_ones_show_is_called_too_little(places, many):
    """A seer is a seer, but nobody could know it from one river."""
    one = judged(Seer(), many[:1])
    assert [(verdict.beats, verdict.unsure, verdict.interval) for verdict in verdicts(one)] == [(False, True, None)] * 3
    (words,) = plain_words(one, "en")
    assert words.startswith("It is ahead of persistence at t+1 (6 days) +0.")
    assert words.endswith("but 1 place is too few to tell whether it would be elsewhere: judge it on more.")
    assert "1 lieu ne suffit pas à dire" in plain_words(one, "fr")[0]
    two = judged(Seer(), places)  # one of them stays as it is
    assert all(verdict.unsure and verdict.interval.low < 0 for verdict in verdicts(two))
    blocks = [replace(places[0], name=f"ebb@0,{col}", window=Window(0, col, 64, 32)) for col in (0, 32)]
    assert [verdict.places for verdict in verdicts(judged(Seer(knows=0), blocks))] == [1] * 3


def test_a_gain_of_a_thousandth_is_none(many):
    verdict = verdicts(judged(Seer(), many))[0]
    assert verdict.beats
    slight = replace(verdict, skill=verdict.still + 0.001, interval=replace(verdict.interval, low=0.0005))
    assert not slight.beats
    assert not slight.unsure


def test_one_who_sees_a_step_ahead_is_praised_for_that_alone(many):
    words = plain_words(judged(Seer(knows=1), many), "en")[0]
    assert words.startswith("The model beats persistence on 6 places at t+1 (6 days) +0.")
    assert "does not beat persistence at t+2 (12 days) " in words


def test_one_who_moves_what_stays_is_said_to_harm_steady_scenes(places):
    class Restless(Seer):
        def answer(self, frames, valid, days):
            said = super().answer(frames, valid, days)
            still = abs((frames[0, 0] < 0.015).sum() - (frames[-1, 0] < 0.015).sum()) < 8
            return replace(said, coming=np.roll(said.coming, 4, axis=-1)) if still else said

    words = plain_words(judged(Restless(), places), "en")
    assert any(line.startswith("It harms steady scenes: worse than persistence, t+1") for line in words)


def test_forecasts_that_say_that_a_scene_stays_are_judged_apart_from_those_of_scenes_that_do(places):
    """A seer says it of the lake that stays alone; one who keeps all lakes as they are says it of all."""
    seen = said_to_stay(judged(Seer(), places))
    assert [one.forecasts for one in seen] == [7, 6, 5]
    still = judged(Seer(knows=0), places)
    kept = said_to_stay(still)
    assert [one.forecasts for one in kept] == [21, 18, 15]
    assert [one.gain for one in kept] == pytest.approx([one.gain for one in verdicts(still)])

    class Flooding(Seer):
        def answer(self, frames, valid, days):
            said = super().answer(frames, valid, days)
            return replace(said, coming=np.stack([self.masked(np.ones(valid.shape[1:], bool))] * 3))

    assert said_to_stay(judged(Flooding(), places)) == (None, None, None)


def test_places_show_the_regimes_they_were_made_for(places):
    found = judged(Seer(), places)
    gains = regime_gains(found)
    assert all(one is not None and one.gain > 0.02 for one in (*gains["rising"], *gains["falling"]))
    shares = found.tallies["model"].shares(3)
    here = {name: one.regime for name, one in shares.items()}
    assert {regime for name, regime in here.items() if name.startswith("pond")} == {"steady"}
    assert {regime for name, regime in here.items() if name.startswith("ebb")} == {"falling"}


def test_squares_and_whole_images_count_alike(places):
    # A seer by pixels: what is water in the last image; so that the size of squares cannot matter.
    class Still(Seer):
        def answer(self, frames, valid, days):
            now = self.masked(frames[-1, 0] < 0.015)
            return Answered(now, np.stack([now] * 3))

    issues = issues_of(places, Still().settings)[::6]
    whole, cut = judge(Still(), issues), judge(Still(), issues, patch=40)
    for method in METHODS:
        for one, other in zip(whole.tallies[method].scores(), cut.tallies[method].scores(), strict=True):
            assert one.summary() == pytest.approx(other.summary(), rel=1e-6)


def test_squares_are_answered_for_with_what_is_around_them(places):
    """A model that looks 9 pixels around itself says the same of squares, and of blocks, as of the whole image."""

    class Wide(Seer):
        def answer(self, frames, valid, days):
            water = frames[-1, 0] < 0.015
            now = self.masked(sum(np.roll(water, by, axis) for by in (-9, 9) for axis in (0, 1)) > 1)
            return Answered(now, np.stack([now] * 3))

    issues = [one for one in issues_of(places, Wide().settings) if one.at == 4]
    whole, cut = judge(Wide(), issues), judge(Wide(), issues, patch=16)
    assert [one.iou for one in whole.tallies["model"].scores()] == [one.iou for one in cut.tallies["model"].scores()]
    block = Window(10, 20, 24, 30)
    inner = replace(places[0], window=block)
    issue = replace(next(one for one in issues if one.place == places[0]), place=inner)
    alone, all_of_it = look(Wide(), issue, block), look(Wide(), issue, Window(0, 0, 64, 64))
    np.testing.assert_array_equal(alone.said["model"][1].mask, all_of_it.said["model"][1].mask[block.slices])
    assert alone.past.grid == all_of_it.past.grid.crop(block)


def test_who_holds_that_nothing_changes_is_as_cautious_as_the_model(small_forecaster, places):
    """Two forecasts that say the same, one of them calibrated, are not told apart by the Brier score."""
    model = open_forecaster(small_forecaster())
    with torch.no_grad():
        for tensor in model.bundle.model.head.core.parameters():
            tensor.zero_()
        model.bundle.model.head.temperatures.copy_(torch.tensor([1.0, 2.0, 4.0]))
    found = judged(model, places[:1])
    model_says, kept = (found.tallies[method].scores() for method in ("model", "predicted"))
    assert [one.brier for one in kept] == pytest.approx([one.brier for one in model_says], rel=1e-4)
    assert len({round(one.brier, 4) for one in kept}) == 3


def test_only_dates_of_the_side_are_foretold(write_series, tmp_path):
    folder = write_series(tmp_path / "one", {"a": [20] * 8}, sides={"a": "train"})
    place = Dataset.read(folder).places[0]
    frames = tuple(replace(one, split="test" if at >= 6 else "train") for at, one in enumerate(place.frames))
    place = Place(place.name, frames)
    found = issues_of([place], ForecasterSettings(), "test")
    assert [(issue.at, issue.horizons) for issue in found] == [(3, (3,)), (4, (2, 3)), (5, (1, 2)), (6, (1,))]
    assert issues_of([place], ForecasterSettings(), "val") == ()


def test_dates_without_truth_are_passed_over(write_series, tmp_path):
    folder = write_series(tmp_path / "gaps", {"a": [20] * 7}, unmasked=(1, 4))
    found = issues_of(Dataset.read(folder).places, ForecasterSettings())
    assert [(issue.at, issue.horizons) for issue in found] == [(2, (1, 3)), (3, (2, 3)), (5, (1,))]
    counted = judge(Seer(), found)
    assert counted.ahead == {1: (6, 6), 2: (12, 12), 3: (18, 18)}


def test_nothing_to_judge_is_said():
    with pytest.raises(DatasetError, match="no forecast of this data set can be judged"):
        judge(Seer(), ())


def test_pixels_that_a_past_date_lacks_do_not_count(places):
    class Blind(Seer):
        def answer(self, frames, valid, days):
            assert valid.shape == (3, 64, 64)  # with what is around it
            return super().answer(frames, valid, days)

    issue = issues_of(places, ForecasterSettings())[0]
    square = Window(16, 16, 32, 32)
    sight = look(Blind(), issue, square)
    with open_image(issue.place.frames[issue.at].mask) as reader:
        expected = reader.read(square).pixels[0].astype(int) - 1
    np.testing.assert_array_equal(sight.before, expected)
    assert sight.said["linear"][3].mask.shape == (32, 32)


def test_networks_are_told_days_and_what_is_known_ahead_alone():
    day = dt.date(2023, 3, 1)
    frames = [Frame(day + dt.timedelta(days=n), "", None, {"rain": 1.0 + n, "level": 5.0}) for n in (0, 6, 18, 24)]
    settings = ForecasterSettings(past=3, future=2, covariates=("rain", "level"), ahead=("rain",))
    told = days_of(frames[:3], [frames[3], day + dt.timedelta(days=30)], settings)
    np.testing.assert_array_equal(
        told,
        np.array(
            [[-18, 1, 5], [-12, 7, 5], [0, 19, 5], [6, 25, np.nan], [12, np.nan, np.nan]],
            np.float32,
        ),
    )
