"""Losses of change, what is frozen, and the figures of validation."""

import pytest
import torch

from arpent.core import parse
from arpent.errors import ConfigError
from arpent.models import INVALID, PlanauraOutput, build
from arpent.tasks.change.detection import DetectionTask, contrast_loss, detection_loss
from arpent.tasks.change.train_settings import ChangeTrainSettings

SHAPE = {
    "channels": 2,
    "image_size": 16,
    "patch": 4,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "decoder_width": 16,
    "decoder_depth": 1,
    "decoder_heads": 2,
    "head_width": 8,
}


def made():
    torch.manual_seed(0)
    return build("planaura-change", SHAPE)


def batch():
    """Pairs of which a square of the second date is bright."""
    x = 0.1 * torch.randn(4, 2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(4, 16, 16, dtype=torch.int64)
    for number in range(4):
        rows, cols = slice(4 * (number % 2), 4 * (number % 2) + 8), slice(4, 12)
        x[number, :, 1, rows, cols] += 2
        target[number, rows, cols] = 1
    target[:, 15] = -1
    return {"image": x, "target": target}


def test_the_loss_against_a_plain_computation():
    odds = torch.tensor([[[2.0, -1.0, 0.5, INVALID]]])
    target = torch.tensor([[[1, 0, -1, 1]]])
    chance = torch.sigmoid(odds[0, 0, :2])
    entropy = -(chance[0].log() + (1 - chance[1]).log()) / 2
    overlap = (2 * chance[0] + 1) / (chance.sum() + 1 + 1)
    assert torch.isclose(detection_loss(odds, target), entropy + 1 - overlap)


def test_a_batch_without_truth_teaches_nothing():
    odds = torch.zeros(1, 4, 4, requires_grad=True)
    loss = detection_loss(odds, torch.full((1, 4, 4), -1))
    loss.backward()
    assert loss == 0 and (odds.grad == 0).all()


def test_contrast_weighs_both_sides_the_same_and_leaves_out_what_is_between():
    cosine = torch.tensor([[[0.5, 0.9], [0.2, INVALID]]])
    target = torch.zeros(1, 8, 8, dtype=torch.int64)
    target[:, :4, :4] = 1  # changed: cosine 0.5 is too high by 0.5
    target[:, 4, 0] = 1  # a quarter of a patch: neither
    assert contrast_loss(cosine, target, 4, floor=0.0).item() == pytest.approx(0.5**2 + (1 - 0.9) ** 2)
    target[:, :4, 4:] = -1
    assert contrast_loss(cosine, target, 4, floor=0.0).item() == pytest.approx(0.5**2)
    assert contrast_loss(cosine, target, 4).item() == pytest.approx(0)


@pytest.mark.parametrize("freeze", [True, False])
def test_what_is_frozen_stays_to_the_last_bit(freeze):
    network = made()
    task = DetectionTask(ChangeTrainSettings(pairs="x", freeze=freeze), network)
    model, data = task.build().train(), batch()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3, weight_decay=0.1)
    losses = []
    for _ in range(25):
        loss = task.loss(model(data["image"]), data)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    moved = {
        name.partition(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert moved == ({"head"} if freeze else {"head", "encoder"})
    assert losses[-1] < 0.6 * losses[0]


def test_the_contrast_pulls_cosines_apart():
    network = made()
    task = DetectionTask(ChangeTrainSettings(pairs="x", contrast=8.0), network)
    model, data = task.build().train(), batch()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    for _ in range(60):
        loss = task.loss(model(data["image"]), data)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        cosine = model.eval()(data["image"]).cosine
    changed = data["target"].view(4, 4, 4, 4, 4).transpose(2, 3).flatten(3).eq(1).all(-1)
    assert cosine[changed].mean() < cosine[~changed].mean() - 0.2


def test_figures_of_validation():
    task = DetectionTask(ChangeTrainSettings(pairs="x"), made())
    target = torch.zeros(1, 8, 8, dtype=torch.int64)
    target[0, :4, :4], target[0, 7] = 1, -1
    odds = torch.full((1, 8, 8), -3.0)
    odds[0, :4, :3] = 2.0
    odds[0, 6, 0] = INVALID
    cosine = torch.tensor([[[0.1, 0.8], [0.9, 1.0]]])
    out = PlanauraOutput(torch.empty(0), cosine, None, None, odds)
    halves = [task.metrics(), task.metrics()]
    for meter in halves:
        meter.update(out, {"target": target})
    halves[0].merge(halves[1])
    found = halves[0].compute()
    assert found["f1"] == pytest.approx(2 * 12 / (12 + 16)) and 0.8 < found["threshold"] < 0.89
    assert found["cosine_f1"] == 1 and found["cosine_threshold"] == pytest.approx(0.1, abs=2e-3)
    assert 0 < found["average_precision"] < 1


def test_the_product_is_a_probability():
    network = made().eval()
    task = DetectionTask(ChangeTrainSettings(pairs="x"), network)
    with torch.inference_mode():
        answer = task.infer(network, batch())["change"]
    assert answer.values.shape == (4, 1, 16, 16) and answer.valid.all()
    assert answer.values.min() >= 0 and answer.values.max() <= 1
    assert [product.name for product in task.products()] == ["change_probability"]


@pytest.mark.parametrize("wrong", [{}, {"pairs": "x", "dates": 1}, {"pairs": "x", "contrst": 1}])
def test_settings_that_teach_nothing_are_refused(wrong):
    with pytest.raises(ConfigError):
        parse(ChangeTrainSettings, wrong, "test.yaml")
