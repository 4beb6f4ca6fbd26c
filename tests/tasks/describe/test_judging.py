"""Baselines, swapped images and verdicts: what is known to be good or useless must come out so."""

import dataclasses
import random
from datetime import date

import numpy as np
import pytest

from arpent.errors import DatasetError
from arpent.language import Measured
from arpent.language.grammar import compose, text
from arpent.tasks.describe.baselines import LinearProbe, constant_facts, nearest_facts, probed_facts
from arpent.tasks.describe.counterfactual_pairs import SCALES, followed
from arpent.tasks.describe.judging import Item, Training, judge, pairs_of, split_of
from arpent.tasks.describe.targets import reached, repair_rate
from arpent.tasks.describe.verdict import dependence, failed, plain_words

INDICES = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE")
TRAINING_DAY, LATER = date(2021, 6, 26), date(2022, 6, 1)


def parcel(number, day=TRAINING_DAY, place="Boadella"):
    """A parcel whose facts are all different from its neighbours'."""
    rng = random.Random(f"{number} {day}")
    green = rng.random()
    values = (0.1 + 0.75 * green, -0.25 + 0.6 * green, 0.05 + 0.5 * green, 0.2 - 0.4 * green, 0.05 + 0.5 * green)
    indices = {name: value + rng.uniform(-0.08, 0.08) for name, value in zip(INDICES, values, strict=True)}
    soil = 0.9 - 0.85 * green
    shares = {"soil": soil, "vegetation": 0.98 - soil}
    return Measured(f"P{number}", indices, shares, taken=day, place=place)


TRAINING = [parcel(number) for number in range(40)]
HELD_OUT = [parcel(number, LATER) for number in range(16)]


def vector(measured, noise=0.0):
    """An embedding that holds the facts, turned and mixed."""
    facts = np.array([*measured.indices.values(), measured.shares["soil"], 1.0])
    rng = np.random.default_rng(7)
    mixed = facts @ rng.normal(size=(facts.size, 32))
    return mixed + noise * np.random.default_rng(hash(measured.parcel) % 1000).normal(size=32)


def items(facts=HELD_OUT, write=None, **own):
    write = write or (lambda one, language, place: text(compose(one, language, seed=place)))
    return [
        Item(
            write(one, language, place),
            language,
            one,
            split_of(one, TRAINING),
            f"image {one.taken}",
            vector=vector(one),
            sentences=5,
            **own,
        )
        for place, one in enumerate(facts)
        for language in ("en", "fr")
    ]


def training():
    return Training(TRAINING, np.stack([vector(one) for one in TRAINING]))


@pytest.fixture(scope="module")
def faithful():
    return judge(items(), training())


@pytest.fixture(scope="module")
def blindfold():
    """Texts that always say the same."""
    constant = constant_facts(TRAINING)
    return judge(items(write=lambda one, language, place: text(compose(constant, language))), training())


def hit(judged, method, split=None):
    return judged.tallies[method].scores(split, draws=1)["hit05"]


def test_the_oracle_has_full_marks_and_the_others_less(faithful):
    assert hit(faithful, "oracle") == hit(faithful, "model") == 1
    assert hit(faithful, "constant") < 0.5
    assert hit(faithful, "permuted") < 0.5
    assert hit(faithful, "constant") < hit(faithful, "nearest") < 1
    assert hit(faithful, "probe") > 0.95  # the facts lie in the embeddings in a straight line
    assert list(faithful.tallies) == ["model", "permuted", "oracle", "constant", "nearest", "probe"]
    assert faithful.tallies["oracle"].scores(draws=1)["refused"] == 0


def test_a_text_that_looks_at_its_image_is_told_so(faithful):
    found = dependence(faithful, draws=200)
    assert found.depends and found.falls
    words = plain_words(faithful, "en", draws=200)
    assert words[0].startswith("The text depends on the image")
    assert any("falls to the constant caption" in line for line in words)


def test_a_text_that_does_not_is_told_so_too(blindfold):
    found = dependence(blindfold, draws=200)
    assert not found.depends
    words = " ".join(plain_words(blindfold, "en", draws=200))
    assert "does not depend on the image" in words
    assert "no more than the constant caption" in words
    assert "linear probe of the same embeddings does as well or better" in words
    assert "Not reached: smoke, held-out dates: hit@.05" in words
    assert "Le texte ne dépend pas de l’image" in plain_words(blindfold, "fr", draws=50)[0]


def test_swapping_does_not_punish_a_text_for_its_date():
    """All parcels alike, on different days: nothing but the date tells the texts apart, and it must not count."""
    same = [dataclasses.replace(parcel(1), parcel=f"P{n}", taken=date(2022, 6, n + 1)) for n in range(6)]
    judged = judge(items(same), training())
    assert hit(judged, "permuted") == 1


def test_splits_follow_from_the_training():
    assert split_of(parcel(1, TRAINING_DAY), TRAINING) == "training"
    assert split_of(parcel(1, LATER), TRAINING) == "dates"
    assert split_of(parcel(1, LATER, "elsewhere"), TRAINING) == "places"
    assert split_of(parcel(1), None) == "all"


def test_what_is_missing_is_said_and_the_rest_is_judged():
    bare = [dataclasses.replace(item, vector=None, split="all") for item in items()]
    without = judge(bare, None)
    assert set(without.tallies) == {"model", "permuted", "oracle"}
    assert any("--training TABLE" in line for line in plain_words(without, "en", draws=10))
    assert reached(without) == () and repair_rate(without) == 0
    no_vectors = judge(bare, Training(TRAINING))
    assert "constant" in no_vectors.tallies and "probe" not in no_vectors.tallies
    assert any("--embeddings" in line for line in plain_words(no_vectors, "en", draws=10))
    with pytest.raises(DatasetError, match="no text"):
        judge([], None)


