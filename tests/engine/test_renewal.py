"""Batch norm measured anew."""

import pytest
import torch
from torch import nn

from arpent.engine import renew_statistics
from arpent.errors import EmptySplit, InvalidSetting

CPU = torch.device("cpu")


def test_statistics_become_those_of_the_images_and_nothing_else_moves():
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = 3 * torch.randn(12, 2, 16, 16) + torch.tensor([5.0, -1.0])[:, None, None]
    renewed = renew_statistics(model, [{"image": part} for part in images.split(4)], CPU, total=3)
    state = renewed.state_dict()
    torch.testing.assert_close(state["0.running_mean"], images.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(state["0.running_var"].sqrt(), images.std((0, 2, 3)), atol=0.02, rtol=0.02)
    moved = {name for name in before if not torch.equal(before[name], state[name])}
    assert all("running" in name or "tracked" in name for name in moved)
    assert len(moved) == 6
    assert renewed[0].momentum == 0.1
    assert not any(module.training for module in renewed.modules())
    out = renewed[0](images)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(2), atol=1e-3, rtol=0)


def test_what_cannot_be_renewed_is_said():
    with pytest.raises(InvalidSetting, match="no batch norm"):
        renew_statistics(nn.Conv2d(2, 3, 1), [], CPU, total=0)
    with pytest.raises(EmptySplit, match="no image"):
        renew_statistics(nn.BatchNorm2d(2), [], CPU, total=0)
