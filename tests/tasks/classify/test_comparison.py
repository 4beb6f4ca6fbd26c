"""What is said of branches and fusions, on chances whose goodness is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from arpent.errors import DatasetError
from arpent.language import LANGUAGES
from arpent.tasks.classify.ablation_page import ablation_rows, ablation_words, draw_ablation, write_ablation_page
from arpent.tasks.classify.comparison import WAYS, Comparison
from arpent.tasks.classify.evaluation_page import About, draw_evaluation, plain_words, write_evaluation_page
from arpent.tasks.classify.judging import CONDITIONS, Answers, Judge

NAMES = ("airplane", "bare soil", "cars", "dock")


@pytest.fixture
def judge() -> Judge:
    truth = (np.random.default_rng(0).random((80, 4)) < 0.35).astype(np.uint8)
    return Judge(truth, NAMES, draws=60)


def chances(truth: NDArray[np.uint8], skill: float, seed: int) -> NDArray[np.float64]:
    """The more skill, the nearer the truth."""
    noise = np.random.default_rng(seed).random(truth.shape)
    return np.clip(skill * truth + (1 - skill) * noise, 0, 1)


def answers(truth: NDArray[np.uint8], skill: float, seeds: int = 2, absent: float = 0.2) -> list[Answers]:
    skills = dict(zip(CONDITIONS, (skill, absent, absent), strict=True))
    return [
        Answers(
            {name: chances(truth, own, 10 * n + place) for place, (name, own) in enumerate(skills.items())},
            dict.fromkeys(CONDITIONS, np.full(truth.shape, 0.5)),
        )
        for n in range(seeds)
    ]


def comparison(judge: Judge, fusion: float, fresh: slice = slice(0, 50)) -> Comparison:
    told = {"image": 0.2, "text": 0.3, "concat": fusion, "gated": fusion, "late": fusion}
    found = {way: answers(judge.truth, skill) for way, skill in told.items()}
    missing = {"image": "image_absent", "text": "text_absent"}
    for way, condition in missing.items():
        found[way] = [
            Answers({name: one for name, one in own.chances.items() if name != condition}, own.thresholds)
            for own in found[way]
        ]
    new = np.zeros(80, bool)
    new[fresh] = True
    return Comparison(judge, found, new, "gated")


def test_seeds_are_averaged_and_pictures_drawn_alike(judge: Judge) -> None:
    runs = answers(judge.truth, 0.3, seeds=3)
    reached = judge.reached(runs, "complete")
    alone = [judge.reached([one], "complete").mean("map") for one in runs]
    assert reached.mean("map") == pytest.approx(np.mean(alone))
    assert reached.spread("map") == pytest.approx(np.std(alone))
    assert reached.mean_average_precision.value == pytest.approx(np.mean(alone))
    assert reached.mean_average_precision.low < np.mean(alone) < reached.mean_average_precision.high
    nothing = judge.gain((runs, "complete"), (runs, "complete"))
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0), "equal answers differ in no draw"
    with pytest.raises(DatasetError, match="no picture"):
        judge.among(np.zeros(80, bool)).reached(runs, "complete")


@pytest.mark.parametrize(("fusion", "key"), [(0.45, "fusing pays"), (0.3, "NO GAIN"), (0.1, "FUSING COSTS")])
def test_the_verdict_says_what_the_figures_say(judge: Judge, fusion: float, key: str) -> None:
    one = comparison(judge, fusion)
    assert one.best_single == "text"
    assert one.pays == (fusion == 0.45)
    said = ablation_words({"open": one}, "en")
    assert key in said[0]
    assert "the caption alone" in said[0]


def test_an_absence_is_held_against_the_branch_of_what_is_left(judge: Judge) -> None:
    one = comparison(judge, 0.45)
    expected = one.reached["gated", "text_absent"].mean("map") - one.reached["image", "text_absent"].mean("map")
    assert one.costs["gated", "text_absent"].value == pytest.approx(expected)
    assert ("image", "image_absent") not in one.reached
    rows = ablation_rows({"open": one, "masked": one}, "en")
    assert len(rows) == 2 * (2 + 2 + 9)
    assert [row[3] is None for row in rows[:4]] == [True] * 4, "a branch has no gain over itself"


def test_new_sentences_are_counted_apart_where_there_are_old_ones(judge: Judge) -> None:
    one = comparison(judge, 0.45)
    assert set(one.unseen) == set(WAYS)
    assert one.unseen["late"].scores[0].images == 50
    assert comparison(judge, 0.45, slice(0, 80)).unseen == {}
    assert comparison(judge, 0.45, slice(0, 0)).unseen == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_stand_alone_and_say_their_cautions(judge: Judge, language: str, tmp_path) -> None:
    views = {"open": comparison(judge, 0.45), "masked": comparison(judge, 0.3)}
    about = About(ablation_words(views, language), ("THE LABELS LEAK",), 60, "made by Arpent")
    drawn = draw_ablation(views, tmp_path, language)
    page = write_ablation_page(tmp_path / "a.html", views, drawn, about=about, language=language).read_text("utf-8")
    assert "THE LABELS LEAK" in page and page.count("data:image/png") == 2
    own = {condition: judge.reached(answers(judge.truth, 0.7, 1), condition) for condition in CONDITIONS}
    told = About(plain_words(own, None, language), (), 60)
    pictures = draw_evaluation(answers(judge.truth, 0.7, 1)[0], judge, own, tmp_path, language)
    page = write_evaluation_page(tmp_path / "e.html", own, own["complete"], pictures, about=told, language=language)
    text = page.read_text("utf-8")
    assert text.count("data:image/png") == 3
    assert all(name in text for name in NAMES)
    assert ("THE LABELS LEAK" in text) is False
