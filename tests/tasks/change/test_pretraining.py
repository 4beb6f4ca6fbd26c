"""Painting hidden patches: what is hidden, what counts, and that it is learnt."""

import pytest
import torch

from arpent.errors import InvalidSetting
from arpent.models import MISSING, build
from arpent.tasks.change.pretraining import MaskedAutoencoder, Painted, PaintingTask, painting_loss
from arpent.tasks.change.train_settings import ChangeTrainSettings

SHAPE = {
    "channels": 2,
    "image_size": 16,
    "patch": 4,
    "width": 32,
    "depth": 1,
    "heads": 2,
    "decoder_width": 32,
    "decoder_depth": 1,
    "decoder_heads": 2,
}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build("planaura", SHAPE)


CLEAR = torch.ones(2, 16, 16, dtype=torch.bool)


def images(seed=0, frames=2):
    return torch.randn(2, 2, frames, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_three_patches_of_four_are_hidden_at_random(network):
    model = MaskedAutoencoder(network, 0.75)
    first, second = model(images()), model(images())
    assert first.pixels.shape == (2, 2, 2, 16, 16) and first.hidden.shape == (2, 2, 16, 16)
    assert first.hidden.float().mean() == 0.75
    patches = first.hidden.view(2, 2, 4, 4, 4, 4).transpose(3, 4).flatten(4)
    assert (patches.all(-1) | ~patches.any(-1)).all()  # whole patches
    assert not torch.equal(first.hidden, second.hidden)


def test_in_evaluation_the_same_are_hidden_every_time(network):
    model = MaskedAutoencoder(network, 0.75).eval()
    assert torch.equal(model(images()).hidden, model(images(1)).hidden)


def test_what_is_hidden_does_not_reach_the_network(network):
    model = MaskedAutoencoder(network, 0.75).eval()
    x = images()
    before = model(x)
    other = torch.where(before.hidden[:, None], x + 5, x)
    assert torch.equal(model(other).pixels, before.pixels)


def test_visible_pixels_and_those_without_data_do_not_count():
    x = images()
    painted = torch.zeros_like(x)
    hidden = torch.zeros(2, 2, 16, 16, dtype=torch.bool)
    hidden[:, :, :8] = True
    expected = (x[:, :, :, :8] ** 2).mean()
    assert torch.isclose(painting_loss(Painted(painted, hidden), x, CLEAR, 4), expected)
    painted[:, :, :, 8:] = 1e6
    assert torch.isclose(painting_loss(Painted(painted, hidden), x, CLEAR, 4), expected)
    painted[0, :, :, 0, 0] = 1e6
    x[0, :, :, 0, 0] = MISSING
    painted[1, :, :, 2, 2] = 1e6
    clear = CLEAR.clone()
    clear[1, 2, 2] = False  # a cloud
    painted[1, 0, 0, 1, 1] = 1e6
    x[1, 0, 0, 1, 1] = torch.nan
    assert painting_loss(Painted(painted, hidden), x, clear, 4) < 2


def test_nothing_hidden_that_holds_data_gives_zero_not_nan():
    x = torch.full((1, 2, 1, 8, 8), MISSING)
    hidden = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    clear = torch.ones(1, 8, 8, dtype=torch.bool)
    assert painting_loss(Painted(torch.ones_like(x), hidden), x, clear, 4) == 0
    assert painting_loss(Painted(torch.ones_like(x), hidden), x, clear, 4, normalise=True) == 0


def test_normalised_patches_leave_out_their_light():
    x = images()
    hidden = torch.ones(2, 2, 16, 16, dtype=torch.bool)
    x[:, :, :, 0, 0] = MISSING
    known = (x != MISSING)[:, :, :, :4, :4]
    patch = torch.where(known, x[:, :, :, :4, :4], torch.nan)
    centre = patch.nanmean((1, 3, 4), keepdim=True)
    spread = ((patch - centre) ** 2).nanmean((1, 3, 4), keepdim=True)
    painted = torch.zeros_like(x)
    painted[:, :, :, :4, :4] = torch.nan_to_num((patch - centre) / (spread + 1e-6).sqrt(), 1e6)
    only = hidden.clone()
    only[:, :, 4:], only[:, :, :, 4:] = False, False
    assert painting_loss(Painted(painted, only), x, CLEAR, 4, normalise=True) < 1e-9
    brighter = torch.where(x == MISSING, x, 3 * x + 7)
    plain = painting_loss(Painted(torch.zeros_like(x), hidden), x, CLEAR, 4, normalise=True)
    assert torch.isclose(painting_loss(Painted(torch.zeros_like(x), hidden), brighter, CLEAR, 4, normalise=True), plain)


@pytest.mark.parametrize("frames", [1, 2])
def test_it_learns_to_paint(network, frames):
    config = ChangeTrainSettings(images="x", dates=frames)
    task = PaintingTask(config, network)
    model = task.build().train()
    x = images(frames=frames).mean((3, 4), keepdim=True).expand(2, 2, frames, 16, 16)  # each band one light
    torch.manual_seed(1)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        loss = task.loss(model(x), {"image": x, "target": torch.zeros(2, 16, 16)})
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.2 * losses[0]


def test_it_makes_no_map(network):
    task = PaintingTask(ChangeTrainSettings(images="x"), network)
    assert task.products() == () and task.metrics().compute() == {}
    with pytest.raises(InvalidSetting, match="makes no map"):
        task.infer(None, {})
