"""Losses against plain, slow implementations, and on batches that break careless ones."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import nomenclature
from arpent.errors import InvalidSetting, UnknownName
from arpent.models import cross_entropy, dice_loss, focal_loss, lovasz_loss
from arpent.tasks.landcover import ClassLoss, LandcoverSettings, LandcoverTask
from arpent.tasks.landcover.losses import class_weights
from arpent.tasks.landcover.task import most_likely

NAMES = ("cross-entropy", "cross-entropy+dice", "cross-entropy+lovasz", "dice", "focal", "focal+dice", "lovasz")


@st.composite
def batches(draw):
    """Scores, truth and weights of a few pixels; some classes absent, some pixels without truth."""
    classes, side = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    torch.manual_seed(draw(st.integers(0, 10_000)))
    scores = torch.randn(2, classes, side, side, dtype=torch.float64) * 3
    target = torch.randint(-1, draw(st.integers(1, classes)), (2, side, side))
    target[0, 0, 0] = 0
    return scores, target, torch.rand(classes, dtype=torch.float64) + 0.1


def pixels_of(scores, target):
    """Chances and truth of each pixel that has one, as plain lists."""
    chances = torch.softmax(scores, dim=1)
    places = [(b, y, x) for b, y, x in torch.nonzero(target >= 0).tolist()]
    return [(chances[b, :, y, x].tolist(), int(target[b, y, x])) for b, y, x in places]


def weighted(by_class, weights):
    return sum(weights[c] * loss for c, loss in by_class.items()) / sum(weights[c] for c in by_class)


@settings(max_examples=40)
@given(batches())
def test_cross_entropy_and_focal_are_those_of_the_books(batch):
    scores, target, weights = batch
    pixels = pixels_of(scores, target)
    total = sum(weights[t] for _, t in pixels)
    plain = sum(weights[t] * -math.log(p[t]) for p, t in pixels) / total
    focal = sum(weights[t] * (1 - p[t]) ** 1.5 * -math.log(p[t]) for p, t in pixels) / total
    assert cross_entropy(scores, target, weights).item() == pytest.approx(plain.item())
    assert focal_loss(scores, target, weights, 0.0).item() == pytest.approx(plain.item())
    assert focal_loss(scores, target, weights, 1.5).item() == pytest.approx(focal.item(), abs=1e-5)


@settings(max_examples=40)
@given(batches())
def test_dice_is_counted_pixel_by_pixel(batch):
    scores, target, weights = batch
    pixels = pixels_of(scores.float(), target)
    by_class = {}
    for c in {t for _, t in pixels}:
        shared = sum(p[c] for p, t in pixels if t == c)
        size = sum(p[c] for p, _ in pixels) + sum(t == c for _, t in pixels)
        by_class[c] = 1 - 2 * shared / size
    assert dice_loss(scores, target, weights).item() == pytest.approx(weighted(by_class, weights).item(), abs=1e-6)
    plain = sum(by_class.values()) / len(by_class)
    assert dice_loss(scores, target).item() == pytest.approx(plain, abs=1e-6)


def jaccard_loss(wrong, truth):
    """1 − IoU of a class, when the pixels numbered in `wrong` are taken to be wrong."""
    members = {k for k, is_class in enumerate(truth) if is_class}
    return len(wrong) / len(members | set(wrong)) if wrong else 0.0


@settings(max_examples=40)
@given(batches())
def test_lovasz_is_the_extension_of_the_jaccard_loss(batch):
    """Its definition: the sum over pixels in the order of their errors, each times the growth of the set's loss."""
    scores, target, weights = batch
    pixels = pixels_of(scores, target)
    by_class = {}
    for c in {t for _, t in pixels}:
        truth = [t == c for _, t in pixels]
        errors = [abs(float(t == c) - p[c]) for p, t in pixels]
        order = sorted(range(len(errors)), key=lambda k: -errors[k])
        sets = [jaccard_loss(order[:n], truth) for n in range(len(order) + 1)]
        by_class[c] = sum(errors[k] * (sets[n + 1] - sets[n]) for n, k in enumerate(order))
    assert lovasz_loss(scores, target, weights).item() == pytest.approx(weighted(by_class, weights).item(), abs=1e-6)