def test_a_parcel_under_cloud_needs_no_embedding():
    cloudy = dataclasses.replace(HELD_OUT[0], cloud=0.9)
    mixed = [*items(HELD_OUT[1:6]), dataclasses.replace(items([cloudy])[0], vector=None)]
    judged = judge(mixed, training())
    assert "probe" in judged.tallies
    assert judged.tallies["model"].scores(draws=1)["abstention"] == 1


def test_targets_apply_to_their_mode_and_split(faithful):
    found = reached(faithful)
    assert {(one.target.name, one.split) for one in found} == {("smoke", "dates"), ("bench", "dates")}
    swapped = next(one for one in found if one.target.method == "permuted")
    assert all(one.met for one in found if one is not swapped)
    assert swapped.met == (swapped.value <= 0.30)
    places = judge(items([parcel(n, LATER, "elsewhere") for n in range(4)]), training())
    assert {one.split for one in reached(places)} == {"places"}


def grounded(repairs, draft_noise):
    def draft(one, language, place):
        worse = {name: value + draft_noise for name, value in one.indices.items()}
        return text(compose(dataclasses.replace(one, indices=worse), language, seed=place))

    return [
        dataclasses.replace(item, mode="grounded", repairs=repairs, draft=draft(item.measured, item.language, place))
        for place, item in enumerate(items())
    ]


def test_too_many_repairs_are_a_failure_and_not_a_success():
    judged = judge(grounded(1, 0.2), training())
    assert repair_rate(judged) == pytest.approx(0.2) and failed(judged)
    assert plain_words(judged, "en", draws=10)[0].startswith("FAILED: the grammar wrote 20.0%")
    assert plain_words(judged, "fr", draws=10)[0].startswith("ÉCHEC")
    found = {(one.target.method, one.target.figure): one for one in reached(judged)}
    assert found["model", "refused"].met and found["model", "unsupported"].met
    assert not found["draft", "hit05"].met  # before repair the numbers were .2 away


def test_a_grounded_run_that_needs_no_repair_is_fine():
    judged = judge(grounded(0, 0.0), training())
    assert not failed(judged) and repair_rate(judged) == 0
    assert plain_words(judged, "en", draws=10)[0].startswith("The grammar wrote 0.0%")
    assert all(one.met for one in reached(judged))


def test_numbers_due_are_points_even_when_nothing_is_said():
    judged = judge(items(write=lambda one, language, place: ""), None)
    assert len(judged.points) == len(items()) * 5
    assert all(point.stated is None for point in judged.points)
    assert {point.index for point in judged.points} == {"NDVI", "NDMI", "EVI2", "soil", "NDRE"}


def test_scaled_pixels_are_followed_or_not():
    def scaled(scale, honest):
        facts = [
            dataclasses.replace(one, indices={**one.indices, "NDVI": one.indices["NDVI"] + 0.3 * (scale - 1)})
            for one in HELD_OUT[:4]
        ]
        told = facts if honest else HELD_OUT[:4]
        return [Item(text(compose(said, "en")), "en", true, image="i") for said, true in zip(told, facts, strict=True)]

    honest = followed({scale: scaled(scale, honest=True) for scale in SCALES}, draws=50)
    stubborn = followed({scale: scaled(scale, honest=False) for scale in SCALES}, draws=50)
    assert honest.slope.value > 0.9 and stubborn.slope.value == 0
    assert honest.scales == SCALES and honest.texts == 4
    assert honest.true == pytest.approx(sorted(honest.true))
    assert len(pairs_of(scaled(1.0, honest=True))) == 4


def test_the_probe_finds_what_lies_in_a_straight_line():
    known = np.stack([vector(one) for one in TRAINING])
    probe = LinearProbe.fit(known, TRAINING)
    told = probed_facts(probe, np.stack([vector(one) for one in HELD_OUT]), HELD_OUT)
    for said, true in zip(told, HELD_OUT, strict=True):
        assert said.indices == pytest.approx(true.indices, abs=0.02)
        assert said.shares["soil"] == pytest.approx(true.shares["soil"], abs=0.02)
        assert (said.parcel, said.taken, said.crop) == (true.parcel, true.taken, None)


def test_the_probe_of_noise_says_little_more_than_the_mean():
    """Strong ridge is chosen where embeddings tell nothing."""
    rng = np.random.default_rng(3)
    probe = LinearProbe.fit(rng.normal(size=(40, 200)), TRAINING)
    spread = probe.predict(rng.normal(size=(50, 200))).std(axis=0)
    assert (spread < 0.5 * np.array([np.std([one.indices["NDVI"] for one in TRAINING])])).all()
    with pytest.raises(DatasetError, match="too few"):
        LinearProbe.fit(np.ones((2, 3)), TRAINING[:2])


def test_the_constant_caption_is_the_median_of_what_is_seen():
    hidden = dataclasses.replace(parcel(99), indices={"NDVI": -9.0}, cloud=0.9)
    facts = constant_facts([*TRAINING, hidden])
    assert facts.indices["NDVI"] == pytest.approx(np.median([one.indices["NDVI"] for one in TRAINING]))
    with pytest.raises(DatasetError, match="to be described"):
        constant_facts([hidden])


def test_the_nearest_neighbour_goes_by_the_angle():
    known = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert nearest_facts(np.array([[9.0, 1.0], [0.1, 0.2]]), known, TRAINING[:2]) == TRAINING[:2]
    with pytest.raises(DatasetError, match="neighbour"):
        nearest_facts(known, known[:0], [])