def test_lovasz_of_sure_answers_is_one_minus_the_iou():
    target = torch.tensor([[[0, 0, 0, 1]]])
    guess = torch.tensor([[[0, 0, 1, 1]]])
    scores = torch.nn.functional.one_hot(guess, 2).permute(0, 3, 1, 2) * 200.0
    assert lovasz_loss(scores, target).item() == pytest.approx(((1 - 2 / 3) + (1 - 1 / 2)) / 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("truth", ["nothing", "one class", "ignored", "sure", "wrong"])
def test_gradients_are_finite_on_awkward_batches(name, truth):
    classes = nomenclature("flair-13")
    config = LandcoverSettings(classes="flair-13", loss=name, weights={"water": 0, "1": 2.5}, focal_gamma=0.5)
    target = torch.full((2, 4, 4), {"nothing": -1, "ignored": 4}.get(truth, 0))
    scores = torch.randn(2, 13, 4, 4)
    if truth in ("sure", "wrong"):
        scores = torch.zeros(2, 13, 4, 4)
        scores[:, 0 if truth == "sure" else 3] = 1e4
    scores.requires_grad_()
    loss = ClassLoss(config, classes)(scores, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()
    if truth in ("nothing", "ignored"):
        assert loss == 0
        assert (scores.grad == 0).all()
    if truth == "one class":
        assert scores.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_pixels_of_weightless_and_ignored_classes_are_as_without_truth(name):
    classes = nomenclature("flair-13")
    target = torch.randint(0, 13, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    scores = torch.randn(1, 13, 8, 8, generator=torch.Generator().manual_seed(2))
    config = LandcoverSettings(classes="flair-13", loss=name, weights={"water": 0}, ignore=("2",))
    hidden = torch.where((target == 4) | (target == 1) | (target == 12), -1, target)
    loss = ClassLoss(config, classes)
    assert loss(scores, target) == loss(scores, hidden)
    assert loss(scores, target) != ClassLoss(config.model_copy(update={"ignore": ()}), classes)(scores, target)


def test_weights_are_named_once_and_known():
    classes = nomenclature("flair-15")
    weights = class_weights(classes, {"building": 2, "5": 0.5, "serre": 3})
    assert [weights[classes.index_of(name)] for name in (1, 5, "greenhouse", 2)] == [2, 0.5, 3, 1]
    assert [int(classes.ids[i]) for i in torch.nonzero(weights == 0).flatten()] == [15, 16, 17, 19]
    with pytest.raises(InvalidSetting, match="'water' has two weights"):
        class_weights(classes, {"water": 1, "5": 2})
    with pytest.raises(UnknownName, match="'water'"):
        class_weights(classes, {"watre": 1})
    with pytest.raises(InvalidSetting, match="no class of 'two' is left"):
        class_weights(nomenclature("flair-19").keep([1, 2], "two"), {"building": 0}, ["2"])


def test_inactive_classes_are_never_predicted_nor_judged():
    task = LandcoverTask(LandcoverSettings(classes="flair-15", probabilities=True))
    land, chances = task.products()
    scores = torch.zeros(1, 19, 2, 2)
    scores[:, 14] = 9.0  # clear cut
    scores[:, 4] = 1.0
    assert (most_likely(scores, task.classes) == 4).all()
    assert (scores[:, 14] == 9).all()
    assert (land.finish(scores[0].numpy()) == 5).all()
    percent = chances.finish(scores[0].numpy())
    assert percent[14].max() == 0
    assert percent.sum(axis=0) == pytest.approx(100.0)
    meter = task.metrics()
    meter.update(scores, {"target": torch.tensor([[[4, 4], [14, 3]]])})
    figures = meter.compute()
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["miou"] == pytest.approx((2 / 3 + 0) / 2)
    assert {name: figures[name] for name in figures if "/" in name} == {
        "iou/water": pytest.approx(2 / 3),
        "iou/bare soil": 0,
    }


def test_ignored_classes_are_not_judged_in_validation():
    task = LandcoverTask(LandcoverSettings(classes="flair-12", ignore=("4",)))
    meter = task.metrics()
    scores = torch.zeros(1, 12, 1, 2)
    scores[:, 4] = 1.0
    meter.update(scores, {"target": torch.tensor([[[4, 3]]])})
    assert meter.compute() == {"accuracy": 1.0, "miou": 1.0, "iou/water": 1.0}
